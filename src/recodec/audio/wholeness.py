"""Is a file as long as its header says, and what in it is not sound?

libsndfile plays a file that was cut off as if it had been meant so, and tags around a recording confuse it.
"""

from __future__ import annotations

import os
from typing import IO, cast

from .containers import find_sound, id3_bytes, wav_form
from .spliced import Spliced

_MPEG_FORMS = (0x50, 0x55)  # of MPEG audio, and of its third layer
# Formats of which libsndfile takes all bytes to the end of the file for samples, and such forms of an IFF.
_ENDLESS = (b"riff", b"Crea", b"MATL", b"NIST", b"2BIT", b".snd", b"ALaw", b"\x01\x04")
_SAMPLED = (b"8SVX", b"16SV")
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


def sound_alone(file: IO[bytes], *, partial: bool) -> IO[bytes]:
    """The file without tags around it or bytes after its samples, and with their size where its header has a wrong one.

    Args:
        file: that can seek; it stands at its start, before and after.
        partial: whether a file that was cut off is to have the size of what is there.
    """
    file = _without_tags(file)
    sound, end = find_sound(file), _end(file)
    if sound is None:
        return file
    magic, there = file.read(4), end - sound.start
    file.seek(0)
    if sound.size is None:
        place, order = sound.start - 4, "little" if magic == b"RIFF" else "big"
        if magic in (b"RIFF", b"RIFX") and there > 0 and _bytes_at(file, place, 4) == bytes(4):
            return _patched(file, place, min(there, 0xFFFFFFFF).to_bytes(4, order), end)
    elif sound.size < there and (
        magic.startswith(_ENDLESS) or (magic == b"FORM" and _bytes_at(file, 8, 4) in _SAMPLED)
    ):
        return cast(IO[bytes], Spliced(file, [(0, sound.start + sound.size)]))
    elif sound.size > there and magic == b"caff" and partial:
        # libsndfile refuses a CAF that promises more than there is. Its size counts four bytes before the samples.
        return _patched(file, sound.start - 12, (there + 4).to_bytes(8, "big"), end)
    return file


def _without_tags(file: IO[bytes]) -> IO[bytes]:
    end = _end(file)
    start, stop = min(end, id3_bytes(file, 0)), end
    file.seek(start)
    if file.read(4).startswith(_TAGGED):
        file.seek(max(start, end - _ID3_V1_BYTES))
        stop -= _ID3_V1_BYTES if file.read(3) == b"TAG" else 0
    file.seek(0)
    return file if (start, stop) == (0, end) else cast(IO[bytes], Spliced(file, [(start, stop)]))


def _bytes_at(file: IO[bytes], place: int, count: int) -> bytes:
    file.seek(place)
    found = file.read(count)
    file.seek(0)
    return found


def _patched(file: IO[bytes], place: int, field: bytes, end: int) -> IO[bytes]:
    """The file with other bytes at a place."""
    return cast(IO[bytes], Spliced(file, [(0, place), field, (place + len(field), end)]))


def _end(file: IO[bytes]) -> int:
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    return end
