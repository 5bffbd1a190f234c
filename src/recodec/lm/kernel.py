"""What codes packets with a language model: NumPy (`numpy_kernel.py`) or C (`native_kernel.py`), to equal bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from .config import CodeLMConfig


class Kernel(Protocol):
    """Codes batches of packets that have as many codebooks each, none of them empty. `coder.py` checks the arguments.

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
