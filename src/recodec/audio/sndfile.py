"""Files of libsndfile, which calls back to Python for their bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, Any, TypeVar, cast

import numpy as np
import soundfile

from ..interruptions import interruptions_held

T = TypeVar("T")

WRITE_SAMPLES = 2**14
"""The most that is written at once: the Vorbis encoder overflows its stack on long writes (libsndfile issue 1095)."""


class SndFile(soundfile.SoundFile):
    """A file that libsndfile reads or writes by way of a Python file.

    It is never sought but by `seek`: soundfile seeks to where it stands after each read, which throws away the bit
    reservoir of MP3s, and fails at the end of a FLAC of unknown length. Ctrl-C comes between its calls.

    Args:
        file: that can seek.
        rate_hz, channels, subtype, format: of a file that is written; see `soundfile.SoundFile`.

    Raises:
        soundfile.LibsndfileError: if libsndfile does not know the format, or cannot write it so.
    """

    def __init__(
        self,
        file: IO[bytes],
        rate_hz: int | None = None,
        channels: int | None = None,
        subtype: str | None = None,
        format: str | None = None,
    ) -> None:
        self._guarded = _Guarded(file)
        mode = "r" if rate_hz is None else "w"
        with interruptions_held():
            super().__init__(cast(Any, self._guarded), mode, rate_hz, channels, subtype, format=format)

    @property
    def file_error(self) -> OSError | ValueError | None:
        """The first error of the Python file, of which libsndfile cannot tell."""
        return self._guarded.error

    def seekable(self) -> bool:
        return False

    def seek(self, frames: int, whence: int = os.SEEK_SET) -> int:
        with interruptions_held():
            return super().seek(frames, whence)

    def read(self, frames: int = -1, *args: Any, **kwargs: Any) -> Any:
        with interruptions_held():
            return super().read(frames, *args, **kwargs)

    def read_to_damage(self, frames: int) -> tuple[np.ndarray, soundfile.LibsndfileError | None]:
        """Read (T, C) float32 samples, T up to `frames`, and the error that ended it if one did.

        libsndfile tells the number of samples before an error, but soundfile does not: so they are marked beforehand.
        """
        block = np.full((frames, self.channels), np.nan, np.float32)
        try:
            return self.read(out=block), None
        except soundfile.LibsndfileError as error:
            unread = np.isnan(block).any(axis=1)
            return block[: int(unread.argmax()) if unread.any() else frames], error

    def write(self, data: Any) -> None:
        for start in range(0, len(data), WRITE_SAMPLES):
            with interruptions_held():
                super().write(data[start : start + WRITE_SAMPLES])

    def close(self) -> None:
        with interruptions_held():
            super().close()


class _Guarded:
    """A binary file for libsndfile, whose callbacks cannot raise: the first error is kept for later.

    It has no name on purpose: libsndfile then goes by the content and not by the suffix, so that
    text called `.vox` is not taken for samples.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.error: OSError | ValueError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        # A damaged header may ask for a place before the start.
        return self._kept(lambda: self._file.seek(offset, whence), self.tell)

    def tell(self) -> int:
        return self._kept(self._file.tell, lambda: 0)

    def read(self, count: int = -1) -> bytes:
        return self._kept(lambda: self._file.read(count), bytes)

    def write(self, content: bytes) -> int:
        return self._kept(lambda: self._file.write(content), lambda: 0)

    def _kept(self, call: Callable[[], T], instead: Callable[[], T]) -> T:
        """What a call gives, or something else where it fails; a file that is closed raises `ValueError`."""
        try:
            return call()
        except (OSError, ValueError) as error:
            self.error = self.error or error
            return instead()
