"""The two ends of the scale: the reference itself, and a low-pass anchor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .base import Encoded

ANCHOR_HZ = 3_500


@dataclass(frozen=True)
class Reference:
    """The recording itself: nothing is changed, so metrics show their best."""

    name: str = "reference"
    bandwidth_kbps: float | None = None

    def takes(self, rate_hz: int, channels: int) -> tuple[int, int]:
        return rate_hz, channels

    def encode(self, audio: np.ndarray, rate_hz: int) -> Encoded:
        return Encoded(audio, None)

    def decode(self, encoded: Encoded, rate_hz: int, num_samples: int) -> np.ndarray:
        return encoded.content[..., :num_samples]


@dataclass(frozen=True)
class LowPass:
    """The low anchor of MUSHRA (ITU-R BS.1534-3, section 5.1): the recording below 3.5 kHz.

    A linear-phase filter, so it stays in step: at most 0.1 dB of ripple to 3.5 kHz, at least 50 dB
    down from 4 kHz on (the recommendation asks for 25 dB at 4 kHz and 50 dB at 4.5 kHz).
    """

    name: str = "lowpass"
    bandwidth_kbps: float | None = None

    def takes(self, rate_hz: int, channels: int) -> tuple[int, int]:
        return rate_hz, channels

    def encode(self, audio: np.ndarray, rate_hz: int) -> Encoded:
        return Encoded(audio, None)

    def decode(self, encoded: Encoded, rate_hz: int, num_samples: int) -> np.ndarray:
        return low_pass(encoded.content, rate_hz)[..., :num_samples]


def low_pass(audio: np.ndarray, rate_hz: int, cutoff_hz: float = ANCHOR_HZ) -> np.ndarray:
    """(C, T) filtered to `cutoff_hz`, without delay; unchanged where the rate holds nothing above it."""
    from scipy import signal as scipy_signal

    signal: Any = scipy_signal  # its stubs know neither window tuples nor the result

    if rate_hz <= 2 * (cutoff_hz + 500):
        return audio
    count, beta = signal.kaiserord(60.0, 500 / (rate_hz / 2))
    taps = signal.firwin(count | 1, cutoff_hz + 250, window=("kaiser", beta), fs=rate_hz)
    return signal.fftconvolve(audio, taps[None], mode="same", axes=1).astype(np.float32)
