"""Codes of a corpus, as files: what a code language model is trained on.

A folder of codes holds `<group>-<name>.npy`, each (K, F) int16, `codebooks.npy` with the model's codebooks
(K, N, D), and `codes.json`, which says what the files are. The index is written last: a folder without
it is unfinished.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from tqdm import tqdm

from ..atomic import write_bytes, write_text
from ..errors import AudioError, ConfigError
from ..model.encodec import EncodecModel

INDEX_NAME = "codes.json"
CODEBOOKS_NAME = "codebooks.npy"
PIECE_S = 30.0


@dataclass(frozen=True)
class CodesIndex:
    """What `codes.json` holds.

    Attributes:
        num_codebooks: K of every file.
        codebook_size: N.
        frame_rate: in Hz.
        bandwidths: the model's, in kbps.
        frames: F by file name.
    """

    num_codebooks: int
    codebook_size: int
    frame_rate: int
    bandwidths: tuple[float, ...]
    frames: dict[str, int]

    @classmethod
    def read(cls, folder: str | Path) -> CodesIndex:
        """The index of a folder.

        Raises:
            ConfigError: if there is none, or it is not a valid index.
        """
        path = Path(folder) / INDEX_NAME
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{**values, "bandwidths": tuple(values["bandwidths"])})
        except FileNotFoundError as error:
            raise ConfigError(f"{folder} is not a finished folder of codes: it has no {INDEX_NAME}") from error
        except (ValueError, TypeError, KeyError) as error:
            raise ConfigError(f"{path} is not an index of codes: {error}") from error

    def codebooks_for(self, bandwidth_kbps: float) -> int:
        """Codebooks at a bandwidth."""
        bits_per_s = self.frame_rate * np.log2(self.codebook_size)
        return max(1, min(self.num_codebooks, int(1000 * bandwidth_kbps / bits_per_s + 1e-9)))


def codes_of_shards(
    model: EncodecModel, shards: str | Path, out: str | Path, *, limit: int | None = None, progress: bool = True
) -> CodesIndex:
    """Encode the `<group>-<nnn>.npy` shards of a folder at the model's full bandwidth.

    Shards are cut into pieces of 30 s, each encoded alone; seams of clips lie within. A file that `out`
    holds already is not made again, so an interrupted run goes on.

    Args:
        model: mono, at the shards' sampling rate.
        shards: 1-D int16 audio, full scale 32767.
        out: folder of the codes; made if it does not exist.
        limit: at most that many samples from the start of each shard.
        progress: show a bar in seconds of audio.

    Raises:
        AudioError: if there is no shard.
    """
    paths = sorted(p for p in Path(shards).glob("*-*.npy"))
    arrays = {path.name: np.load(path, mmap_mode="r")[:limit] for path in paths}
    arrays = {name: a for name, a in arrays.items() if a.ndim == 1 and a.dtype == np.int16 and a.size}
    if not arrays:
        raise AudioError(f"{shards} holds no int16 shards")

    def pieces(name: str) -> Iterator[np.ndarray]:
        step = int(PIECE_S * model.config.frame_rate) * model.config.hop_length
        for start in range(0, arrays[name].size, step):
            yield arrays[name][start : start + step].astype(np.float32) / 32768.0

    return _encode_all(model, {name: a.size for name, a in arrays.items()}, pieces, Path(out), progress)


def codes_of_clips(model: EncodecModel, clips: str | Path, out: str | Path, *, progress: bool = True) -> CodesIndex:
    """Encode the `<group>-<name>.flac` or `.wav` clips of a folder, each in one piece, at full bandwidth.

    Raises:
        AudioError: if there are none, or one has another sampling rate than the model.
    """
    paths = {f"{p.stem}.npy": p for p in sorted(Path(clips).iterdir()) if p.suffix in (".flac", ".wav")}
    sizes = {}
    for name, path in paths.items():
        about = soundfile.info(path)
        if about.samplerate != model.config.sampling_rate:
            raise AudioError(f"{path} has {about.samplerate} Hz, the model {model.config.sampling_rate}")
        sizes[name] = about.frames
    if not sizes:
        raise AudioError(f"{clips} holds no .flac or .wav clips")

    def pieces(name: str) -> Iterator[np.ndarray]:
        yield soundfile.read(paths[name], dtype="float32", always_2d=True)[0].mean(1)

    return _encode_all(model, sizes, pieces, Path(out), progress)


class CodeCrops:
    """Random crops from the files of a folder of codes.

    Args:
        folder: of `codes_of_shards`.
        crop_frames: F.
        group_weights: share of the crops that each group gets; groups without files are left out.
        seed: of the random choices.

    Raises:
        ConfigError: if the folder is unfinished, or no file of the groups is as long as a crop.
    """

    def __init__(
        self, folder: str | Path, *, crop_frames: int, group_weights: Mapping[str, float], seed: int = 0
    ) -> None:
        self.index = CodesIndex.read(folder)
        self.crop_frames = crop_frames
        self.random = np.random.default_rng(seed)
        self._files: list[np.ndarray] = []
        chances: list[float] = []
        for group, weight in group_weights.items():
            names = [n for n, f in self.index.frames.items() if group_of(n) == group and f >= crop_frames]
            total = sum(self.index.frames[n] for n in names)
            self._files += [np.load(Path(folder) / n, mmap_mode="r") for n in names]
            chances += [weight * self.index.frames[n] / total for n in names]
        if not self._files or sum(chances) <= 0:
            raise ConfigError(f"{folder} holds no codes of {crop_frames} frames in {', '.join(group_weights)}")
        self._chances = np.array(chances) / sum(chances)

    def batch(self, size: int, num_codebooks: int) -> torch.Tensor:
        """(size, num_codebooks, crop_frames) int64."""
        crops = np.empty((size, num_codebooks, self.crop_frames), np.int64)
        for crop in crops:
            file = self._files[self.random.choice(len(self._files), p=self._chances)]
            start = self.random.integers(file.shape[1] - self.crop_frames + 1)
            crop[:] = file[:num_codebooks, start : start + self.crop_frames]
        return torch.from_numpy(crops)

    def state_dict(self) -> dict[str, object]:
        """The random generator's state: the position in the data."""
        return {"random": self.random.bit_generator.state}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on drawing as if nothing had happened."""
        self.random.bit_generator.state = state["random"]  # type: ignore[assignment]


def group_of(name: str) -> str:
    """The group in a file's name: what stands before the first hyphen."""
    return name.partition("-")[0]


@torch.no_grad()
def _encode_all(
    model: EncodecModel,
    sizes: Mapping[str, int],
    pieces: Callable[[str], Iterator[np.ndarray]],
    out: Path,
    progress: bool,
) -> CodesIndex:
    """Write the codes of all files whose `sizes` in samples are given, and the index."""
    config = model.config
    out.mkdir(parents=True, exist_ok=True)
    frames: dict[str, int] = {}
    bar = tqdm(total=sum(sizes.values()) / config.sampling_rate, unit="s", unit_scale=True, disable=not progress)
    with bar:
        for name, size in sizes.items():
            path = out / name
            if not path.exists():
                _save(path, np.concatenate([_encode(model, piece, bar) for piece in pieces(name)], axis=1))
            else:
                bar.update(size / config.sampling_rate)
            frames[name] = np.load(path, mmap_mode="r").shape[1]
    _save(out / CODEBOOKS_NAME, torch.stack([book.embed for book in model.quantizer.codebooks]).float().cpu().numpy())
    index = CodesIndex(
        config.num_quantizers, config.codebook_size, config.frame_rate, tuple(config.target_bandwidths), frames
    )
    write_text(out / INDEX_NAME, json.dumps(asdict(index), indent=1) + "\n")
    return index


def _save(path: Path, array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_bytes(path, buffer.getvalue())


def _encode(model: EncodecModel, audio: np.ndarray, bar: tqdm) -> np.ndarray:
    """(T,) audio to (K, F) int16 codes; the segments of a chunked model follow each other."""
    x = torch.from_numpy(audio).to(model.device).expand(1, model.config.audio_channels, -1)
    codes, _, _ = model.encode(x, num_quantizers=model.config.num_quantizers, return_dict=False)
    assert codes is not None
    bar.update(audio.size / model.config.sampling_rate)
    return codes[:, 0].transpose(0, 1).flatten(1).cpu().numpy().astype(np.int16)
