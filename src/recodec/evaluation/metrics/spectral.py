"""Metrics of the spectrum: multi-scale mel distance and log-spectral distance."""

from __future__ import annotations

import itertools
import math
from functools import cache, partial

import numpy as np

from .base import Metric, Pair, UndefinedMetricError

MEL_SCALES = ((32, 5), (64, 10), (128, 20), (256, 40), (512, 80), (1024, 160), (2048, 320))
"""(window in samples, mel bands) of each scale of the mel distance."""
MEL_FLOOR = 1e-5
LSD_WINDOW, LSD_HOP = 2048, 512
LEVEL_EDGES_HZ = (100, 1000, 2000, 4000, 8000)
POWER_FLOOR = 1e-10


def mel_distance(pair: Pair) -> float:
    """Multi-scale mel distance: how far apart two magnitudes are, in powers of ten; lower is better.

    For windows of 2^5 to 2^11 samples (Hann, hop a quarter, 5 to 320 mel bands up to half the rate),
    the mean over bands and frames of |log10 max(S(x), 1e-5) - log10 max(S(x^), 1e-5)|, S being the
    magnitude in mel bands; then the mean over the seven scales. Scales and floor are those of the
    reconstruction loss of Kumar et al. 2023 (arXiv 2306.06546, section 3.3); mel filters after
    Slaney, unit area. On the mono mix at its own rate.

    Range: 0 (equal) upwards; a gain of g dB gives |g| / 20 where nothing is below the floor.
    """
    reference, degraded = pair.mono()
    total = 0.0
    for window, bands in MEL_SCALES:
        filters = mel_filters(pair.rate_hz, window, bands)
        a = pair.of_reference(("mel", window), lambda: _log_mel(reference, window, filters))  # noqa: B023
        total += float(np.abs(a - _log_mel(degraded, window, filters)).mean())
    return total / len(MEL_SCALES) / math.log(10)


def log_spectral_distance(pair: Pair) -> float:
    """Log-spectral distance in dB; lower is better.

    Per frame the root mean square over bins of 10 log10(|X|^2 / |X^|^2), then the mean over frames
    (Gray and Markel 1976, the L2 norm of log spectra), with a Hann window of 2048 samples, hop 512,
    and powers floored at 1e-10. On the mono mix at its own rate.

    Range: 0 (equal) upwards; a gain of g dB gives |g| where nothing is below the floor.
    """
    reference, degraded = pair.mono()
    a = pair.of_reference("lsd", lambda: _power_db(reference))
    return float(np.sqrt(np.square(a - _power_db(degraded)).mean(0)).mean())


def band_level(pair: Pair, low_hz: float, high_hz: float) -> float:
    """Level of the degraded signal minus that of the reference in a band, in dB; best is 0.

    10 log10 of the ratio of powers in the band, each by one transform of the whole signal, with 1e-9 added so that
    silence has a value. On the mono mix at its own rate. What comes back dull has a level below 0
    at high frequencies, which most other metrics hardly notice.

    Range: without end; a gain of g dB gives g.

    Raises:
        UndefinedMetricError: for a rate that does not reach the band.
    """
    if pair.rate_hz < 2 * high_hz:
        raise UndefinedMetricError(f"a band up to {high_hz:g} Hz needs a rate of {2 * high_hz:g} Hz")
    reference, degraded = pair.mono()
    a = pair.of_reference(("power",), lambda: _power(reference))
    hz = np.fft.rfftfreq(len(reference), 1 / pair.rate_hz)
    band = (hz >= low_hz) & (hz < high_hz)
    return float(10 * np.log10((_power(degraded)[band].sum() + 1e-9) / (a[band].sum() + 1e-9)))


def _power(signal: np.ndarray) -> np.ndarray:
    return np.square(np.abs(np.fft.rfft(signal)))


def stft_magnitude(signal: np.ndarray, window: int, hop: int) -> np.ndarray:
    """(T,) to magnitudes (window / 2 + 1, frames): periodic Hann, the signal mirrored at its ends.

    Signals too short to be mirrored are extended by zeros. It is done in the signal's precision.
    """
    from scipy import fft  # several times faster than numpy's, above all in single precision

    half = window // 2
    if len(signal) <= half:
        signal = np.pad(signal, (0, half + 1 - len(signal)))
    padded = np.pad(signal, half, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    taper = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(signal.dtype)
    return np.abs(np.asarray(fft.rfft(frames * taper, axis=1))).T


@cache
def mel_filters(rate_hz: int, window: int, bands: int) -> np.ndarray:
    """Triangular mel filters (bands, window / 2 + 1) from 0 Hz to half the rate, each of unit area in Hz.

    Mel scale after Slaney's Auditory Toolbox: linear (200/3 Hz a mel) below 1 kHz, logarithmic
    above it (27 mel for a factor of 6.4).
    """
    edges = _mel_to_hz(np.linspace(0.0, _hz_to_mel(rate_hz / 2), bands + 2))
    bins = np.linspace(0.0, rate_hz / 2, window // 2 + 1)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (bins - left) / (centre - left)
    falling = (right - bins) / (right - centre)
    return (np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (right - left))).astype(np.float32)


_MEL_KNEE_HZ, _MEL_KNEE = 1000.0, 15.0
_MEL_STEP = math.log(6.4) / 27.0


def _hz_to_mel(hz: float) -> float:
    if hz < _MEL_KNEE_HZ:
        return 3.0 * hz / 200.0
    return _MEL_KNEE + math.log(hz / _MEL_KNEE_HZ) / _MEL_STEP


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(
        mel < _MEL_KNEE, 200.0 * mel / 3.0, _MEL_KNEE_HZ * np.exp(_MEL_STEP * (np.maximum(mel, _MEL_KNEE) - _MEL_KNEE))
    )


def _log_mel(signal: np.ndarray, window: int, filters: np.ndarray) -> np.ndarray:
    """Natural logarithm of the floored mel magnitudes; single precision is ample above the floor."""
    magnitude = stft_magnitude(signal.astype(np.float32), window, window // 4)
    return np.log(np.maximum(filters @ magnitude, np.float32(MEL_FLOOR)))


def _power_db(signal: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(stft_magnitude(signal, LSD_WINDOW, LSD_HOP) ** 2, POWER_FLOOR))


MEL = Metric[Pair](
    "mel_distance", "Mel distance", "", 0.0, math.inf, "lower",
    "Mean absolute difference of log10 mel magnitudes over windows of 32 to 2048 samples.",
    "Kumar et al. 2023, arXiv 2306.06546, section 3.3", mel_distance,
)  # fmt: skip
LSD = Metric[Pair](
    "lsd", "Log-spectral distance", "dB", 0.0, math.inf, "lower",
    "Root mean square over frequency of the difference of power spectra in dB, averaged over frames.",
    "Gray and Markel 1976, IEEE TASSP 24(5)", log_spectral_distance,
)  # fmt: skip
LEVELS = tuple(
    Metric[Pair](
        f"level_{high_hz}", f"Level, {low_hz / 1000:g} to {high_hz / 1000:g} kHz", "dB", -math.inf, math.inf, "zero",
        f"Power of the degraded signal from {low_hz} to {high_hz} Hz against that of the reference.",
        "plain definition", partial(band_level, low_hz=low_hz, high_hz=high_hz),
    )
    for low_hz, high_hz in itertools.pairwise(LEVEL_EDGES_HZ)
)  # fmt: skip
