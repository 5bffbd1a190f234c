"""Meta's language model as the coder of files of version 0: torch, floating point, one frame after the other.

Its files decode where the probabilities round as they did when they were written: on the same machine with the same
version of torch. `docs/exact-entropy.md` says why, and what version 1 does about it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ..config import EncodecConfig
from ..errors import CheckpointError, ModelMismatchError
from ..nn.pickled import read_pickled
from ..wire.v0.arithmetic import TOTAL_BITS
from .meta_network import MetaCodeLM, MetaLMConfig

_CONTEXT_S = 3.5
_HEADS = 8
_STEP = 1e-8
_LEAST = 2  # share of the most unlikely code, of 2^24


class MetaLanguageModel:
    """Gives the coder of version 0 its tables; a `wire.v0.segments.SegmentLM`.

    Args:
        model: Meta's network.
    """

    def __init__(self, model: MetaCodeLM) -> None:
        self._model = model.eval()

    @classmethod
    def load(cls, path: str | Path, config: EncodecConfig) -> MetaLanguageModel:
        """Read one of Meta's checkpoints, for example `encodec_lm_24khz-1608e3c0.th`.

        Args:
            path: a file of `torch.save`.
            config: of the codec model that it goes with.

        Raises:
            FileNotFoundError: if it is not there.
            CheckpointError: if it is not valid, no such language model, or one for other codes.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"there is no file {path}")
        state = {name: torch.from_numpy(array) for name, array in read_pickled(path).items()}
        try:
            shape = _shape_of(state, config)
            if shape.codebook_size != config.codebook_size or shape.num_codebooks < config.num_quantizers:
                raise CheckpointError(
                    f"{path} knows {shape.num_codebooks} codebooks of {shape.codebook_size} codes, the model has "
                    f"{config.num_quantizers} of {config.codebook_size}"
                )
            model = MetaCodeLM(shape)
            model.load_state_dict(state)
        except (KeyError, IndexError, ValueError, RuntimeError, AssertionError) as error:
            raise CheckpointError(f"{path} is not a language model of Meta's: {str(error).splitlines()[0]}") from error
        if not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
            raise CheckpointError(f"{path} holds numbers that are not finite")
        return cls(model)

    def start(self, num_codebooks: int) -> MetaLMTables:
        """Begin a segment of K codebooks.

        Raises:
            ModelMismatchError: if it knows fewer.
        """
        most = self._model.config.num_codebooks
        if num_codebooks > most:
            raise ModelMismatchError(f"the file has {num_codebooks} codebooks, the language model knows {most}")
        return MetaLMTables(self._model, num_codebooks)


class MetaLMTables:
    """See `wire.v0.segments.FrameTables`."""

    def __init__(self, model: MetaCodeLM, num_codebooks: int) -> None:
        self._model, self._num_codebooks = model, num_codebooks
        self._state = model.init_state(1)

    @torch.no_grad()
    def next(self, before: np.ndarray | None) -> np.ndarray:
        indices = np.zeros(self._num_codebooks, np.int64) if before is None else before + 1
        logits, self._state = self._model.step(torch.from_numpy(indices)[None, :, None], self._state)
        return cumulate(logits.softmax(1)[0, :, :, 0]).T.numpy()


def cumulate(chances: torch.Tensor) -> torch.Tensor:
    """Probabilities (N, K) to the upper ends of their shares of 2^24, as Meta's tool rounds them."""
    total = 1 << TOTAL_BITS
    rounded = (chances / _STEP).floor() * _STEP
    spread = 1 - _LEAST * len(chances) / total  # the rest is for the least share of each
    return (spread * total * rounded).floor().long().add(_LEAST).cumsum(0)


def _shape_of(state: dict[str, torch.Tensor], config: EncodecConfig) -> MetaLMConfig:
    size, width = state["emb.0.weight"].shape
    return MetaLMConfig(
        num_codebooks=sum(name.startswith("emb.") for name in state),
        codebook_size=size - 1,
        width=width,
        num_layers=len({name.split(".")[2] for name in state if name.startswith("transformer.layers.")}),
        num_heads=_HEADS,
        feed_forward=state["transformer.layers.0.linear1.weight"].shape[0],
        past_context=int(_CONTEXT_S * config.frame_rate),
    )
