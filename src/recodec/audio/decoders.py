"""Decoders of audio formats: samples from the start to the end of a recording, without going back.

Plain WAVs are read here, everything else that libsndfile knows by libsndfile, and what only FFmpeg knows by PyAV
where that is installed.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import IO, Protocol, cast

import numpy as np
import soundfile

from ..errors import PARTIAL_TAKES, AudioError, IncompleteError
from ..pipes import read_up_to
from .mpeg import FormChange, MpegSurvey, frames_alone, id3_bytes, survey_mpeg
from .ogg import MAX_LINKS, ogg_pages
from .pcm import Pcm
from .resampling import check_rate
from .samples import Samples
from .sndfile import SndFile
from .spliced import Spliced
from .wav import OtherFormError, WavHeader, is_wav, read_wav_header
from .wholeness import missing_share, sound_alone, start_of_mpeg

READ_SAMPLES = 2**14
FRONT_BYTES = 12
_UNKNOWN_FRAMES = 2**62  # what libsndfile says, or more, where it does not know the length
_NOT_COUNTED = ("MP3",)  # formats whose headers promise an estimate


class FileDecoder(Protocol):
    """One recording, as its format stores it."""

    rate_hz: int
    channels: int
    num_samples: int | None
    """Per channel, as the header promises; `None` where it does not say."""
    places: int
    """Mask of the loudspeakers that the channels belong to, as in a WAV; 0 where that is not known."""
    note: str | None
    """One line on what in the file is stepped over; `None` if there is nothing."""

    def pieces(self) -> Iterator[Samples]:
        """All samples (C, T), T >= 1. Called once.

        Raises:
            AudioError: for damage, or a missing end.
        """
        ...


class PcmDecoder:
    """Plain samples, of a WAV or without a header, from a file or a pipe.

    Args:
        file: stands at the first sample.
        header: what the samples are; `header.size` is what a header promises.
        name: what the errors call it.
        partial: take what there is where the end is missing.
    """

    note: str | None = None

    def __init__(self, file: IO[bytes], header: WavHeader, name: str, *, partial: bool = False) -> None:
        self._file, self._pcm, self._size, self._name, self._partial = file, header.pcm, header.size, name, partial
        self.rate_hz, self.channels, self.places = header.pcm.rate_hz, header.pcm.channels, header.places
        self.num_samples = header.num_samples

    def pieces(self) -> Iterator[Samples]:
        frame, held, taken = self._pcm.frame_bytes, b"", 0
        most = READ_SAMPLES * frame
        while (wanted := most if self._size is None else min(most, self._size - taken)) and (
            data := self._read(wanted, taken // frame)
        ):
            taken += len(data)
            held += data
            # A pipe may end a piece within a sample, whose rest comes with the next piece.
            whole = len(held) // frame * frame
            if whole:
                yield self._pcm.decode(held[:whole])
            held = held[whole:]
        if self._partial:
            return
        if self._size is not None and taken < self._size:
            raise cut_off(self._name, taken // frame, self._size // frame, self.rate_hz)
        if held:
            raise IncompleteError(f"{self._name} ends within a sample", f"{PARTIAL_TAKES} what is before")

    def stretch(self, start: int, count: int) -> Samples:
        """Samples from the middle of a file that can seek, fewer where it ends before. Called once."""
        frame = self._pcm.frame_bytes
        size = count * frame if self._size is None else max(0, min(count * frame, self._size - start * frame))
        self._file.seek(start * frame, os.SEEK_CUR)
        data = self._file.read(size)
        return self._pcm.decode(data[: len(data) // frame * frame])

    def _read(self, size: int, position: int) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            raise AudioError(f"{self._name} cannot be read beyond {position} samples: {error}") from error


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

    places = 0

    def __init__(self, file: IO[bytes], name: str, *, partial: bool = False, mpeg: MpegSurvey | None = None) -> None:
        # libsndfile plays a file that was cut off as if it were whole, so this is found out without it.
        missing = missing_share(file) if mpeg is None else mpeg.missing_share
        self.file, self._sound = file, SndFile(file)
        self._name, self._partial = name, partial
        self.note = None if mpeg is None else mpeg.note(name)
        self.rate_hz, self.channels = self._sound.samplerate, self._sound.channels
        frames = self._sound.frames
        self.num_samples = None if frames >= _UNKNOWN_FRAMES else frames
        self.subtype = self._sound.subtype
        self.estimates = self._sound.format in _NOT_COUNTED and (mpeg is None or not mpeg.is_told)
        """Whether `num_samples` may be wrong."""
        if missing and not partial:
            promised = 0 if mpeg is None else mpeg.promised_samples
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
            self._sound.close()
        if self._partial:
            return
        if self._sound.file_error is not None:
            raise AudioError(f"{self._name} cannot be read beyond {position} samples") from self._sound.file_error
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
            read, error = self._sound.read_to_damage(size)
            if len(read):
                yield read
            if error is not None:
                raise error
            if not len(read):
                return
            left = None if left is None else left - len(read)


class ChainedDecoder:
    """The links of an Ogg file, one after the other. They must be alike.

    Args:
        decoders: of the links; the first decides rate and channels.
        name: what the errors call it.
        note: see `FileDecoder`.
    """

    places = 0

    def __init__(self, decoders: list[SndfileDecoder], name: str, note: str | None) -> None:
        self._decoders, self._name, self.note = decoders, name, note
        self.rate_hz, self.channels = decoders[0].rate_hz, decoders[0].channels
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


def open_decoder(file: IO[bytes], name: str, *, partial: bool = False) -> FileDecoder:
    """Find out what a file is, and open it.

    Args:
        file: that can seek, standing at its start.
        name: what the errors call it.
        partial: take what there is where the end is missing.

    Raises:
        AudioError: if it is not audio that can be read here, is damaged in its header, or was cut off.
    """
    front = file.read(FRONT_BYTES)
    if not front:
        raise AudioError(f"{name} is empty")
    if front[:4] == b"ECDC":
        raise AudioError(f"{name} is an .ecdc file already", "decompress makes audio of it, transcode a smaller file")
    if id3_bytes(file, 0) > file.seek(0, os.SEEK_END):
        raise AudioError(f"{name} was cut off within the tag at its front: it has no sound")
    file.seek(0)
    # Before libsndfile sees the file, since a change of form can harm its decoder: see mpeg.py.
    start = start_of_mpeg(file)
    mpeg = survey_mpeg(file, start)
    if mpeg is not None and mpeg.change is not None:
        raise _changes(name, mpeg.change)
    file = frames_alone(file, mpeg) if mpeg is not None and not start else sound_alone(file)
    front = file.read(FRONT_BYTES)
    if is_wav(front):
        try:
            return open_wav(file, name, partial=partial)
        except OtherFormError:
            pass
    file.seek(0)
    try:
        if front[:4] == b"OggS":
            return _open_ogg(file, name, partial=partial)
        return SndfileDecoder(file, name, partial=partial, mpeg=None if start else mpeg)
    except soundfile.LibsndfileError as error:
        return _open_by_ffmpeg(file, name, error.error_string.rstrip("."), partial=partial)


def _changes(name: str, change: FormChange) -> AudioError:
    before, after = change.before, change.after
    return AudioError(
        f"{name} changes after {change.num_samples / before.rate_hz:.3f} s from {before.rate_hz} Hz and "
        f"{before.channels} channel(s) to {after.rate_hz} Hz and {after.channels}, or is damaged there: split it first"
    )


def _open_ogg(file: IO[bytes], name: str, *, partial: bool) -> FileDecoder:
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
    return ChainedDecoder(decoders, name, pages.note(name))


def open_wav(file: IO[bytes], name: str, *, partial: bool = False) -> PcmDecoder:
    """A WAV of plain samples, from a file or a pipe that stands after its first 12 bytes.

    Raises:
        OtherFormError: if its samples are not plain.
        AudioError: if its header is damaged, or the file was cut off.
    """
    header = read_wav_header(file, name)
    if file.seekable() and header.size is not None and not partial:
        place = file.tell()
        there = file.seek(0, os.SEEK_END) - place
        file.seek(place)
        if there < header.size:
            frame = header.pcm.frame_bytes
            raise cut_off(name, there // frame, header.size // frame, header.pcm.rate_hz)
    return PcmDecoder(file, header, name, partial=partial)


def cut_off(name: str, there: int, promised: int, rate_hz: int) -> IncompleteError:
    """The error for a missing end."""
    return IncompleteError(
        f"{name} was cut off: {there / rate_hz:.3f} s of {promised / rate_hz:.3f} s are there ({there} of {promised} "
        "samples)",
        f"{PARTIAL_TAKES} them",
    )


def raw_decoder(file: IO[bytes], pcm: Pcm, name: str, *, partial: bool = False) -> PcmDecoder:
    """Samples without a header, to the end of a file or a pipe."""
    return PcmDecoder(file, WavHeader(pcm, None), name, partial=partial)


def _open_by_ffmpeg(file: IO[bytes], name: str, reason: str, *, partial: bool) -> FileDecoder:
    file.seek(0)
    if (missing := missing_share(file)) and not partial:
        raise IncompleteError(
            f"{name} was cut off: {100 * missing:.0f} % of it is missing", f"{PARTIAL_TAKES} the rest"
        )
    if _looks_like_text(file):
        raise AudioError(f"{name} is not an audio file ({reason})")
    if find_spec("av") is None:
        raise AudioError(
            f"{name} is not an audio file that can be read here ({reason})",
            "what FFmpeg reads takes its package, pip install 'recodec[av]', or FFmpeg itself: "
            "ffmpeg -i FILE -f wav - | recodec compress - OUT.ecdc",
        )
    from .ffmpeg import AvDecoder

    return AvDecoder(file, name, partial=partial, missing=missing)


def _looks_like_text(file: IO[bytes]) -> bool:
    front = read_up_to(file, 256)
    file.seek(0, io.SEEK_SET)
    return all(32 <= byte < 127 or byte in b"\t\r\n" for byte in front)


def checked(decoder: FileDecoder, name: str) -> FileDecoder:
    """The same decoder, after a look at its rate.

    Raises:
        AudioError: for a rate outside 1 to 768 kHz.
    """
    check_rate(decoder.rate_hz, name=name)
    return decoder


def nothing(channels: int) -> Samples:
    """(C, 0)."""
    return np.zeros((channels, 0), np.float32)
