"""SI-SNR and loudness against closed forms and an independent implementation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.errors import AudioError
from recodec.evaluation.metrics import Pair, UndefinedMetricError
from recodec.evaluation.metrics.waveform import loudness_difference, si_snr
from support.signals import noise, sine

RATE = 24_000


def with_noise(level: float, seed: int = 1) -> Pair:
    x = noise(1.0, RATE)
    return Pair(x, x + noise(1.0, RATE, seed=seed, level=level), RATE)


@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.floats(0.001, 10.0), st.integers(1, 1000))
def test_si_snr_is_a_function_of_the_correlation(level: float, seed: int) -> None:
    pair = with_noise(level, seed)
    r = np.corrcoef(pair.reference[0].astype(float), pair.degraded[0].astype(float))[0, 1]
    assert si_snr(pair) == pytest.approx(10 * math.log10(r**2 / (1 - r**2)), abs=1e-6)


def test_si_snr_of_a_published_example() -> None:
    # The example in the documentation of torchmetrics.ScaleInvariantSignalNoiseRatio.
    pair = Pair(np.array([[3.0, -0.5, 2.0, 7.0]]), np.array([[2.5, 0.0, 2.0, 8.0]]), RATE)
    assert si_snr(pair) == pytest.approx(15.0918, abs=1e-4)


@pytest.mark.parametrize("gain", [1e-3, -0.5, 40.0])
def test_si_snr_ignores_gain_and_offset(gain: float) -> None:
    pair = with_noise(0.05)
    moved = Pair(pair.reference, (gain * pair.degraded + 0.1).astype(np.float64), RATE)
    assert si_snr(moved) == pytest.approx(si_snr(pair), abs=1e-4)


def test_si_snr_at_its_ends() -> None:
    x = noise(0.1, RATE)
    assert si_snr(Pair(x, x, RATE)) == 100.0
    assert si_snr(Pair(x, np.zeros_like(x), RATE)) == -100.0
    assert si_snr(Pair(np.array([[1.0, -1.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 1.0, -1.0]]), RATE)) == -100.0
    with pytest.raises(UndefinedMetricError, match="silent reference"):
        si_snr(Pair(np.full_like(x, 0.25), x, RATE))
    with pytest.raises(UndefinedMetricError, match="silent reference"):
        si_snr(Pair(x[:, :1], x[:, :1], RATE))


def test_si_snr_of_stereo_is_the_mean_of_its_channels() -> None:
    x, y = noise(0.5, RATE, channels=2), noise(0.5, RATE, channels=2, seed=2) * np.array([[0.1], [1.0]], np.float32)
    both = si_snr(Pair(x, x + y, RATE))
    left, right = (si_snr(Pair(x[i : i + 1], (x + y)[i : i + 1], RATE)) for i in range(2))
    assert both == pytest.approx((left + right) / 2)


def bs1770_lufs(signal: np.ndarray) -> float:
    """Ungated loudness at 48 kHz with the filter coefficients printed in ITU-R BS.1770-4, tables 1 and 2."""
    from scipy.signal import lfilter

    shelf = lfilter(
        [1.53512485958697, -2.69169618940638, 1.19839281085285], [1.0, -1.69065929318241, 0.73248077421585], signal
    )
    weighted = lfilter([1.0, -2.0, 1.0], [1.0, -1.99004745483398, 0.99007225036621], shelf)
    return -0.691 + 10 * math.log10(np.mean(np.square(weighted)))


@pytest.mark.parametrize("hz", [60.0, 100.0, 4000.0, 10_000.0])
def test_loudness_follows_the_standard(hz: float) -> None:
    reference, degraded = sine(3.0, 48_000, 997.0), sine(3.0, 48_000, hz)
    expected = bs1770_lufs(degraded[0]) - bs1770_lufs(reference[0])
    assert loudness_difference(Pair(reference, degraded, 48_000)) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("gain_db", [-20.0, 3.0])
def test_loudness_difference_of_a_gain_is_the_gain(gain_db: float) -> None:
    x = noise(2.0, RATE)
    pair = Pair(x, x * np.float32(10 ** (gain_db / 20)), RATE)
    assert loudness_difference(pair) == pytest.approx(gain_db, abs=1e-3)


def test_loudness_of_silence_and_of_short_signals() -> None:
    x, silence = sine(1.0, 48_000, 997.0, amplitude=1.0), np.zeros((1, 48_000), np.float32)
    # BS.1770: a sine of 997 Hz at full scale has -3.01 LKFS.
    assert loudness_difference(Pair(x, silence, 48_000)) == pytest.approx(-70 + 3.01, abs=0.05)
    assert loudness_difference(Pair(silence, silence, 48_000)) == 0.0
    with pytest.raises(UndefinedMetricError, match=r"0\.4 s"):
        loudness_difference(Pair(x[:, :100], x[:, :100], 48_000))


@pytest.mark.parametrize(
    ("reference", "degraded", "message"),
    [
        (np.zeros((1, 5)), np.zeros((1, 6)), "one shape"),
        (np.zeros((1, 0)), np.zeros((1, 0)), "with a sample"),
        (np.zeros(5), np.zeros(5), "channels, samples"),
        (np.zeros((1, 5)), np.full((1, 5), np.nan), "not finite"),
    ],
)
def test_a_pair_that_cannot_be_compared_is_refused(reference: np.ndarray, degraded: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        Pair(reference, degraded, RATE)
