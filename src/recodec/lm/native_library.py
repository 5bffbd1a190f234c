"""The compiled kernel of `lm/native/`: where it lies, which of its sets of instructions is used, and whether it is right.

It is an ordinary shared library without a word of Python in it, so that one file serves every version of Python. Where
there is none, or where it counts otherwise than NumPy does, NumPy does the work.
"""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from ctypes import c_int32, c_size_t, c_void_p
from functools import lru_cache
from pathlib import Path

from ..errors import ConfigError

ENVIRONMENT = "RECODEC_NATIVE"
"""`0`: NumPy alone. The name of a level: that one alone. Otherwise the fastest that this processor has."""

LEVELS = ("avx512", "avx2", "sse2", "neon")
"""Sets of instructions that the kernel is compiled for, the fastest first."""

_FOLDER = Path(__file__).parent / "native"
_NAMES = {"win32": "kernel.dll", "darwin": "kernel.dylib"}

_FUNCTIONS = {
    "model_bytes": (c_size_t, [c_void_p]),
    "load": (c_int32, [c_void_p, c_void_p, c_void_p]),
    "state_bytes": (c_size_t, [c_void_p, c_int32, c_int32]),
    "start": (c_int32, [c_void_p, c_void_p, c_int32, c_int32]),
    "payload": (c_int32, [c_void_p, c_int32, c_void_p, c_size_t]),
    "decode": (c_int32, [c_void_p, c_void_p, c_int32, c_int32, c_int32, c_void_p]),
    "intervals": (c_int32, [c_void_p, c_void_p, c_int32, c_int32, c_int32, *[c_void_p] * 4]),
    "range_encode": (c_int32, [c_void_p, c_void_p, c_int32, c_void_p]),
}


class Library:
    """One level of a shared library.

    Args:
        path: of the library.
        level: of `LEVELS`.

    Raises:
        OSError: if it cannot be loaded, or has no such level.
    """

    def __init__(self, path: Path, level: str) -> None:
        self.level = level
        loaded = ctypes.CDLL(str(path))
        self._functions = {}
        for name, (result, arguments) in _FUNCTIONS.items():
            try:
                function = getattr(loaded, f"lm_{name}_{level}")
            except AttributeError as error:
                raise OSError(f"{path.name} has no lm_{name}_{level}") from error
            function.restype, function.argtypes = result, arguments
            self._functions[name] = function

    def call(self, name: str, *arguments: int | None) -> int:
        """Call `lm_<name>` of `native/kernel.c`, which says what it does. Pointers are addresses."""
        return self._functions[name](*arguments)
