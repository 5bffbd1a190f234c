"""Frames of MPEG audio (MP1, MP2, MP3): what a walk over them finds, before the file is decoded.

libmpg123, which decodes them within libsndfile, stops at a change of form without a word, and before its version 1.32.8
a frame of another form could make it write outside of its memory (CVE-2024-10573). It also steps over damage, and plays
a file that was cut off as if it were whole. So files are looked through before it sees them; a damaged header that
reads as one of another form counts as a change.
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
_LARGEST_FRAME = 1441  # bytes
_DECODER_DELAY = (
    529  # samples that every decoder of layer III adds, and libmpg123 drops where the encoder's delay is told
)


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


class Promise(NamedTuple):
    """What the first frame tells of the file (Xing and VBRI headers).

    Attributes:
        num_bytes: of all frames.
        delay_samples: that decoding begins with, and that are dropped.
    """

    num_bytes: int
    delay_samples: int


class MpegSurvey(NamedTuple):
    """What a walk over the frames of a file found.

    Attributes:
        form: of the first frame.
        frames: whole ones, up to the first change of form.
        change: the first change of form, or `None`.
        foreign_bytes: between frames, that are not MPEG audio: damage, or tags in the middle.
        frames_before: the first of those bytes.
        promise: of the first frame, which then has no audio itself; or `None`.
        missing_share: of the promised bytes, from 0 (all are there) to 1.
    """

    form: MpegForm
    frames: int
    change: FormChange | None
    foreign_bytes: int
    frames_before: int
    promise: Promise | None
    missing_share: float

    @property
    def num_samples(self) -> int:
        """Samples that the whole frames decode to, but for those that the end of a file that is whole loses."""
        return self._samples_of(self.frames)

    def note(self, name: str) -> str | None:
        """One line on what is stepped over; `None` if there is nothing."""
        if not self.foreign_bytes:
            return None
        at_s = self._samples_of(self.frames_before) / self.form.rate_hz
        return (
            f"{name}: {self.foreign_bytes} bytes, the first at {at_s:.1f} s, are not MPEG audio, and are stepped over"
        )

    def _samples_of(self, frames: int) -> int:
        if self.promise is None:
            return frames * self.form.frame_samples
        return max(0, (frames - 1) * self.form.frame_samples - self.promise.delay_samples)


def survey_mpeg(file: IO[bytes], start: int = 0) -> MpegSurvey | None:
    """Walk over the frames of a file; `None` if it is not MPEG audio.

    What was found of a file on disk is remembered, since training opens the same ones again and again.

    Args:
        file: that can seek; it stands at its start, before and after.
        start: where the frames, or tags before them, begin.
    """
    key = _identity(file)
    if key is not None and key in _found:
        return _found[key]
    try:
        survey = _walked(file, start)
    finally:
        file.seek(0)
    if key is not None:
        _found[key] = survey
        if len(_found) > _REMEMBERED:
            _found.popitem(last=False)
    return survey


_found: OrderedDict[tuple[int, ...], MpegSurvey | None] = OrderedDict()


def _identity(file: IO[bytes]) -> tuple[int, ...] | None:
    """What tells a file on disk from others, and from itself after a change."""
    try:
        about = os.fstat(file.fileno())
    except (AttributeError, OSError, ValueError):
        return None
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def _walked(file: IO[bytes], start: int) -> MpegSurvey | None:
    place = _after_tags(file, start)
    first = None if place is None else _frame(file, place)
    if place is None or first is None:
        return None
    promise, missing = _kept_promise(file, place, first)
    end, change = file.seek(0, os.SEEK_END), None
    form, frames, foreign, before = first[0], 0, 0, 0
    while place is not None:
        found = _frame(file, place)
        if found is None:
            after = _next_frame(file, place + 1)
            if after is not None:
                before = before if foreign else frames
                foreign += after - place
            place = after
            continue
        if found[0] != form:
            change = FormChange(frames * form.frame_samples, form, found[0])
            break
        place += found[1]
        frames += place <= end
    return MpegSurvey(form, frames, change, foreign, before, promise, missing)


def _kept_promise(file: IO[bytes], place: int, first: tuple[MpegForm, int]) -> tuple[Promise | None, float]:
    """What the first frame promises, and the share of it that is missing."""
    file.seek(place)
    promise = _promise(file.read(first[1]))
    there = file.seek(0, os.SEEK_END) - place
    # Encoders do not agree on whether the first frame counts, and the last one may be padded.
    if promise is None or there >= promise.num_bytes - 2 * _LARGEST_FRAME:
        return promise, 0.0
    return promise, 1 - there / promise.num_bytes


def _promise(frame: bytes) -> Promise | None:
    """What a frame promises, if it is one of those that tell of the others."""
    if frame[36:40] == b"VBRI":
        return Promise(int.from_bytes(frame[46:50], "big"), 0)
    low, mono = frame[1] >> 3 & 3 != 3, frame[3] >> 6 == 3
    at = 4 + ((9 if mono else 17) if low else (17 if mono else 32))
    flags = int.from_bytes(frame[at + 4 : at + 8], "big")
    if frame[at : at + 4] not in (b"Xing", b"Info") or not flags & 2:
        return None
    num_bytes = int.from_bytes(frame[at + 8 + 4 * (flags & 1) :][:4], "big")
    # LAME's tag: its delay is the first 12 of the 24 bits after 21 bytes.
    tag = frame[at + 8 + 4 * (flags & 1) + 4 + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1) :]
    delay = int.from_bytes(tag[21:23], "big") >> 4
    return Promise(num_bytes, delay + _DECODER_DELAY if delay else 0)


def _after_tags(file: IO[bytes], start: int) -> int | None:
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
