"""Bytes of a sound file to 24 kHz mono."""

from __future__ import annotations

import io
from pathlib import PurePosixPath
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray
from shards import RATE_HZ, to_int16

from recodec.audio import read_audio, resample
from recodec.errors import AudioError

SILENT_CHANNEL = 0.03
"""A channel below this share of the other's RMS (-30 dB) counts as silent."""
AV_FORMATS = {".g722": "g722", ".wv": "wv", ".ogg": "ogg"}
"""Demuxers for what libsndfile does not read: G.722, WavPack, and Ogg with a video stream."""


def decode(content: bytes, name: str) -> NDArray[np.int16]:
    """A file of any rate, mono or stereo, to samples (T,) at 24 kHz.

    Raises:
        AudioError: if it cannot be decoded, or is silent.
    """
    try:
        audio, rate_hz = read_audio(io.BytesIO(content), name=name)
    except AudioError:
        suffix = PurePosixPath(name).suffix.lower()
        if suffix not in AV_FORMATS:
            raise
        audio, rate_hz = decode_with_av(content, name, AV_FORMATS[suffix])
    clip = to_int16(resample(to_mono(audio), rate_hz, RATE_HZ)[0])
    if not clip.any():
        raise AudioError(f"{name} is silent")
    return clip


def decode_with_av(content: bytes, name: str, kind: str) -> tuple[NDArray[np.float32], int]:
    """Decode the first audio stream with FFmpeg: samples (C, T) and their rate in Hz.

    Raises:
        AudioError: if FFmpeg cannot, or there is no audio in the file.
    """
    pieces: list[NDArray[Any]] = []
    rate_hz = 0
    try:
        with av.open(io.BytesIO(content), format=kind) as container:
            to_float = av.AudioResampler(format="fltp")
            for frame in container.decode(audio=0):
                rate_hz = frame.sample_rate
                pieces += [converted.to_ndarray() for converted in to_float.resample(frame)]
    except (FFmpegError, IndexError) as error:  # the latter where there is no audio stream
        raise AudioError(f"{name} cannot be decoded: {error}") from error
    if not pieces:
        raise AudioError(f"{name} holds no samples")
    return np.concatenate(pieces, axis=1), rate_hz


def to_mono(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """(C, T) to (1, T): the mean, or the louder channel where the other is silent.

    The mean with a silent channel would halve the level of what was recorded on one channel.
    """
    levels = np.sqrt(np.mean(audio.astype(np.float64) ** 2, axis=1))
    if levels.min() < SILENT_CHANNEL * levels.max():
        return audio[levels.argmax()][None]
    return audio.mean(axis=0, keepdims=True, dtype=np.float32)
