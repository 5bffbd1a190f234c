"""Where the sound of a file lies, by what its headers say: from which byte on, and how many bytes it has."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from itertools import islice
from typing import IO, Literal, NamedTuple

from .voc import END_BLOCK, LAST_KIND, VOC_MAGIC, voc_blocks
from .wav import LIKELY_UNKNOWN, UNLIKELY

_MAX_CHUNKS = 10_000
_UNKNOWN = frozenset({0, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1})
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_AC3_SYNC, _AC3_HEAD = b"\x0b\x77", 6
_AC3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_AC3_RATES_HZ = (48_000, 44_100, 32_000)
_MAT4_FIRST, _MAT4_BYTES = b"samplerate\0", (8, 4, 4, 2, 2, 1)
_MAT5_MATRIX, _MAT5_LAST_KIND = 14, 18
_SDS, _SDS_NEXT = b"\xf0\x7e", b"\xf7\xf0"  # of MIDI's Sample Dump Standard: packets of 127 bytes
_WVE, _MPC2K = b"ALawSoundFile**\0", b"\x01\x04"
_ASF, _ASF_HEAD_BYTES = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), 1 << 16
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_MP4_BOXES = frozenset({
    b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid", b"moof", b"mfra", b"sidx", b"ssix", b"styp",
    b"meta", b"udta", b"emsg", b"prft", b"pdin", b"imda",
})  # fmt: skip
_TS_SYNC, _TS_PACKET = b"\x47", 188
_MATROSKA, _SEGMENT = 0x1A45DFA3, 0x18538067


class Sound(NamedTuple):
    """Where the sound of a file lies.

    Attributes:
        start: its first byte.
        size: in bytes; `None` if the header does not know it.
    """

    start: int
    size: int | None


def find_sound(file: IO[bytes]) -> Sound | None:
    """What the header says; `None` of a format that does not say it, or is not known here.

    Args:
        file: that can seek; it stands at its start, before and after.
    """
    front = file.read(128)
    end = file.seek(0, os.SEEK_END)
    try:
        start, size = next(_sound(file, front, end), (0, 0))
    finally:
        file.seek(0)
    if not start and not size:
        return None
    return Sound(start, None if size in _UNKNOWN or size >= UNLIKELY else size)


def wav_form(file: IO[bytes]) -> int:
    """The number of the form of a WAV's samples (1 for whole numbers); 0 of other files. The file stands anywhere."""
    file.seek(0)
    front = file.read(12)
    if front[:4] != b"RIFF" or front[8:] != b"WAVE":
        return 0
    for place, size in _chunks(file, 12, file.seek(0, os.SEEK_END), "<4sI", b"fmt ", even=True):
        file.seek(place)
        return int.from_bytes(file.read(min(2, size)), "little")
    return 0


def id3_bytes(file: IO[bytes], place: int) -> int:
    """The size of an ID3v2 tag at a place; 0 if there is none."""
    file.seek(place)
    head = file.read(10)
    if len(head) < 10 or head[:3] != b"ID3":
        return 0
    # The size has seven bits a byte, and counts neither the head nor a foot, which a flag tells of.
    size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _sound(file: IO[bytes], front: bytes, end: int) -> Iterator[tuple[int, int]]:
    magic, kind = front[:4], front[8:12]
    if magic in (b"RIFF", b"RIFX", b"RF64", b"BW64") and kind == b"WAVE":
        yield from _wav(file, end, ">" if magic == b"RIFX" else "<")
    elif magic == b"RIFF" and kind == b"AVI ":
        yield 8, int.from_bytes(front[4:8], "little")
    elif magic == b"DSD " and len(front) >= 28:
        yield 28, max(0, int.from_bytes(front[12:20], "little") - 28)
    elif front.startswith(_ASF):
        yield from _asf(file)
    elif magic == b"FORM" and kind in (b"AIFF", b"AIFC"):
        yield from _after(8, _chunks(file, 12, end, ">4sI", b"SSND", even=True))
    elif magic == b"FORM" and kind in (b"8SVX", b"16SV"):
        yield from _chunks(file, 12, end, ">4sI", b"BODY", even=True)
    elif magic == b".snd" and len(front) >= 12:
        yield struct.unpack_from(">II", front, 4)
    elif magic == b"caff":
        yield from _after(4, _chunks(file, 8, end, ">4sQ", b"data", even=False))
    elif magic == b"riff":
        yield from _chunks(file, 40, end, "<16sQ", _W64_DATA, even=False, counts_itself=True)
    elif front.startswith(b"NIST_1A"):
        yield from _nist(file)
    elif front.startswith(VOC_MAGIC):
        yield from _voc(file, end, int.from_bytes(front[20:22], "little"))
    elif magic == b"2BIT" and len(front) >= 128:
        channels, bits = (2 if front[12:14] != b"\0\0" else 1), int.from_bytes(front[14:16], "big")
        yield 128, int.from_bytes(front[26:30], "big") * channels * bits // 8
    elif int.from_bytes(magic, "big") == _MATROSKA:
        yield from _matroska(file, end)
    elif front[4:8] == b"ftyp":
        yield from _mp4(file, end)
    elif front.startswith(b"MATLAB 5.0") and len(front) >= 128:
        yield from _mat5(file, end, "little" if front[126:] == b"IM" else "big")
    elif front[20:31] == _MAT4_FIRST:
        yield from _mat4(front)
    elif front.startswith(_WVE) and len(front) >= 22:
        yield 32, int.from_bytes(front[18:22], "big")
    elif front[:2] == _SDS and front[20:22] == _SDS_NEXT and 8 <= front[6] <= 28:
        samples = front[10] | front[11] << 7 | front[12] << 14
        yield 21, 127 * -(-samples // (60 if front[6] <= 14 else 40 if front[6] <= 21 else 30))
    elif front[:2] == _MPC2K and len(front) >= 42 and front[21] < 2:
        yield 42, int.from_bytes(front[30:34], "little") * 2 * (1 + front[21])
    elif front[:2] == _AC3_SYNC:
        yield from _ac3(file, end)
    elif front[:1] == _TS_SYNC and end > 2 * _TS_PACKET:
        yield from _transport(file, end)


def _after(front: int, chunks: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The samples of chunks that begin with so many bytes of something else."""
    for start, size in chunks:
        yield start + front, size if size in _UNKNOWN else max(0, size - front)


def _wav(file: IO[bytes], end: int, order: str) -> Iterator[tuple[int, int]]:
    wide = next(_chunks(file, 12, end, order + "4sI", b"ds64", even=True), None)
    for start, size in _chunks(file, 12, end, order + "4sI", b"data", even=True):
        if size >= LIKELY_UNKNOWN:
            size = 0
            if wide is not None:
                file.seek(wide[0] + 8)
                size = int.from_bytes(file.read(8), "little")
        yield start, size
        return


def _chunks(
    file: IO[bytes], place: int, end: int, form: str, wanted: bytes, *, even: bool, counts_itself: bool = False
) -> Iterator[tuple[int, int]]:
    """Contents of the first chunk of a kind: (start, size)."""
    head = struct.calcsize(form)
    for _ in range(_MAX_CHUNKS):
        if place + head > end:
            return
        file.seek(place)
        kind, size = struct.unpack(form, file.read(head))
        size = max(0, size - head) if counts_itself else size
        if kind == wanted:
            yield place + head, size
            return
        place += head + size + (size % 2 if even else -size % 8 if counts_itself else 0)


def _nist(file: IO[bytes]) -> Iterator[tuple[int, int]]:
    """NIST SPHERE: a header of text, whose size is its second line."""
    file.seek(0)
    text = file.read(1 << 16)
    fields = dict(re.findall(rb"^(\w+) -(?:i|s\d+) (\d{1,18})\s*$", text, re.MULTILINE))
    numbers = [int(fields.get(name, b"0")) for name in (b"sample_count", b"channel_count", b"sample_n_bytes")]
    start = re.match(rb"NIST_1A\s+(\d{1,9})\s", text)
    if start is not None and all(numbers):
        yield int(start[1]), numbers[0] * numbers[1] * numbers[2]


def _voc(file: IO[bytes], end: int, start: int) -> Iterator[tuple[int, int]]:
    """Creative Voice: blocks, up to one that ends them."""
    for kind, begin, stop in islice(voc_blocks(file, start), _MAX_CHUNKS):
        if kind == END_BLOCK:
            yield start, begin + 1 - start
        elif kind > LAST_KIND:  # what comes after the recording
            yield start, begin - start
        elif stop > end:
            yield start, stop - start


def _asf(file: IO[bytes]) -> Iterator[tuple[int, int]]:
    """Advanced Systems Format: the size of the file is among its properties, but for a live stream."""
    file.seek(0)
    head = file.read(_ASF_HEAD_BYTES)
    at = head.find(_ASF_PROPERTIES)
    if at >= 0 and len(head) >= at + 92 and not head[at + 88] & 1:
        yield len(_ASF), max(0, int.from_bytes(head[at + 40 : at + 48], "little") - len(_ASF))


def _mat4(front: bytes) -> Iterator[tuple[int, int]]:
    """MATLAB 4, as libsndfile writes it: a matrix with the rate, and one with the samples."""
    order = "<" if front[:4] == bytes(4) else ">"
    if len(front) < 68:
        return
    kind, rows, columns, _, name = struct.unpack_from(f"{order}5I", front, 39)
    if kind // 10 % 10 < len(_MAT4_BYTES):
        yield 59 + name, rows * columns * _MAT4_BYTES[kind // 10 % 10]


def _mat5(file: IO[bytes], end: int, order: Literal["little", "big"]) -> Iterator[tuple[int, int]]:
    """MATLAB 5: matrices of elements, of which the last one is the samples, as libsndfile writes it."""
    place, found = 128, (0, 0)
    for _ in range(_MAX_CHUNKS):
        if place + 8 > end:
            break
        file.seek(place)
        kind, size = (int.from_bytes(file.read(4), order) for _ in range(2))
        if not 1 <= kind & 0xFFFF <= _MAT5_LAST_KIND:  # something after the matrices
            break
        place += 8
        if kind != _MAT5_MATRIX and kind < 1 << 16:  # larger ones hold four bytes within the eight
            found = place, size
            place += size + -size % 8
    yield found


def _ac3(file: IO[bytes], end: int) -> Iterator[tuple[int, int]]:
    """AC-3 and E-AC-3 (ATSC A/52, sections 5.4.1 and E.1.2.2): frames to the end of the file."""
    place = 0
    while place < end:
        file.seek(place)
        head = file.read(_AC3_HEAD)
        if len(head) < _AC3_HEAD:
            place += _AC3_HEAD
            break
        size = _ac3_frame_bytes(head)
        if not size:  # a tag, or damage, at which FFmpeg looks
            return
        place += size
    yield 0, place


def _ac3_frame_bytes(head: bytes) -> int:
    """The size of a frame by its first bytes; 0 if they are not those of one."""
    if head[:2] != _AC3_SYNC:
        return 0
    if head[5] >> 3 > 10:  # E-AC-3
        return 2 * (((head[2] & 7) << 8 | head[3]) + 1)
    rate, step = head[4] >> 6, head[4] & 0x3F
    if rate == 3 or step // 2 >= len(_AC3_KBPS):
        return 0
    return 2 * (96_000 * _AC3_KBPS[step // 2] // _AC3_RATES_HZ[rate] + (step & 1 if rate == 1 else 0))


def _transport(file: IO[bytes], end: int) -> Iterator[tuple[int, int]]:
    """An MPEG transport stream: packets, of which the last one may be cut. What is not a packet is something else."""
    file.seek(0)
    if file.read(2 * _TS_PACKET + 1)[::_TS_PACKET] != 3 * _TS_SYNC:
        return
    for begin in (end - end % _TS_PACKET, end - end % _TS_PACKET - _TS_PACKET):
        file.seek(begin)
        if file.read(1) not in (b"", _TS_SYNC):
            return
    yield 0, -(-end // _TS_PACKET) * _TS_PACKET


def _matroska(file: IO[bytes], end: int) -> Iterator[tuple[int, int]]:
    """Matroska and WebM: elements in elements. A segment may not know its size, but those in it do."""
    place = 0
    for _ in range(_MAX_CHUNKS):
        file.seek(place)
        head = file.read(12)
        element, after = _ebml_number(head, 0, marked=True)
        size, after = _ebml_number(head, after, marked=False)
        if after == 0:
            return
        place += after
        if element == _SEGMENT and size is not None:
            yield place, size
            return
        if element == _SEGMENT:
            continue
        if size is None:  # a live stream
            return
        place += size
        if place > end:
            yield 0, place
            return


def _ebml_number(data: bytes, at: int, *, marked: bool) -> tuple[int | None, int]:
    """A number of as many bytes as its first one says, and where the next begins, 0 if there is none.

    Args:
        data: bytes.
        at: where in them.
        marked: keep the mark of the length, as numbers of elements do. Otherwise, `None` stands for an unknown size.
    """
    if at >= len(data) or not data[at]:
        return None, 0
    length = 9 - data[at].bit_length()
    if at + length > len(data):
        return None, 0
    value = int.from_bytes(data[at : at + length], "big")
    if marked:
        return value, at + length
    value &= (1 << 7 * length) - 1
    return (None if value == (1 << 7 * length) - 1 else value), at + length


def _mp4(file: IO[bytes], end: int) -> Iterator[tuple[int, int]]:
    """MP4 and its like (ISO/IEC 14496-12): boxes."""
    place = 0
    for _ in range(_MAX_CHUNKS):
        file.seek(place)
        head = file.read(16)
        if len(head) < 8:
            return
        size = int.from_bytes(head[:4], "big")
        if head[4:8] not in _MP4_BOXES:  # something after the last box
            return
        size = int.from_bytes(head[8:], "big") if size == 1 else size
        if size < 8:  # 0: to the end of the file
            return
        place += size
        if place > end:
            yield 0, place
            return
