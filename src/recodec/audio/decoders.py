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

from ..errors import AudioError, IncompleteError
from ..pipes import read_up_to
from .mpeg import MpegSurvey, survey_mpeg
from .ogg import OggPages, Window, ogg_pages
from .pcm import Pcm
from .resampling import check_rate
from .samples import Samples
from .sndfile import SndFile
from .wav import OtherFormError, WavHeader, is_wav, read_wav_header
from .wholeness import missing_share, start_of_mpeg

READ_SAMPLES = 2**14
FRONT_BYTES = 12
_PARTIAL_TAKES = "--partial (partial=True in Python, partial=1 over HTTP) takes"
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
            raise IncompleteError(f"{self._name} ends within a sample", f"{_PARTIAL_TAKES} what is before")

    def stretch(self, file: IO[bytes], start: int, count: int) -> Samples:
        """Samples from the middle of a file that can seek, fewer where it ends before."""
        frame = self._pcm.frame_bytes
        size = count * frame if self._size is None else max(0, min(count * frame, self._size - start * frame))
        file.seek(start * frame, os.SEEK_CUR)
        data = file.read(size)
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
        missing = missing_share(file)
        self._sound = SndFile(file)
        self._name, self._partial = name, partial
        self.note = None if mpeg is None else mpeg.note(name)
        self.rate_hz, self.channels = self._sound.samplerate, self._sound.channels
        frames = self._sound.frames
        self.num_samples = None if frames >= _UNKNOWN_FRAMES else frames
        self.subtype = self._sound.subtype
        self.estimates = self._sound.format in _NOT_COUNTED
        """Whether `num_samples` may be wrong."""
        # libsndfile takes the length of an MP3 from the promise, and that of other files from what is there.
        if partial:
            pass
        elif missing:
            raise cut_off(name, frames, round(frames / (1 - missing)) if missing < 1 else 0, self.rate_hz)
        elif mpeg is not None and mpeg.missing_share:
            raise cut_off(name, mpeg.num_samples, frames, self.rate_hz)

    def pieces(self) -> Iterator[Samples]:
        position = 0
        try:
            while len(read := self._sound.read(READ_SAMPLES, dtype="float32", always_2d=True)):
                yield read.T
                position += len(read)
        except soundfile.LibsndfileError as error:
            if not self._partial:
                reason = error.error_string.rstrip(".")
                raise IncompleteError(
                    f"{self._name} is damaged after {position} samples ({reason}), or was cut off there",
                    f"{_PARTIAL_TAKES} what is before",
                ) from error
        finally:
            self._sound.close()
        if self._partial:
            return
        if self._sound.file_error is not None:
            raise AudioError(f"{self._name} cannot be read beyond {position} samples") from self._sound.file_error
        if not self.estimates and self.num_samples is not None and 0 < position < self.num_samples:
            raise cut_off(self._name, position, self.num_samples, self.rate_hz)


class ChainedDecoder:
    """The links of an Ogg file, one after the other. They must be alike.

    Args:
        decoders: of the links; the first decides rate and channels.
        name: what the errors call it.
    """

    places = 0
    note: str | None = None

    def __init__(self, decoders: list[SndfileDecoder], name: str) -> None:
        self._decoders, self._name = decoders, name
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
    if is_wav(front):
        try:
            return open_wav(file, name, partial=partial)
        except OtherFormError:
            pass
    file.seek(0)
    # Before libsndfile sees the file, since a change of form can harm its decoder: see mpeg.py.
    mpeg = survey_mpeg(file, start_of_mpeg(file))
    if mpeg is not None and (change := mpeg.change) is not None:
        (rate_hz, channels, _), (then_hz, then_channels, _) = change.before, change.after
        raise AudioError(
            f"{name} changes after {change.num_samples / rate_hz:.3f} s from {rate_hz} Hz and {channels} channel(s) to "
            f"{then_hz} Hz and {then_channels}, or is damaged there: split it first"
        )
    try:
        pages = ogg_pages(file) if front[:4] == b"OggS" else OggPages([], False)
        file.seek(0)
        windows = [cast(IO[bytes], Window(file, *link)) for link in pages.links]
        files = windows if len(windows) > 1 else [file]
        parts = [SndfileDecoder(file, name, partial=partial, mpeg=mpeg) for file in files]
        if pages.is_cut and not partial:
            there_s = sum((part.num_samples or 0) / part.rate_hz for part in parts)
            raise IncompleteError(
                f"{name} was cut off within a page of Ogg: {there_s:.3f} s are there", f"{_PARTIAL_TAKES} them"
            )
        return ChainedDecoder(parts, name) if len(parts) > 1 else parts[0]
    except soundfile.LibsndfileError as error:
        file.seek(0)
        missing = missing_share(file) or (0.0 if mpeg is None else mpeg.missing_share)
        if missing and not partial:
            raise AudioError(f"{name} was cut off: {100 * missing:.0f} % of it is missing") from error
        return _open_by_ffmpeg(file, name, error.error_string.rstrip("."))


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
        f"{_PARTIAL_TAKES} them",
    )


def raw_decoder(file: IO[bytes], pcm: Pcm, name: str, *, partial: bool = False) -> PcmDecoder:
    """Samples without a header, to the end of a file or a pipe."""
    return PcmDecoder(file, WavHeader(pcm, None), name, partial=partial)


def _open_by_ffmpeg(file: IO[bytes], name: str, reason: str) -> FileDecoder:
    if _looks_like_text(file):
        raise AudioError(f"{name} is not an audio file ({reason})")
    if find_spec("av") is None:
        raise AudioError(
            f"{name} is not an audio file that can be read here ({reason})",
            "what FFmpeg reads takes its package, pip install 'recodec[av]', or FFmpeg itself: "
            "ffmpeg -i FILE -f wav - | recodec compress - OUT.ecdc",
        )
    from .ffmpeg import AvDecoder

    return AvDecoder(file, name)


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
