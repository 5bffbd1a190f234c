"""What libsndfile decodes, from the start to the end: see `decoders.FileDecoder`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import IO, cast

import numpy as np
import soundfile

from ..errors import PARTIAL_TAKES, AudioError, IncompleteError
from .mpeg import MpegSurvey
from .ogg import MAX_LINKS, ogg_pages
from .samples import READ_SAMPLES, Samples, cut_off
from .sndfile import SndFile
from .spliced import Spliced
from .wholeness import missing_share

_UNKNOWN_FRAMES = 2**62  # what libsndfile says, or more, where it does not know the length
_COMMENTS = 4  # the number of this kind of block in a FLAC
_NOT_COUNTED = ("MP3",)  # formats whose headers promise an estimate
_PROMISED = ("SDS",)  # formats of which libsndfile tells the length that the header promises, and not what is there


class SndfileDecoder:
    """A file by libsndfile.

    Args:
        file: that can seek.
        name: what the errors call it.
        partial: take what there is where the end is missing.
        mpeg: what is known of its frames, if it is MPEG audio.

    Raises:
        soundfile.LibsndfileError: if libsndfile does not know the format.
        AudioError: if it was cut off.
    """

    def __init__(self, file: IO[bytes], name: str, *, partial: bool = False, mpeg: MpegSurvey | None = None) -> None:
        # libsndfile plays a file that was cut off as if it were whole, so this is found out without it.
        missing = missing_share(file) if mpeg is None else mpeg.missing_share
        self.sound = SndFile(file)
        self.mpeg = mpeg
        self._name, self._partial = name, partial
        self.note = None if mpeg is None else mpeg.note(name)
        self.rate_hz, self.channels = self.sound.samplerate, self.sound.channels
        self.places = (self.sound.places or _flac_places(file)) if self.channels > 2 else 0
        promised = 0 if mpeg is None else mpeg.promised_samples
        frames = self.sound.frames
        if missing and self.sound.format in _PROMISED:
            promised, frames = frames, int(frames * (1 - missing))
        self.num_samples = None if frames >= _UNKNOWN_FRAMES else frames
        self.subtype = self.sound.subtype
        self.estimates = self.sound.format in _NOT_COUNTED and (mpeg is None or not mpeg.is_told)
        """Whether `num_samples` may be wrong."""
        if missing and not partial:
            if not promised and missing < 1:
                promised = round(frames / (1 - missing))
            raise cut_off(name, frames, promised, self.rate_hz)

    def pieces(self) -> Iterator[Samples]:
        position = 0
        try:
            for read in self._blocks():
                yield read.T
                position += len(read)
        except soundfile.LibsndfileError as error:
            if not self._partial:
                reason = error.error_string.rstrip(".")
                of = "" if self.estimates or self.num_samples is None else f" of {self.num_samples}"
                raise IncompleteError(
                    f"{self._name} is damaged after {position}{of} samples ({reason}), or was cut off there",
                    f"{PARTIAL_TAKES} what is before",
                ) from error
        finally:
            self.sound.close()
        if self._partial:
            return
        if self.sound.file_error is not None:
            raise AudioError(f"{self._name} cannot be read beyond {position} samples") from self.sound.file_error
        if not self.estimates and self.num_samples is not None and 0 < position < self.num_samples:
            there_s, promised_s = position / self.rate_hz, self.num_samples / self.rate_hz
            raise IncompleteError(
                f"{self._name} ends after {there_s:.3f} s of {promised_s:.3f} s: it is damaged there, or was cut off",
                f"{PARTIAL_TAKES} what is before",
            )

    def _blocks(self) -> Iterator[np.ndarray]:
        """(T, C), T >= 1, up to the end or to damage; no more than the header tells, since a tag may follow."""
        left = None if self.estimates else self.num_samples
        while left is None or left > 0:
            size = READ_SAMPLES if left is None else min(READ_SAMPLES, left)
            read, error = self.sound.read_to_damage(size)
            if len(read):
                yield read
            if error is not None:
                raise error
            if not len(read):
                return
            left = None if left is None else left - len(read)


def _flac_places(file: IO[bytes]) -> int:
    """The mask of loudspeakers in the comments of a FLAC (RFC 9639, section 8.6.2); 0 if there is none.

    Where the file stands is as before.
    """
    place = file.tell()
    try:
        file.seek(0)
        if file.read(4) != b"fLaC":
            return 0
        last, kind = False, 0
        while not last and len(head := file.read(4)) == 4:
            last, kind, size = head[0] >= 0x80, head[0] & 0x7F, int.from_bytes(head[1:], "big")
            if kind != _COMMENTS:
                file.seek(size, os.SEEK_CUR)
                continue
            found = re.search(
                rb"WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x([0-9a-f]{1,8})(?![0-9a-f])", file.read(size), re.I
            )
            return int(found[1], 16) if found else 0
        return 0
    finally:
        file.seek(place)


class ChainedDecoder:
    """The links of an Ogg file, one after the other. They must be alike.

    Args:
        decoders: of the links; the first decides rate and channels.
        name: what the errors call it.
        note: see `FileDecoder`.
    """

    def __init__(self, decoders: list[SndfileDecoder], name: str, note: str | None) -> None:
        self._decoders, self._name, self.note = decoders, name, note
        self.rate_hz, self.channels, self.places = decoders[0].rate_hz, decoders[0].channels, decoders[0].places
        lengths = [decoder.num_samples for decoder in decoders]
        self.num_samples = None if None in lengths else sum(length or 0 for length in lengths)

    def pieces(self) -> Iterator[Samples]:
        for number, decoder in enumerate(self._decoders, 1):
            if (decoder.rate_hz, decoder.channels) != (self.rate_hz, self.channels):
                raise AudioError(
                    f"{self._name} changes at its link {number} from {self.rate_hz} Hz and {self.channels} channel(s) "
                    f"to {decoder.rate_hz} Hz and {decoder.channels}: split it first"
                )
            yield from decoder.pieces()


def open_ogg(file: IO[bytes], name: str, *, partial: bool) -> SndfileDecoder | ChainedDecoder:
    """The links of an Ogg file.

    Raises:
        soundfile.LibsndfileError: if libsndfile does not know what is in it.
        AudioError: if it was cut off, or has too many links.
    """
    pages = ogg_pages(file)
    if len(pages.links) > MAX_LINKS:
        raise AudioError(f"{name} has {len(pages.links)} links, more than {MAX_LINKS}: split it first")
    links = [cast(IO[bytes], Spliced(file, link)) for link in pages.links] or [file]
    cut = f"{name} was cut off within a page of Ogg"
    try:
        decoders = [SndfileDecoder(link, name, partial=partial) for link in links]
    except soundfile.LibsndfileError as error:
        if pages.is_cut and not partial:
            raise IncompleteError(cut, f"{PARTIAL_TAKES} what is before") from error
        raise
    if pages.is_cut and not partial:
        there_s = sum((decoder.num_samples or 0) / decoder.rate_hz for decoder in decoders)
        raise IncompleteError(f"{cut}: {there_s:.3f} s are there", f"{PARTIAL_TAKES} them")
    if len(decoders) == 1:  # which can go to any place of it
        decoders[0].note = pages.note(name)
        return decoders[0]
    return ChainedDecoder(decoders, name, pages.note(name))
