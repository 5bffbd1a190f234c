"""A run for TensorBoard: losses, the balancer's norms, use of codebooks, spectrograms and sound."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

import torch

from ..errors import ConfigError
from ..model.encodec import EncodecModel
from .dev import Decoders

EXAMPLES = 2
_WINDOW = 1024
_FLOOR_DB = -80.0


def wants_board(board: bool | None, has_dev: bool) -> tuple[bool, str | None]:
    """Whether a run writes for TensorBoard, and a line for people where it would and cannot.

    Args:
        board: the setting; `None` for yes where there are dev clips and the package is installed.
        has_dev: whether there are dev clips.
    """
    if board is not None or not has_dev:
        return bool(board), None
    if find_spec("tensorboard") is not None:
        return True, None
    return False, "no spectrograms and sound of the dev clips: pip install 'recodec[train]' brings TensorBoard"


class Board:
    """Writes event files into a folder; a context manager.

    Args:
        folder: for the files.

    Raises:
        ConfigError: without the package `tensorboard`.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError("board needs TensorBoard: pip install 'recodec[train]'") from error
        self._writer = SummaryWriter(str(folder))

    def __enter__(self) -> Board:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()

    def figures(self, update: int, figures: Mapping[str, float]) -> None:
        """Numbers by name."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, update)

    @torch.no_grad()
    def examples(self, update: int, model: EncodecModel, clips: list[torch.Tensor], decoders: Decoders) -> None:
        """Clips (1, C, T) as they were and as they come back at the highest bandwidth, and how codes are used.

        Args:
            update: number of the update.
            model: encodes.
            clips: of which the first `EXAMPLES` are taken.
            decoders: by what the names of their pictures begin with.
        """
        model.eval()
        for number, clip in enumerate(clips[:EXAMPLES]):
            x = clip.to(model.device)
            encoded = model.encode(x, bandwidth=model.config.target_bandwidths[-1], return_dict=True)
            decoded = {f"{prefix}decoded": decode(encoded, x.shape[-1]) for prefix, decode in decoders.items()}
            for name, audio in {"original": x, **decoded}.items():
                tag = f"clip {number}/{name}"
                self._writer.add_audio(tag, audio[0].mean(0).clamp(-1, 1).cpu(), update, model.config.sampling_rate)
                self._writer.add_image(tag, _picture(audio[0].mean(0)), update, dataformats="HW")
            codes = encoded.audio_codes[:, 0].transpose(0, 1).flatten(1)
            for level, used in enumerate(codes):
                self._writer.add_scalar(f"clip {number}/codes of level {level}", float(used.unique().numel()), update)
        model.train()


def codebook_use(model: EncodecModel) -> dict[str, float]:
    """Perplexity of each codebook by its moving counts: how many entries are in use."""
    figures = {}
    for level, book in enumerate(model.quantizer.codebooks):
        chances = book.cluster_size / book.cluster_size.sum().clamp(min=1e-9)
        figures[f"perplexity/{level}"] = float(torch.exp(-(chances * (chances + 1e-12).log()).sum()))
    return figures


def _picture(audio: torch.Tensor) -> torch.Tensor:
    """(T,) to a log spectrogram in [0, 1], low frequencies at the bottom."""
    window = torch.hann_window(_WINDOW, device=audio.device)
    size = torch.stft(audio, _WINDOW, _WINDOW // 4, window=window, return_complex=True).abs()
    level = 20 * torch.log10(size / size.max().clamp(min=1e-9) + 1e-9)
    return (1 - level.clamp(min=_FLOOR_DB) / _FLOOR_DB).flip(0).cpu()
