"""WAV on a pipe: its header is read and written without going back, so samples flow while they are made."""

from __future__ import annotations

import struct
from typing import IO

from ..errors import AudioError
from ..pipes import read_up_to
from .pcm import FORMATS, Pcm

MAX_HEADER_BYTES = 1 << 20
_UNKNOWN_SIZE = 0xFFFFFFFF
_LIKELY_UNKNOWN = 0x7FFF0000  # programs that cannot go back promise something huge
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_NAMES = {(_PCM, 8): "u8", (_PCM, 16): "s16le", (_PCM, 24): "s24le", (_PCM, 32): "s32le", (_FLOAT, 32): "f32le",
          (_FLOAT, 64): "f64le"}  # fmt: skip


def is_wav(front: bytes) -> bool:
    """Whether a file that begins with these 12 bytes is a WAV."""
    return front[:4] == b"RIFF" and front[8:12] == b"WAVE"


def read_wav_header(file: IO[bytes], name: str) -> tuple[Pcm, int | None]:
    """Read what stands before the samples.

    Args:
        file: stands behind the first 12 bytes; afterwards, at the first sample.
        name: what the errors call it.

    Returns:
        the form of the samples, and their size in bytes; `None` if the writer did not know it.

    Raises:
        AudioError: if it is damaged, its samples are not plain (A-law, ADPCM, ...), or it has a rate or
            channels that are no audio.
    """
    pcm, seen = None, 0
    while True:
        chunk = read_up_to(file, 8)
        if len(chunk) < 8:
            raise AudioError(f"{name} ends before its samples")
        kind, size = chunk[:4], int.from_bytes(chunk[4:], "little")
        if kind == b"data":
            break
        seen += size
        if seen > MAX_HEADER_BYTES:
            raise AudioError(f"{name} has more than a megabyte before its samples")
        content = read_up_to(file, size + size % 2)
        if len(content) < size:
            raise AudioError(f"{name} ends before its samples")
        if kind == b"fmt ":
            pcm = _parse(content, name)
    if pcm is None:
        raise AudioError(f"{name} does not say what its samples are")
    return pcm, None if size in (0, _UNKNOWN_SIZE) else size


def may_end_early(size: int) -> bool:
    """Whether so large a size in a header is rather a promise than a count."""
    return size >= _LIKELY_UNKNOWN


def _parse(content: bytes, name: str) -> Pcm:
    if len(content) < 16:
        raise AudioError(f"{name} does not say what its samples are")
    tag, channels, rate_hz, _, align, bits = struct.unpack_from("<HHIIHH", content)
    if tag == _EXTENSIBLE and len(content) >= 26:
        (tag,) = struct.unpack_from("<H", content, 24)
    form = _NAMES.get((tag, bits))
    if form is None or align != channels * FORMATS[form][0]:
        raise AudioError(f"{name} is a WAV of form {tag} with {bits} bits, which cannot be read from a pipe")
    return Pcm(rate_hz, channels, form)


def wav_header(pcm: Pcm, num_samples: int | None) -> bytes:
    """The header of a WAV of plain samples; without their number it says that nobody knows their size."""
    size = _UNKNOWN_SIZE if num_samples is None else num_samples * pcm.frame_bytes
    known = size + 36 < _LIKELY_UNKNOWN
    width = FORMATS[pcm.format][0]
    tag = _FLOAT if pcm.format.startswith("f") else _PCM
    form = struct.pack(
        "<HHIIHH", tag, pcm.channels, pcm.rate_hz, pcm.rate_hz * pcm.frame_bytes, pcm.frame_bytes, 8 * width
    )
    riff_size, data_size = (size + 36, size) if known else (_UNKNOWN_SIZE, _UNKNOWN_SIZE)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", riff_size, b"WAVE", b"fmt ", 16)
        + form
        + struct.pack("<4sI", b"data", data_size)
    )
