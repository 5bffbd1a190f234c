"""Creative Voice files: libsndfile plays the heads of all blocks after the first, and needs one that ends the others.

Blocks are those of Creative Labs' "VOC file format". A block of sound has a form of its own, or that of the one before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, NamedTuple, cast

from ..errors import AudioError
from .spliced import Part, Spliced
from .wav import form_header

VOC_MAGIC = b"Creative Voice File\x1a"
END_BLOCK, LAST_KIND = 0, 9
_SOUND, _CONTINUED, _SILENCE, _EXTENDED, _NEW_SOUND = 1, 2, 3, 8, 9
_MAX_PARTS = 1_000_000  # all of them are held, and blocks can be of one byte
_SILENCE_BITS = 17  # of the longest silence of one block, in samples
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
        AudioError: if rate, channels or codec change within it, or it has too many blocks.
    """
    file.seek(0)
    front = file.read(22)
    if not front.startswith(VOC_MAGIC) or len(front) < 22:
        file.seek(0)
        return None
    forms, parts = _sound(file, int.from_bytes(front[20:], "little"), name)
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
    # Silence is put together of a few pieces, so that a small file cannot ask for much memory.
    still = [silence * (form.channels << bit) for bit in range(_SILENCE_BITS)] if any(map(_is_silence, parts)) else []
    sound: list[Part] = []
    for part in parts:
        sound += [piece for bit, piece in enumerate(still) if part >> bit & 1] if isinstance(part, int) else [part]
    size = sum(len(part) if isinstance(part, bytes) else part[1] - part[0] for part in sound)
    return cast(IO[bytes], Spliced(file, [form_header(tag, bits, form.channels, form.rate_hz, size), *sound]))


def _is_silence(part: tuple[int, int] | int) -> bool:
    return isinstance(part, int)


def voc_blocks(file: IO[bytes], place: int) -> Iterator[tuple[int, int, int]]:
    """The kind of each block from a place on, and where its content begins and ends, by its head.

    The last one is the block that ends the others, or has a kind that there is not: it is empty, at its own place.
    """
    while head := _read_at(file, place, 4):
        kind = head[0]
        if kind == END_BLOCK or kind > LAST_KIND:
            yield kind, place, place
            return
        if len(head) < 4:
            return
        start, place = place + 4, place + 4 + int.from_bytes(head[1:], "little")
        yield kind, start, place


def _read_at(file: IO[bytes], place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size)


def _sound(file: IO[bytes], place: int, name: str) -> tuple[list[_Form], list[tuple[int, int] | int]]:
    """The forms of the sound, each once, and its parts, silence as a number of samples."""
    forms: dict[_Form, None] = {}
    parts: list[tuple[int, int] | int] = []
    extended: tuple[int, int] | None = None  # rate and channels for the next block of sound
    for kind, start, stop in voc_blocks(file, place):
        values = _read_at(file, start, 12)
        if kind == _SOUND and len(values) >= 2:
            rate_hz, channels = extended or (round(1e6 / (256 - values[0])), 1)
            forms.setdefault(_Form(rate_hz, channels, values[1]))
            extended = None
            parts.append((start + 2, stop))
        elif kind == _EXTENDED and len(values) >= 4:
            channels = values[3] + 1
            extended = round(256e6 / (65_536 - int.from_bytes(values[:2], "little")) / channels), channels
        elif kind == _NEW_SOUND and len(values) >= 12:
            rate_hz, _, channels, codec = struct.unpack_from("<IBBH", values)
            forms.setdefault(_Form(rate_hz, channels, codec))
            parts.append((start + 12, stop))
        elif kind == _CONTINUED:
            parts.append((start, stop))
        elif kind == _SILENCE and len(values) >= 2:
            parts.append(int.from_bytes(values[:2], "little") + 1)
        if len(parts) > _MAX_PARTS:
            raise AudioError(f"{name} has more than {_MAX_PARTS} blocks of sound: split it first")
    return list(forms), parts
