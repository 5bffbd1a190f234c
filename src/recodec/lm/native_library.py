"""The compiled kernel of `lm/native/`: where it lies, which instructions it uses, and whether it is right.

It is an ordinary shared library without a word of Python in it, so that one file serves every version of Python. Where
there is none, or where it counts otherwise than NumPy does, NumPy does the work: slower, with the same bytes.
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
from .native_probe import probe

ENVIRONMENT = "RECODEC_NATIVE"
"""`0`: NumPy alone. The name of a level: that one alone. Otherwise the fastest that this processor has."""

LEVELS = ("avx512vnni", "avx512", "avx2", "sse2", "neon")
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


def native_library() -> Library | None:
    """The fastest level that this machine runs and that counts as NumPy does; `None`: NumPy does the work.

    Raises:
        ConfigError: if `RECODEC_NATIVE` names a level that is not there, or is wrong.
    """
    wanted = os.environ.get(ENVIRONMENT, "")
    return None if wanted == "0" else _best(wanted)


@lru_cache(maxsize=1)
def _best(wanted: str) -> Library | None:
    path = _FOLDER / _NAMES.get(sys.platform, "kernel.so")
    if not path.is_file():
        if wanted:
            raise ConfigError(f"{ENVIRONMENT} is {wanted!r}, and Recodec was installed without a compiled kernel")
        return None
    try:
        usable = usable_levels(path)
    except OSError as error:
        return _without(f"cannot be loaded ({error})", wanted)
    levels = [level for level in LEVELS if level in usable and wanted in ("", level)]
    if not levels:
        raise ConfigError(f"{ENVIRONMENT} must be 0 or one of {', '.join(usable)} on this machine, not {wanted!r}")
    for level in levels:
        try:
            library = Library(path, level)
        except OSError as error:
            return _without(f"cannot be loaded ({error})", wanted)
        if probe(library):
            return library
        _without(f"counts wrongly on this machine ({level})", wanted)
    return None


def _without(reason: str, wanted: str) -> None:
    """Go on without a level; where it was asked for by name, that is an error.

    Raises:
        ConfigError: then.
    """
    if wanted:
        raise ConfigError(f"{ENVIRONMENT} is {wanted!r}, and that kernel of the language model {reason}")
    warnings.warn(
        f"the compiled kernel of the language model {reason}; a slower one is used", RuntimeWarning, stacklevel=4
    )


def usable_levels(path: Path) -> list[str]:
    """Levels that this processor runs, as the library tells; the fastest first."""
    try:
        levels = ctypes.CDLL(str(path)).lm_levels
    except AttributeError as error:
        raise OSError(f"{path.name} is not a kernel of Recodec") from error
    levels.restype, levels.argtypes = c_int32, []
    bits = levels()
    return [level for i, level in enumerate(LEVELS) if bits >> i & 1]
