"""Frames of MPEG audio: their headers, and the first one of an MP3, which tells of the others.

Headers are those of ISO/IEC 11172-3, section 2.4.1.3, and of 13818-3 for the lower rates. The fields of a telling frame
are those of Xing's and LAME's tags, and of Fraunhofer's VBRI.
"""

from __future__ import annotations

import struct
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
_LARGEST_STEP = 14  # of the bitrates
_SEARCH_BYTES = 1 << 16
_FRAMES, _BYTES, _CONTENTS, _QUALITY = 1, 2, 4, 8  # flags of a Xing frame: which fields it has

DECODER_DELAY = 529
"""Samples of layer III that libmpg123 drops, beside the encoder's delay, where a first frame tells the length."""


class MpegForm(NamedTuple):
    """What must not change within a file: rate in Hz, channels, layer, and samples of a frame."""

    rate_hz: int
    channels: int
    layer: int
    frame_samples: int


class Promise(NamedTuple):
    """What the first frame tells about the file. Such a frame has no audio.

    Attributes:
        frame: its bytes.
        frames, num_bytes: that follow, and of all frames with itself; `None` if it does not say.
        delay, padding: samples that decoding begins and ends with, and that are dropped.
        frames_at, bytes_at, delays_at: where the fields are in its bytes; `None` if they are not.
    """

    frame: bytes
    frames: int | None
    num_bytes: int | None
    delay: int = DECODER_DELAY
    padding: int = 0
    frames_at: int | None = None
    bytes_at: int | None = None
    delays_at: int | None = None


def frame_at(file: IO[bytes], place: int) -> tuple[MpegForm, int] | None:
    """The form and the size in bytes of the frame at a place, if there is one."""
    file.seek(place)
    return parse_frame(file.read(4))


def parse_frame(head: bytes) -> tuple[MpegForm, int] | None:
    """The form and the size in bytes of the frame that begins with four bytes, if one does."""
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
    return MpegForm(rate_hz, 1 if head[3] >> 6 == 3 else 2, layer, samples), size


def next_frame(file: IO[bytes], place: int, last: int | None = None) -> int | None:
    """Where the next frame begins that another of its form follows.

    Args:
        file: that can seek.
        place: to begin at.
        last: to go no further; to the end of the file by default.
    """
    while last is None or place <= last:
        file.seek(place)
        block = file.read(_SEARCH_BYTES)
        at = block.find(b"\xff")
        while 0 <= at <= len(block) - 4:
            found = parse_frame(block[at : at + 4])
            if found is not None:
                # Four bytes that look like a header occur in any data, so another frame of its form must follow.
                after = frame_at(file, place + at + found[1])
                if after is not None and after[0] == found[0]:
                    return place + at
            at = block.find(b"\xff", at + 1)
        if len(block) < _SEARCH_BYTES:
            return None
        place += len(block) - 3
    return None


def read_promise(frame: bytes) -> Promise | None:
    """What a frame promises, if it is one of those that tell of the others."""
    if frame[36:40] == b"VBRI":
        return Promise(frame, int.from_bytes(frame[50:54], "big"), int.from_bytes(frame[46:50], "big"))
    at = _tag_place(frame)
    if frame[at : at + 4] not in (b"Xing", b"Info"):
        return None
    flags, at = int.from_bytes(frame[at + 4 : at + 8], "big"), at + 8
    places: dict[int, int | None] = {}
    for flag, size in ((_FRAMES, 4), (_BYTES, 4), (_CONTENTS, 100), (_QUALITY, 4)):
        places[flag] = at if flags & flag else None
        at += size if flags & flag else 0
    # LAME's tag: after 21 bytes come 12 bits each of the delay and of the padding at the end.
    both = int.from_bytes(frame[at + 21 : at + 24], "big")
    delay, padding = both >> 12, both & 0xFFF
    return Promise(
        frame, _number(frame, places[_FRAMES]), _number(frame, places[_BYTES]), delay + DECODER_DELAY,
        max(0, padding - DECODER_DELAY), places[_FRAMES], places[_BYTES], at + 21 if both else None,
    )  # fmt: skip


def telling_frame(head: bytes, promise: Promise | None, frames: int, num_bytes: int) -> bytes:
    """A frame of layer III that tells how many frames follow, and how many bytes they have.

    Args:
        head: first four bytes of one of the frames.
        promise: that the file has already: it is corrected, and its delay is kept. Its padding is not, unless the frame
            counted itself: another number has another end.
        frames, num_bytes: to tell.
    """
    if promise is not None and promise.frames == frames:
        return promise.frame
    if promise is not None and promise.frames_at is not None:
        told = bytearray(promise.frame)
        told[promise.frames_at : promise.frames_at + 4] = struct.pack(">I", frames)
        if promise.bytes_at is not None:
            told[promise.bytes_at : promise.bytes_at + 4] = struct.pack(">I", num_bytes + len(told))
        if promise.delays_at is not None and promise.frames != frames + 1:
            told[promise.delays_at + 1] &= 0xF0
            told[promise.delays_at + 2] = 0
        return bytes(told)
    for step in range(1, 15):
        first = bytes([head[0], head[1] | 1, step << 4 | head[2] & 0x0C, head[3]])  # no checksum, no padding
        _, size = parse_frame(first) or (None, 0)
        at = _tag_place(first)
        if size >= at + 16:
            tag = struct.pack(">4sIII", b"Xing", _FRAMES | _BYTES, frames, num_bytes + size)
            return (first + bytes(at - 4) + tag).ljust(size, b"\0")
    raise AssertionError("the largest frame of every form of layer III has room for the fields")


def silent_frame(head: bytes, main: bytes) -> bytes:
    """A frame of layer III without sound.

    Args:
        head: first four bytes of a frame of the same form.
        main: last bytes of its main data, which it leaves for the frames after it; at most `most_reservoir`.
    """
    first = bytes([head[0], head[1] | 1, _LARGEST_STEP << 4 | head[2] & 0x0C, head[3] & 0xC0])
    _, size = parse_frame(first) or (None, 0)
    return first + bytes(size - 4 - len(main)) + main


def most_reservoir(form: MpegForm) -> int:
    """Bytes of main data before a frame of layer III that it can need."""
    return 511 if form.frame_samples == 1152 else 255


def main_data_begin(frame: bytes) -> int:
    """How many bytes before it the main data of a frame of layer III begin."""
    at = 4 + _checksum_bytes(frame)
    both = int.from_bytes(frame[at : at + 2], "big")
    return both >> 8 if _is_low(frame) else both >> 7


def main_data(frame: bytes) -> bytes:
    """The main data that a frame of layer III holds, of its own and of later frames."""
    return frame[_tag_place(frame) + _checksum_bytes(frame) :]


def _is_low(frame: bytes) -> bool:
    """Whether the rate is one of the lower ones, MPEG-2 or 2.5."""
    return frame[1] >> 3 & 3 != 3


def _checksum_bytes(frame: bytes) -> int:
    return 0 if frame[1] & 1 else 2


def _tag_place(frame: bytes) -> int:
    """Where a telling frame's own content begins: after the header and what is said of its audio."""
    mono = frame[3] >> 6 == 3
    return 4 + ((9 if mono else 17) if _is_low(frame) else (17 if mono else 32))


def _number(frame: bytes, at: int | None) -> int | None:
    return None if at is None else int.from_bytes(frame[at : at + 4], "big")
