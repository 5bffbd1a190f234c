"""The code language model joined to the range coder: packets of codes to bytes and back.

A kernel does the work, by NumPy (`numpy_kernel.py`) or in C (`native_kernel.py`), to equal bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import ModelMismatchError
from .config import CodeLMConfig
from .tables import TABLE_RULE
from .weights import fingerprint, read_lm


class Kernel(Protocol):
    """Codes batches of packets that have as many codebooks each, none of them empty. Arguments are checked already.

    Attributes:
        name: what does the work, for people.
        config: shape of the language model.
    """

    name: str
    config: CodeLMConfig

    def intervals(self, codes: np.ndarray, scores: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(P, K, F) int64 codes to starts and frequencies, each (P, F, K); fills `scores` (P, F, K, N) float32."""
        ...

    def encode_limit(self, frames: int) -> int:
        """Most packets of so many frames in a batch."""
        ...

    def encode(self, codes: np.ndarray) -> list[bytes]:
        """(P, K, F) int64 codes to P payloads."""
        ...

    def decode_limit(self, frames: int) -> int:
        """Most packets in a batch whose longest has so many frames."""
        ...

    def decode(self, payloads: Sequence[bytes], num_codebooks: int, lengths: Sequence[int]) -> np.ndarray:
        """Packets of `lengths` frames, the longest first, to codes (P, K, F) int64; beyond a packet's end, zeros."""
        ...


class LanguageModel:
    """Codes packets with a language model's tables; a `wire.payload.PacketLM`.

    Packets know nothing of each other. How they are batched, and which kernel works, changes the speed, and no byte.

    Args:
        kernel: does the work.
        fingerprint: of the weights.
    """

    def __init__(self, kernel: Kernel, fingerprint: str) -> None:
        self._kernel = kernel
        self._fingerprint = fingerprint

    @classmethod
    def of(cls, config: CodeLMConfig, tensors: Mapping[str, np.ndarray]) -> LanguageModel:
        """A language model of its integers (`weights.tensor_specs`).

        Raises:
            CheckpointError: if they do not fit, or could leave the range of exact arithmetic.
            ConfigError: if `RECODEC_NATIVE` asks for what is not there.
        """
        return cls(choose_kernel(config, tensors), fingerprint(config, tensors))

    @classmethod
    def load(cls, folder: str | Path) -> LanguageModel:
        """Read `lm.safetensors` and `lm_config.json` from a folder.

        Raises:
            FileNotFoundError: if a file is missing.
            ConfigError: for a bad configuration, or if `RECODEC_NATIVE` asks for what is not there.
            CheckpointError: for weights that cannot be read, do not fit, or are out of range.
        """
        return cls.of(*read_lm(folder))

    @property
    def kernel_name(self) -> str:
        """What does the work: "NumPy", or "compiled C" with the set of instructions."""
        return self._kernel.name

    @property
    def config(self) -> CodeLMConfig:
        """The shape of its network."""
        return self._kernel.config

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the language model: 64 hexadecimal digits."""
        return self._fingerprint

    @property
    def table_rule(self) -> int:
        """Version of the rule that makes frequency tables."""
        return TABLE_RULE

    @property
    def num_codebooks(self) -> int:
        """The most codebooks that a packet may have."""
        return self._kernel.config.num_codebooks

    def encode(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        """Code packets, each (K, F) integers.

        Raises:
            ModelMismatchError: for more codebooks than the language model knows.
            ValueError: for codes that it does not know.
        """
        pieces = [np.asarray(piece, np.int64) for piece in codes]
        self._check([(len(piece), piece.shape[1]) for piece in pieces])
        size = self._kernel.config.codebook_size
        if any(bool(((piece < 0) | (piece >= size)).any()) for piece in pieces):
            raise ValueError(f"codes must be from 0 to {size - 1}")
        payloads = [b""] * len(pieces)
        # A kernel codes whole packets as one array, but decodes frame by frame: only here must lengths be equal.
        for group in _batches([piece.shape for piece in pieces], same_frames=True, limit=self._kernel.encode_limit):
            coded = self._kernel.encode(np.stack([pieces[i] for i in group]))
            for i, payload in zip(group, coded, strict=True):
                payloads[i] = payload
        return payloads

    def decode(self, payloads: Sequence[bytes], shapes: Sequence[tuple[int, int]]) -> list[np.ndarray]:
        """Decode packets of `shapes` (K, F) to int64 codes; any bytes decode to some codes.

        Raises:
            ModelMismatchError: for more codebooks than the language model knows.
        """
        self._check(shapes)
        codes = [np.zeros(shape, np.int64) for shape in shapes]
        for group in _batches(shapes, same_frames=False, limit=self._kernel.decode_limit):
            lengths = [shapes[i][1] for i in group]
            decoded = self._kernel.decode([payloads[i] for i in group], shapes[group[0]][0], lengths)
            for row, i in enumerate(group):
                codes[i] = decoded[row, :, : shapes[i][1]]
        return codes

    def _check(self, shapes: Sequence[tuple[int, int]]) -> None:
        most = max((shape[0] for shape in shapes), default=0)
        if most > self.num_codebooks:
            raise ModelMismatchError(f"packets have {most} codebooks, the language model knows {self.num_codebooks}")


def choose_kernel(config: CodeLMConfig, tensors: Mapping[str, np.ndarray]) -> Kernel:
    """The fastest kernel that this machine has.

    Args:
        config: shape of the language model.
        tensors: its integers (`weights.tensor_specs`).

    Raises:
        CheckpointError: if the tensors do not fit, or could leave the range of exact arithmetic.
        ConfigError: if `RECODEC_NATIVE` asks for what is not there.
    """
    from .native_library import native_library

    library = native_library()
    if library is not None:
        from .native_kernel import NativeKernel

        return NativeKernel(library, config, tensors)
    from .network import ExactLM
    from .numpy_kernel import NumpyKernel

    return NumpyKernel(ExactLM(config, tensors))


def _batches(
    shapes: Sequence[tuple[int, ...]], *, same_frames: bool, limit: Callable[[int], int]
) -> Iterator[list[int]]:
    """Indices of packets of one K (and one F, where `same_frames`), the longest first; empty packets are left out.

    Args:
        shapes: (K, F) of each packet.
        same_frames: whether the packets of a batch must be of one length.
        limit: most packets of a batch, by the frames of its longest.
    """
    # The longest first, because streams that have ended leave a batch at its end (`ExactLM.push`).
    order = sorted((i for i, (k, f) in enumerate(shapes) if k and f), key=lambda i: shapes[i], reverse=True)
    batch: list[int] = []
    for i in order:
        if batch:
            first = shapes[batch[0]]
            alike = shapes[i] == first if same_frames else shapes[i][0] == first[0]
            if not alike or len(batch) >= limit(first[1]):
                yield batch
                batch = []
        batch.append(i)
    if batch:
        yield batch
