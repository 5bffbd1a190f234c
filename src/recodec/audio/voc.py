"""Creative Voice files: libsndfile plays the heads of all blocks after the first, and needs one that ends the others.

Blocks are those of Creative Labs' "VOC file format". Each sound block has a form of its own, or goes on with the last.
"""

from __future__ import annotations

import os
import struct
from typing import IO, NamedTuple, cast

from ..errors import AudioError
from .spliced import Part, Spliced

_MAGIC = b"Creative Voice File\x1a"
_END, _SOUND, _CONTINUED, _SILENCE, _EXTENDED, _NEW_SOUND = 0, 1, 2, 3, 8, 9
_LAST_KIND = 9
# Format of WAV, bits and the value of silence, by the codec of a block.
_CODECS = {0: (1, 8, b"\x80"), 4: (1, 16, b"\0\0"), 6: (6, 8, b"\xd5"), 7: (7, 8, b"\xff")}


class _Form(NamedTuple):
    rate_hz: int
    channels: int
    codec: int


def voc_as_wav(file: IO[bytes], name: str) -> IO[bytes] | None:
    """A Creative Voice file as a WAV, which decodes to the sound of all its blocks.

    Args:
        file: that can seek. It stands at its start afterwards.
        name: what the errors call it.

    Returns:
        `None` if it is another file, has no sound, or samples that a WAV cannot have.

    Raises:
        AudioError: if rate or channels change within it.
    """
    file.seek(0)
    front = file.read(22)
    if not front.startswith(_MAGIC) or len(front) < 22:
        file.seek(0)
        return None
    forms, parts = _blocks(file, int.from_bytes(front[20:], "little"))
    file.seek(0)
    if not parts or not forms or any(form.codec not in _CODECS or not form.channels for form in forms):
        return None
    form, *others = forms
    if others:
        raise AudioError(
            f"{name} changes from {form.rate_hz} Hz and {form.channels} channel(s) to {others[0].rate_hz} Hz and "
            f"{others[0].channels}, or to another codec: split it first"
        )
    tag, bits, silence = _CODECS[form.codec]
    frame = form.channels * bits // 8
    sound: list[Part] = [silence * (part * form.channels) if isinstance(part, int) else part for part in parts]
    size = min(0xFFFFFFFF, sum(len(part) if isinstance(part, bytes) else part[1] - part[0] for part in sound))
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", min(0xFFFFFFFF, size + 36), b"WAVE", b"fmt ", 16, tag, form.channels,
        form.rate_hz, form.rate_hz * frame, frame, bits, b"data", size,
    )  # fmt: skip
    return cast(IO[bytes], Spliced(file, [header, *sound]))


def _blocks(file: IO[bytes], place: int) -> tuple[list[_Form], list[tuple[int, int] | int]]:
    """The forms of the sound, each once, and its parts, silence as a number of samples."""
    end = file.seek(0, os.SEEK_END)
    forms: dict[_Form, None] = {}
    parts: list[tuple[int, int] | int] = []
    extended: tuple[int, int] | None = None  # rate and channels for the next block of sound
    while place < end:
        file.seek(place)
        head = file.read(16)
        kind, size = head[0], int.from_bytes(head[1:4], "little")
        if kind == _END or kind > _LAST_KIND or len(head) < 4:
            break
        start, place = place + 4, place + 4 + size
        values = head[4:]
        if kind == _SOUND and len(values) >= 2:
            rate_hz, channels = extended or (round(1e6 / (256 - values[0])), 1)
            forms.setdefault(_Form(rate_hz, channels, values[1]))
            extended = None
            parts.append((start + 2, place))
        elif kind == _EXTENDED and len(values) >= 4:
            channels = values[3] + 1
            extended = round(256e6 / (65_536 - int.from_bytes(values[:2], "little")) / channels), channels
        elif kind == _NEW_SOUND and len(values) >= 12:
            rate_hz, _, channels, codec = struct.unpack_from("<IBBH", values)
            forms.setdefault(_Form(rate_hz, channels, codec))
            parts.append((start + 12, place))
        elif kind == _CONTINUED:
            parts.append((start, place))
        elif kind == _SILENCE and len(values) >= 2:
            parts.append(int.from_bytes(values[:2], "little") + 1)
    return list(forms), parts
