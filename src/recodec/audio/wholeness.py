"""Is a file as long as its header says, and what in it is not sound?

libsndfile plays a file that was cut off as if it had been meant so, and tags around a recording confuse it.
"""

from __future__ import annotations

import os
from typing import IO, cast

from .containers import find_sound, wav_form
from .mpeg import id3_bytes
from .spliced import Spliced

_MPEG_FORMS = (0x50, 0x55)  # of MPEG audio, and of its third layer
_ENDLESS = (b"riff", b"Crea")  # formats of which libsndfile takes all bytes to the end of the file for samples
_TAGGED = (b"fLaC", b"wvpk", b"TTA1", b"MAC ", b"\x0bw")  # those that do not say where they end, but for tags
_ID3_V1_BYTES = 128


def missing_share(file: IO[bytes]) -> float:
    """The share of a file's sound that is missing, by its header: from 0 (all is there) to 1.

    `containers.py` has the formats that say it; of MP3s, `survey_mpeg` knows it. Others notice a missing end when they
    are decoded, or do not know their length; for them it is 0.

    Args:
        file: that can seek; it stands at its start, before and after.
    """
    sound, end = find_sound(file), _end(file)
    if sound is None or sound.size is None or sound.start + sound.size <= end:
        return 0.0
    return 1 - max(0, end - sound.start) / sound.size


def start_of_mpeg(file: IO[bytes]) -> int:
    """Where MPEG audio would begin in a file: in a WAV of it at the samples, else at the start.

    Args:
        file: that can seek; it stands at its start, before and after.
    """
    is_mpeg = wav_form(file) in _MPEG_FORMS
    file.seek(0)
    sound = find_sound(file) if is_mpeg else None
    return 0 if sound is None else sound.start


def sound_alone(file: IO[bytes]) -> IO[bytes]:
    """The file without tags in front of it and after it, or bytes after its samples, and with their size in its header.

    Args:
        file: that can seek; it stands at its start, before and after.
    """
    stop = _end(file)
    start = min(stop, id3_bytes(file, 0))
    file.seek(start)
    magic = file.read(4)
    if magic.startswith(_TAGGED):
        file.seek(max(start, stop - _ID3_V1_BYTES))
        stop -= _ID3_V1_BYTES if file.read(3) == b"TAG" else 0
    file.seek(0)
    if start or stop < _end(file):
        file = cast(IO[bytes], Spliced(file, [(start, stop)]))
    sound, end = find_sound(file), _end(file)
    if sound is None:
        return file
    if magic in _ENDLESS and sound.size is not None and sound.start + sound.size < end:
        return cast(IO[bytes], Spliced(file, [(0, sound.start + sound.size)]))
    if magic in (b"RIFF", b"RIFX") and sound.size is None and sound.start < end:
        place = sound.start - 4
        file.seek(place)
        if file.read(4) == bytes(4):
            size = min(end - sound.start, 0xFFFFFFFF).to_bytes(4, "little" if magic == b"RIFF" else "big")
            file = cast(IO[bytes], Spliced(file, [(0, place), size, (sound.start, end)]))
        file.seek(0)
    return file


def with_size_of_what_is_there(file: IO[bytes]) -> IO[bytes]:
    """A CAF that was cut off, with a header that knows: libsndfile refuses one that promises more than there is."""
    sound, end = find_sound(file), _end(file)
    if sound is None or sound.size is None or file.read(4) != b"caff" or sound.start + sound.size <= end:
        file.seek(0)
        return file
    place = sound.start - 12  # of the chunk's size, which counts the four bytes before its samples
    size = (end - sound.start + 4).to_bytes(8, "big")
    return cast(IO[bytes], Spliced(file, [(0, place), size, (place + 8, end)]))


def _end(file: IO[bytes]) -> int:
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    return end
