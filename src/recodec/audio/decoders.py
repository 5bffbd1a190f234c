"""Decoders of audio formats: samples from the start to the end of a recording, without going back.

Plain WAVs are read here, everything else that libsndfile knows by libsndfile, and what only FFmpeg knows by PyAV
where that is installed.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import IO, Protocol

import numpy as np
import soundfile

from ..errors import PARTIAL_TAKES, AudioError, IncompleteError
from ..pipes import read_up_to
from .containers import id3_bytes
from .mpeg import FormChange, MpegSurvey, after_foreign_bytes, frames_alone, survey_mpeg
from .pcm import Pcm
from .resampling import check_rate
from .samples import READ_SAMPLES, Samples, cut_off, missing_text
from .sndfile_decoder import SndfileDecoder, open_ogg
from .voc import voc_as_wav
from .wav import OtherFormError, WavHeader, is_wav, read_wav_header
from .wholeness import missing_share, sound_alone, start_of_mpeg

FRONT_BYTES = 12


class FileDecoder(Protocol):
    """One recording, as its format stores it."""

    rate_hz: int
    channels: int
    num_samples: int | None
    """Per channel, as the header promises; `None` where it does not say."""
    places: int
    """Mask of the loudspeakers that the channels belong to, as in a WAV; 0 where that is not known."""
    note: str | None
    """One line on what in the file is skipped; `None` if there is nothing."""

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
    file.seek(0)
    if (wav := _plain_wav(file, name, partial=partial)) is not None:
        return wav
    if id3_bytes(file, 0) > file.seek(0, os.SEEK_END):
        raise AudioError(f"{name} was cut off within the tag at its front: it has no sound")
    file.seek(0)
    # Before libsndfile sees the file, since a change of form can harm its decoder: see mpeg.py.
    start = start_of_mpeg(file)
    mpeg = survey_mpeg(file, start)
    if mpeg is not None and mpeg.change is not None:
        raise _changes(name, mpeg.change)
    if mpeg is not None and not start:
        file = frames_alone(file, mpeg)
    else:
        file = sound_alone(file, partial=partial)
        file = voc_as_wav(file, name) or file
    if (wav := _plain_wav(file, name, partial=partial)) is not None:  # after a tag, or of blocks
        return wav
    try:
        if _begins(file, b"OggS"):
            return open_ogg(file, name, partial=partial)
        return SndfileDecoder(file, name, partial=partial, mpeg=None if start else mpeg)
    except soundfile.LibsndfileError as error:
        return _open_by_ffmpeg(file, name, error.error_string.rstrip("."), partial=partial)


def _plain_wav(file: IO[bytes], name: str, *, partial: bool) -> PcmDecoder | None:
    """The file as a WAV of plain samples; `None` if it is not one, and then it stands at its start."""
    if is_wav(file.read(FRONT_BYTES)):
        try:
            return open_wav(file, name, partial=partial)
        except OtherFormError:
            pass
    file.seek(0)
    return None


def _begins(file: IO[bytes], magic: bytes) -> bool:
    """Whether the file, which stands at its start, begins so."""
    front = file.read(len(magic))
    file.seek(0)
    return front == magic


def _changes(name: str, change: FormChange) -> AudioError:
    before, after = change.before, change.after
    return AudioError(
        f"{name} changes after {change.num_samples / before.rate_hz:.3f} s from {before.rate_hz} Hz and "
        f"{before.channels} channel(s) to {after.rate_hz} Hz and {after.channels}, or is damaged there: split it first"
    )


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


def raw_decoder(file: IO[bytes], pcm: Pcm, name: str, *, partial: bool = False) -> PcmDecoder:
    """Samples without a header, to the end of a file or a pipe."""
    return PcmDecoder(file, WavHeader(pcm, None), name, partial=partial)


def _open_by_ffmpeg(file: IO[bytes], name: str, reason: str, *, partial: bool) -> FileDecoder:
    file.seek(0)
    missing = missing_share(file)
    is_cut = missing > 0 and not partial
    cut = IncompleteError(f"{name} was cut off: {missing_text(missing)}", f"{PARTIAL_TAKES} the rest")
    if not is_cut and _looks_like_text(file):
        raise AudioError(f"{name} is not an audio file ({reason})")
    if find_spec("av") is None:
        if is_cut:
            raise cut
        raise AudioError(
            f"{name} is not an audio file that can be read here ({reason})",
            "what FFmpeg reads takes its package, pip install 'recodec[av]', or FFmpeg itself: "
            "ffmpeg -i FILE -f wav - | recodec compress - OUT.ecdc",
        )
    from .ffmpeg import AvDecoder

    decoder = AvDecoder(file, name, partial=partial, missing=missing)
    if is_cut:  # and can be read in part, which an mp4 without its index cannot
        decoder.close()
        raise cut
    if decoder.is_mp3 and (place := after_foreign_bytes(file)) is not None:
        # libsndfile knows no MP3 that other bytes come before; FFmpeg does not see how much of it is there.
        survey = survey_mpeg(file, place)
        if survey is not None:
            decoder.close()
            return _open_mpeg(file, name, survey, partial=partial)
    return decoder


def _open_mpeg(file: IO[bytes], name: str, survey: MpegSurvey, *, partial: bool) -> FileDecoder:
    if survey.change is not None:
        raise _changes(name, survey.change)
    return SndfileDecoder(frames_alone(file, survey), name, partial=partial, mpeg=survey)


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
