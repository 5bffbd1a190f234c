"""Stretches of recordings: some samples from the middle, the same as in the whole."""

from __future__ import annotations

from typing import IO, NamedTuple

import numpy as np
import soundfile

from ..errors import AudioError
from .decoders import FileDecoder, PcmDecoder, checked, open_decoder
from .mpeg_within import begins_within, frames_within
from .samples import Samples, check_samples
from .sndfile import SndFile
from .sndfile_decoder import SndfileDecoder

# Decoders with a memory begin this many samples early, so that what is wanted does not depend on where they begin.
_RUN_UP_SAMPLES = {
    "VORBIS": 1 << 14,
}
# Formats that are decoded from the start: their decoders forget too slowly, or cannot seek, or are of MPEG audio in a
# container. A FLAC of unknown length cannot be sought either.
_FROM_THE_START = frozenset({"OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III", "GSM610", "G721_32", "G723_24",
                             "G723_40", "NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32", "DWVW_12", "DWVW_16", "DWVW_24",
                             "DPCM_8", "DPCM_16"})  # fmt: skip


class Shape(NamedTuple):
    """What a recording has: samples per channel, rate in Hz, channels and the mask of their loudspeakers."""

    num_samples: int
    rate_hz: int
    channels: int
    places: int


def shape_of(file: IO[bytes], name: str) -> Shape:
    """The shape of a recording. Where the header does not tell the length, the recording is decoded to count it.

    Args:
        file: that can seek, standing at its start.
        name: what the errors call it.

    Raises:
        AudioError: if it is not audio, is damaged, was cut off, or has no samples.
    """
    decoder = checked(open_decoder(file, name), name)
    known = decoder.num_samples
    exact = known is not None and not (isinstance(decoder, SndfileDecoder) and decoder.estimates)
    count = known if exact else sum(piece.shape[1] for piece in decoder.pieces())
    if not count:
        raise AudioError(f"{name} has no samples")
    return Shape(count, decoder.rate_hz, decoder.channels, decoder.places)


def read_stretch(file: IO[bytes], name: str, start: int, count: int) -> Samples:
    """Samples `start` to `start + count` of a recording, (C, count), at its own rate.

    They have the bits of the whole. Only of MPEG audio that is damaged within its frames, and can be decoded all the
    same, the last bit may differ, since the order of libmpg123's sums depends on the damage before.

    Args:
        file: that can seek, standing at its start.
        name: what the errors call it.
        start, count: in samples of the recording.

    Raises:
        AudioError: if the recording is damaged or ends before, or has a NaN or infinite sample.
    """
    decoder = open_decoder(file, name)
    try:
        audio = _stretch_of(file, decoder, name, start, count)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise AudioError(
            f"{name} is damaged between the samples {start} and {start + count}, or was cut off before"
        ) from error
    if isinstance(decoder, SndfileDecoder) and decoder.sound.file_error is not None:
        raise AudioError(f"{name} cannot be read: {decoder.sound.file_error}") from decoder.sound.file_error
    if audio.shape[1] != count:
        raise AudioError(f"{name} ends within the samples {start} to {start + count}")
    return check_samples(audio, name=name, offset=start)


def _stretch_of(file: IO[bytes], decoder: FileDecoder, name: str, start: int, count: int) -> Samples:
    if isinstance(decoder, PcmDecoder):
        return decoder.stretch(start, count)
    if not isinstance(decoder, SndfileDecoder):
        return _from_the_start(decoder, start, count)
    if decoder.mpeg is not None and begins_within(file, decoder.mpeg):
        # libsndfile can go to a sample of it, but the samples then differ in their last bit.
        frames, dropped = frames_within(file, decoder.mpeg, start, count)
        decoder.sound.close()
        decoder.sound = SndFile(frames)
        return _sought(decoder.sound, 0, dropped, count)
    if decoder.mpeg is not None or decoder.num_samples is None or decoder.subtype in _FROM_THE_START:
        return _from_the_start(decoder, start, count)
    run_up = _RUN_UP_SAMPLES.get(decoder.subtype, 0)
    early = max(0, start - run_up)
    if early and run_up and not _seeks_truly(decoder.sound, run_up):
        file.seek(0)
        return _from_the_start(open_decoder(file, name), start, count)
    return _sought(decoder.sound, early, start - early, count)


def _seeks_truly(sound: SndFile, run_up: int) -> bool:
    """Whether seeking comes to the sample that reading does. An Ogg cut out of another may count from elsewhere."""
    place, count = run_up // 4, 256
    try:
        read = sound.read(place + run_up + count, dtype="float32", always_2d=True)[place + run_up :]
        sound.seek(place)
        sought = sound.read(run_up + count, dtype="float32", always_2d=True)[run_up:]
    except soundfile.LibsndfileError:
        return False
    return np.array_equal(read, sought)


def _sought(sound: SndFile, begin: int, dropped: int, count: int) -> Samples:
    """(C, count) samples, fewer where the file ends before: those after the first `dropped` from `begin` on."""
    with sound:
        if begin:
            sound.seek(begin)
        return sound.read(dropped + count, dtype="float32", always_2d=True).T[:, dropped:]


def _from_the_start(decoder: FileDecoder, start: int, count: int) -> Samples:
    parts, position = [np.zeros((decoder.channels, 0), np.float32)], 0
    for piece in decoder.pieces():
        begin, end = max(0, start - position), start + count - position
        parts.append(piece[:, begin : max(begin, end)])
        position += piece.shape[1]
        if position >= start + count:
            break
    return np.concatenate(parts, axis=1)
