"""Files of libsndfile, which calls back to Python for their bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, Any, TypeVar, cast

import numpy as np
import soundfile

from ..interruptions import interruptions_held
from .mixing import mask_of
from .spliced import Spliced

T = TypeVar("T")

WRITE_SAMPLES = 2**14
"""The most that is written at once: the Vorbis encoder overflows its stack on long writes (libsndfile issue 1095)."""

_TAG = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10)  # empty; libsndfile does not find the end of a shorter one
_UNRECOGNISED = 1  # libsndfile's number of this error
_OF_RESOURCE_FORKS = [
    f"Error : bad {field}."
    for field in ("data offset", "map offset", "data length", "map length", "resource fork", "sample size")
]

_OF_VORBIS = {
    3: (0, 2, 1), 5: (0, 2, 1, 3, 4), 6: (0, 2, 1, 5, 3, 4), 7: (0, 2, 1, 6, 5, 3, 4), 8: (0, 2, 1, 7, 5, 6, 3, 4),
}  # fmt: skip
"""By number of channels: where those of WAV's order are in Vorbis's, which Opus shares (RFC 7845, section 5.1.1.2)."""

_CHANNEL_MAP = 0x1100  # the command that asks for it, of sndfile.h
_PLACES = dict(enumerate(["FL", "FR", "FC", "FL", "FR", "FC", "BC", "BL", "BR", "LFE", "FLC", "FRC", "SL", "SR"], 2))
"""Places of loudspeakers by their numbers in such a map."""


class SndFile(soundfile.SoundFile):
    """A file that libsndfile reads or writes by way of a Python file.

    It is never sought but by `seek`: soundfile seeks to where it stands after each read, which throws away the bit
    reservoir of MP3s, and fails at the end of a FLAC of unknown length. Ctrl-C comes between its calls. Channels are
    read in the order of WAV files.

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
        self._order: tuple[int, ...] | None = None
        if rate_hz is None:
            self._guarded = _Guarded(_with_tag(file))
            self._open_to_read()
            return
        self._guarded = _Guarded(file)
        with interruptions_held():
            super().__init__(cast(Any, self._guarded), "w", rate_hz, channels, subtype, format=format)

    def _open_to_read(self) -> None:
        """Open it, but not as a Sound Designer II file.

        Of other bytes than it knows, libsndfile takes a file `._` in the current folder for the Macintosh resource
        fork, since that is the name of the fork of a file without a name, and then reads the bytes by it.
        """
        try:
            with interruptions_held():
                super().__init__(cast(Any, self._guarded), "r")
        except soundfile.LibsndfileError as error:
            if error.error_string in _OF_RESOURCE_FORKS:
                raise soundfile.LibsndfileError(_UNRECOGNISED) from error
            raise
        if self.format == "SD2":
            self.close()
            raise soundfile.LibsndfileError(_UNRECOGNISED)
        if self.subtype in ("VORBIS", "OPUS"):
            self._order = _OF_VORBIS.get(self.channels)
        if self.subtype == "OPUS":
            self.seek(0)  # without it, libsndfile does not drop the samples before the first of some files

    @property
    def places(self) -> int:
        """The mask of loudspeakers, as a WAV has it, that the file tells; 0 if it tells none in the order of WAV."""
        found = soundfile._ffi.new("int[]", self.channels)
        size = soundfile._ffi.sizeof("int") * self.channels
        soundfile._snd.sf_command(self._file, _CHANNEL_MAP, found, size)  # of AIFF, it gives other numbers
        return mask_of([_PLACES.get(number, "") for number in found])

    def _ordered(self, samples: np.ndarray) -> np.ndarray:
        return samples if self._order is None else samples[:, self._order]

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
            return self._ordered(super().read(frames, *args, **kwargs))

    def read_to_damage(self, frames: int) -> tuple[np.ndarray, soundfile.LibsndfileError | None]:
        """Read (T, C) float32 samples, T up to `frames`, and the error that ended it if one did.

        libsndfile tells the number of samples before an error, but soundfile does not: so they are marked beforehand.
        """
        block = np.full((frames, self.channels), np.nan, np.float32)
        try:
            return self.read(out=block), None
        except soundfile.LibsndfileError as error:
            unread = np.isnan(block).any(axis=1)
            return self._ordered(block[: int(unread.argmax()) if unread.any() else frames]), error

    def write(self, data: Any) -> None:
        for start in range(0, len(data), WRITE_SAMPLES):
            with interruptions_held():
                super().write(data[start : start + WRITE_SAMPLES])

    def close(self) -> None:
        with interruptions_held():
            super().close()


def _with_tag(file: IO[bytes]) -> IO[bytes]:
    """The file with an empty tag in front if it begins with a frame of MPEG audio.

    libsndfile looks for such a frame at once after a tag, but otherwise only after it has looked for a resource fork.
    """
    front = file.read(2)
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if len(front) < 2 or front[0] != 0xFF or front[1] < 0xE0:
        return file
    return cast(IO[bytes], Spliced(file, [_TAG, (0, size)]))


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
