"""Frames of MPEG audio (MP1, MP2, MP3): does a file keep one form from its first frame to its last? Is all of it there?

libmpg123, which decodes them within libsndfile, stops at a change without a word, and before its version 1.32.8 a frame
of another form could make it write outside of its memory (CVE-2024-10573). So files are looked through before it sees
them; a damaged header that reads as one of another form counts as a change.
Headers are those of ISO/IEC 11172-3, section 2.4.1.3, and of 13818-3 for the lower rates.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from typing import IO, NamedTuple

_KBPS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_SEARCH_BYTES = 1 << 16
_REMEMBERED = 4096
_TOLD_WITHIN, _LARGEST_FRAME = 64, 1441  # bytes


class MpegForm(NamedTuple):
    """What must not change within a file: rate in Hz, channels, and samples of a frame."""

    rate_hz: int
    channels: int
    frame_samples: int


class FormChange(NamedTuple):
    """Where a file takes another form: samples before it, at the first form's rate."""

    num_samples: int
    before: MpegForm
    after: MpegForm


def change_of_form(file: IO[bytes], start: int = 0) -> FormChange | None:
    """The first change of form in a file of MPEG audio; `None` if there is none, or the file is not MPEG audio.

    What was found of a file on disk is remembered, since training opens the same ones again and again.

    Args:
        file: that can seek; it stands at its start, before and after.
        start: where the frames, or tags before them, begin.
    """
    key = _identity(file)
    if key is not None and key in _found:
        return _found[key]
    try:
        change = _walked(file, start)
    finally:
        file.seek(0)
    if key is not None:
        _found[key] = change
        if len(_found) > _REMEMBERED:
            _found.popitem(last=False)
    return change


def missing_share_of_mpeg(file: IO[bytes]) -> float:
    """The share of a file of MPEG audio that is missing, from 0 to 1.

    The first frame may tell the length in bytes (Xing and VBRI headers); where it does not, this is 0.

    Args:
        file: that can seek; it stands at its start, before and after.
    """
    place = _after_tags(file)
    found = None if place is None else _frame(file, place)
    share = 0.0
    if place is not None and found is not None:
        file.seek(place)
        promised = _promised_bytes(file.read(_TOLD_WITHIN))
        there = file.seek(0, os.SEEK_END) - place
        # Encoders do not agree on whether that first frame counts, and the last one may be padded.
        if promised is not None and there < promised - 2 * _LARGEST_FRAME:
            share = 1 - there / promised
    file.seek(0)
    return share


def _promised_bytes(frame: bytes) -> int | None:
    """The length of all frames that the first one tells."""
    if frame[36:40] == b"VBRI":
        return int.from_bytes(frame[46:50], "big")
    low, mono = frame[1] >> 3 & 3 != 3, frame[3] >> 6 == 3
    at = 4 + ((9 if mono else 17) if low else (17 if mono else 32))
    flags = int.from_bytes(frame[at + 4 : at + 8], "big")
    if frame[at : at + 4] not in (b"Xing", b"Info") or not flags & 2:
        return None
    at += 8 + 4 * (flags & 1)
    return int.from_bytes(frame[at : at + 4], "big")


_found: OrderedDict[tuple[int, ...], FormChange | None] = OrderedDict()


def _identity(file: IO[bytes]) -> tuple[int, ...] | None:
    """What tells a file on disk from others, and from itself after a change."""
    try:
        about = os.fstat(file.fileno())
    except (AttributeError, OSError, ValueError):
        return None
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def _walked(file: IO[bytes], start: int) -> FormChange | None:
    place = _after_tags(file, start)
    if place is None:
        return None
    first, frames = None, 0
    while (found := _frame(file, place)) is not None or (place := _next_frame(file, place + 1)) is not None:
        if found is None:
            continue
        form, size = found
        first = first or form
        if form != first:
            return FormChange(frames * first.frame_samples, first, form)
        frames += 1
        place += size
    return None


def _after_tags(file: IO[bytes], start: int = 0) -> int | None:
    """Where the first frame is; `None` if the file is not MPEG audio."""
    place = start
    for _ in range(16):
        file.seek(place)
        head = file.read(10)
        if head[:3] != b"ID3" or len(head) < 10:
            break
        # The size of an ID3 tag has seven bits a byte.
        place += 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    if _frame(file, place) is not None:
        return place
    return _next_frame(file, place) if place > start else None


def _frame(file: IO[bytes], place: int) -> tuple[MpegForm, int] | None:
    """The form and the size in bytes of the frame at a place, if there is one."""
    file.seek(place)
    return _parsed(file.read(4))


def _parsed(head: bytes) -> tuple[MpegForm, int] | None:
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer, step, rate = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3), head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or step in (0, 15) or rate == 3:  # of no form, or of a bitrate that is not said
        return None
    bits = 1000 * _KBPS[1 if version == 3 else 2, layer][step - 1]
    rate_hz, padding = _RATES_HZ[version][rate], head[2] >> 1 & 1
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    # Sizes are counted in slots, of 4 bytes in layer I, and rounded down to whole ones before the padding.
    slot = 4 if layer == 1 else 1
    size = (samples // 8 // slot * bits // rate_hz + padding) * slot
    return MpegForm(rate_hz, 1 if head[3] >> 6 == 3 else 2, samples), size


def _next_frame(file: IO[bytes], place: int) -> int | None:
    """Where the next frame begins that another of its form follows."""
    file.seek(place)
    block = file.read(_SEARCH_BYTES)
    at = block.find(b"\xff")
    while at >= 0:
        found = _parsed(block[at : at + 4])
        if found is not None:
            # Four bytes that look like a header occur in any data, so another frame of its form must follow.
            after = _frame(file, place + at + found[1])
            if after is not None and after[0] == found[0]:
                return place + at
        at = block.find(b"\xff", at + 1)
    return None
