"""WAV headers (RIFF, and the 64-bit forms RF64 and BW64), read and written without going back.

So the same reader serves files and pipes, and samples of a pipe flow while they are made. Only plain samples are
read here; WAVs with A-law, ADPCM and the like are left to libsndfile.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO

from ..errors import AudioError
from ..pipes import read_up_to
from .pcm import FORMATS, Pcm

MAGICS = (b"RIFF", b"RF64", b"BW64")
MAX_FORMAT_BYTES = 1 << 16
UNLIKELY = 1 << 62
"""A size of 64 bits from there on says that it is not known."""
LIKELY_UNKNOWN = 0x7FFF0000
"""Programs that cannot go back write a size of 32 bits this large, or larger."""
# Empty chunks could follow one another in a pipe without end.
MAX_CHUNKS = 10_000
_SKIP_BYTES = 1 << 16
_UNKNOWN_SIZE = 0xFFFFFFFF
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_NAMES = {(_PCM, 8): "u8", (_PCM, 16): "s16le", (_PCM, 24): "s24le", (_PCM, 32): "s32le", (_FLOAT, 32): "f32le",
          (_FLOAT, 64): "f64le"}  # fmt: skip


class OtherFormError(AudioError):
    """A WAV whose samples are not plain."""


@dataclass(frozen=True)
class WavHeader:
    """What stands before the samples of a WAV.

    Attributes:
        pcm: the form of the samples.
        size: of the samples in bytes; `None` if the writer did not know it.
        places: bit mask of the loudspeakers that the channels belong to; 0 if the file does not say.
    """

    pcm: Pcm
    size: int | None
    places: int = 0

    @property
    def num_samples(self) -> int | None:
        """Per channel, if known."""
        return None if self.size is None else self.size // self.pcm.frame_bytes


def is_wav(front: bytes) -> bool:
    """Whether a file that begins with these 12 bytes is a WAV."""
    return front[:4] in MAGICS and front[8:12] == b"WAVE"


def read_wav_header(file: IO[bytes], name: str) -> WavHeader:
    """Read what stands before the samples.

    Args:
        file: stands after the first 12 bytes; afterwards, at the first sample.
        name: what the errors call it.

    Raises:
        OtherFormError: if its samples are not plain (A-law, ADPCM, ...).
        AudioError: if it is damaged, or has a rate or a number of channels that audio does not have.
    """
    found: tuple[Pcm, int] | None = None
    wide_size: int | None = None
    for _ in range(MAX_CHUNKS):
        chunk = read_up_to(file, 8)
        if len(chunk) < 8:
            break
        kind, size = chunk[:4], int.from_bytes(chunk[4:], "little")
        if kind == b"data":
            if found is None:
                raise AudioError(f"{name} does not say what its samples are")
            known, frame = _data_size(size, wide_size), found[0].frame_bytes
            # A last sample that is not whole is left out.
            return WavHeader(found[0], None if known is None else known - known % frame, found[1])
        if kind in (b"fmt ", b"ds64"):
            content = _content(file, size, name)
            if kind == b"fmt ":
                found = _parse(content, name)
            elif len(content) >= 16:
                wide_size = int.from_bytes(content[8:16], "little")
        else:
            _skip(file, size + size % 2, name)
    raise AudioError(f"{name} ends before its samples")


def _data_size(size: int, wide_size: int | None) -> int | None:
    """Bytes of the samples; `None` where the writer did not know them, and wrote 0 or something huge."""
    if size == _UNKNOWN_SIZE and wide_size and wide_size < UNLIKELY:
        return wide_size
    return None if size == 0 or size >= LIKELY_UNKNOWN else size


def _content(file: IO[bytes], size: int, name: str) -> bytes:
    if size > MAX_FORMAT_BYTES:
        raise AudioError(f"{name} has a damaged header: a chunk of {size} bytes, where some dozen are usual")
    # After a chunk of odd size stands a byte of padding, which the size does not count.
    content = read_up_to(file, size + size % 2)
    if len(content) < size:
        raise AudioError(f"{name} ends before its samples")
    return content


def _skip(file: IO[bytes], size: int, name: str) -> None:
    """Pass over tags and pictures, however large, in constant memory."""
    while size:
        passed = len(file.read(min(size, _SKIP_BYTES)))
        if not passed:
            raise AudioError(f"{name} ends before its samples")
        size -= passed


def _parse(content: bytes, name: str) -> tuple[Pcm, int]:
    if len(content) < 16:
        raise AudioError(f"{name} does not say what its samples are")
    tag, channels, rate_hz, _, align, bits = struct.unpack_from("<HHIIHH", content)
    places = 0
    if tag == _EXTENSIBLE and len(content) >= 26:
        # The form is a GUID here, which begins with the usual tag.
        places, tag = struct.unpack_from("<IH", content, 20)
    form = _NAMES.get((tag, bits))
    if form is None or align != channels * FORMATS[form][0]:
        raise OtherFormError(f"{name} is a WAV of form {tag} with {bits} bits, which is not plain samples")
    return Pcm(rate_hz, channels, form, name=name), places


def wav_header(pcm: Pcm, num_samples: int | None) -> bytes:
    """The header of a WAV of plain samples; without their number it says that nobody knows their size."""
    tag = _FLOAT if pcm.format.startswith("f") else _PCM
    size = None if num_samples is None else num_samples * pcm.frame_bytes
    return form_header(tag, 8 * FORMATS[pcm.format][0], pcm.channels, pcm.rate_hz, size)


def form_header(tag: int, bits: int, channels: int, rate_hz: int, num_bytes: int | None) -> bytes:
    """The header of a WAV whose samples have the form of a number `tag`; `num_bytes` as in `wav_header`."""
    size, frame = _UNKNOWN_SIZE if num_bytes is None else num_bytes, channels * bits // 8
    # Readers, ours among them, take so large a size for unknown, so it is then called unknown.
    known = size + 36 < LIKELY_UNKNOWN
    form = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * frame, frame, bits)
    riff_size, data_size = (size + 36, size) if known else (_UNKNOWN_SIZE, _UNKNOWN_SIZE)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", riff_size, b"WAVE", b"fmt ", 16)
        + form
        + struct.pack("<4sI", b"data", data_size)
    )
