"""Resampling with soxr, whole or in pieces, to a length that is defined exactly."""

from __future__ import annotations

from numbers import Real

import numpy as np
import soxr

from ..errors import AudioError
from .samples import Samples

MIN_RATE_HZ = 1_000
MAX_RATE_HZ = 768_000
QUALITY = "HQ"


def check_rate(rate_hz: float, *, name: str = "audio") -> int:
    """A sampling rate as an integer. One that audio does not have is refused; a file's header may claim anything.

    Raises:
        AudioError: for what is not a whole number, below 1 kHz or above 768 kHz.
    """
    if not isinstance(rate_hz, Real) or rate_hz % 1:
        raise AudioError(f"{name} has a sampling rate of {rate_hz!r} Hz, which is not a whole number")
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise AudioError(f"{name} has a sampling rate of {rate_hz} Hz, outside {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz")
    return int(rate_hz)


def resampled_length(num_samples: int, from_hz: int, to_hz: int) -> int:
    """Samples that `num_samples` become: num_samples * to_hz / from_hz rounded, a half upwards."""
    return (2 * num_samples * to_hz + from_hz) // (2 * from_hz)


class Resampler:
    """Resamples a stream. The result does not depend on how the stream is cut, bit for bit.

    Args:
        channels: of the audio.
        from_hz: its sampling rate.
        to_hz: the rate wanted. If the two are equal, samples pass unchanged.

    Raises:
        AudioError: for a rate outside 1 to 768 kHz.
    """

    def __init__(self, channels: int, from_hz: int, to_hz: int) -> None:
        from_hz, to_hz = check_rate(from_hz), check_rate(to_hz)
        self.from_hz = from_hz
        self.to_hz = to_hz
        self._taken = 0
        self._given = 0
        self._stream = None
        if from_hz != to_hz:
            self._stream = soxr.ResampleStream(from_hz, to_hz, channels, dtype="float32", quality=QUALITY)

    def step(self, audio: Samples, *, last: bool = False) -> Samples:
        """Push (C, T) and get (C, T') of what is ready, T' being 0 or more.

        With `last`, all that remains comes out: in total `resampled_length` of what was pushed.
        Nothing may be pushed after it.
        """
        if self._stream is None:
            return audio
        self._taken += audio.shape[1]
        ready = self._stream.resample_chunk(np.ascontiguousarray(audio.T), last=last).T
        if last:
            # soxr's own total is off by one where floating point meets a half.
            remaining = resampled_length(self._taken, self.from_hz, self.to_hz) - self._given
            ready = ready[:, :remaining]
            ready = np.pad(ready, ((0, 0), (0, remaining - ready.shape[1])))
        self._given += ready.shape[1]
        return np.ascontiguousarray(ready)


def resample(audio: Samples, from_hz: int, to_hz: int) -> Samples:
    """(C, T) to (C, T') with T' = `resampled_length(T, from_hz, to_hz)`; what `Resampler` makes of it.

    Raises:
        AudioError: for a rate outside 1 to 768 kHz.
    """
    return Resampler(audio.shape[0], from_hz, to_hz).step(audio, last=True)
