"""The kernels of the language model that this machine has, for tests that run with each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recodec.lm import native_library
from recodec.lm.coder import Kernel
from recodec.lm.config import CodeLMConfig
from recodec.lm.native.build import LIBRARY
from recodec.lm.native_kernel import NativeKernel
from recodec.lm.native_library import Library
from recodec.lm.network import ExactLM
from recodec.lm.numpy_kernel import NumpyKernel

BUILT = Path(native_library.__file__).parent / "native" / LIBRARY
LEVELS: list[str] = native_library.usable_levels(BUILT) if BUILT.is_file() else []
"""Compiled levels; none where the package was installed without a compiler."""

KERNELS = ["numpy", *LEVELS]


def make_kernel(name: str, config: CodeLMConfig, tensors: Mapping[str, np.ndarray]) -> Kernel:
    """One of `KERNELS`."""
    return NumpyKernel(ExactLM(config, tensors)) if name == "numpy" else native_kernel(name, config, tensors)


def native_kernel(level: str, config: CodeLMConfig, tensors: Mapping[str, np.ndarray]) -> NativeKernel:
    """One of `LEVELS`."""
    return NativeKernel(Library(BUILT, level), config, tensors)
