"""ViSQOL, PESQ and STOI: published values, a second implementation, and the edges."""

from __future__ import annotations

import math
from importlib.util import find_spec

import numpy as np
import pytest
from scipy import signal

from recodec.evaluation.metrics import PAIR_METRICS, Pair, UndefinedMetricError
from recodec.evaluation.metrics.perceptual import extended_stoi, pesq_wideband, stoi, visqol
from support.signals import noise, voice

RATE = 16_000


def noisy_voice(snr_db: float) -> Pair:
    x = voice(3.0, RATE)
    hiss = noise(3.0, RATE, seed=5)
    gain = np.sqrt(np.sum(x**2) / np.sum(hiss**2)) * 10 ** (-snr_db / 20)
    return Pair(x, (x + gain * hiss).astype(np.float32), RATE, "speech")


def test_visqol_of_equal_signals_is_the_published_best() -> None:
    # The conformance test "castanets_identity" of Google's C++ implementation.
    x = noise(1.5, 48_000)
    assert visqol(Pair(x, x, 48_000, "music")) == pytest.approx(4.732101253042348, abs=1e-4)
    # Speech mode maps a similarity of 1 to min(5, 1.245063 (exp(0.0154302525 (1 + 361.063949)) - 262.847869)).
    v = voice(1.5, RATE)
    best = min(5.0, 1.245063 * (math.exp(0.0154302525 * (1 + 361.063949)) - 262.847869))
    assert visqol(Pair(v, v, RATE, "speech")) == pytest.approx(best, abs=1e-3)


def test_visqol_falls_with_noise() -> None:
    scores = [visqol(noisy_voice(snr)) for snr in (30, 10, -5)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] - scores[-1] > 1


def test_pesq_of_equal_signals_is_the_end_of_its_mapping() -> None:
    # P.862.2, equation 1: y = 0.999 + 4 / (1 + exp(-1.3669 x + 3.8224)), with x = 4.5 for equal signals.
    x = voice(2.0, RATE)
    best = 0.999 + 4 / (1 + math.exp(-1.3669 * 4.5 + 3.8224))
    assert pesq_wideband(Pair(x, x, RATE, "speech")) == pytest.approx(best, abs=1e-3)
    # P.862 aligns levels: a gain costs nothing.
    assert pesq_wideband(Pair(x, x * np.float32(0.5), RATE, "speech")) == pytest.approx(best, abs=0.01)


def test_pesq_falls_with_noise() -> None:
    scores = [pesq_wideband(noisy_voice(snr)) for snr in (40, 20, 0)]
    assert scores == sorted(scores, reverse=True)
    assert 1.0 < scores[-1] < 1.5


def third_octaves(x: np.ndarray) -> np.ndarray:
    """Envelopes (15 bands, frames) as in Taal et al. 2011, section II, of a signal at 10 kHz without pauses."""
    window = np.hanning(258)[1:-1]
    frames = [x[i : i + 256] * window for i in range(0, len(x) - 256, 128)]
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    grid = np.arange(257) * 10_000 / 512
    envelopes = []
    for band in range(15):
        low, high = (150 * 2 ** ((2 * band + shift) / 6) for shift in (-1, 1))
        first, last = np.argmin(np.abs(grid - low)), np.argmin(np.abs(grid - high))
        envelopes.append(np.sqrt(power[:, first:last].sum(1)))
    return np.array(envelopes)


def plain_stoi(x: np.ndarray, y: np.ndarray, *, extended: bool) -> float:
    a, b = third_octaves(x), third_octaves(y)
    scores = []
    for m in range(30, a.shape[1] + 1):
        p, q = a[:, m - 30 : m], b[:, m - 30 : m]
        if extended:
            for axis in (1, 0):
                p, q = (s - s.mean(axis, keepdims=True) for s in (p, q))
                p, q = (s / np.linalg.norm(s, axis=axis, keepdims=True) for s in (p, q))
            scores.append((p * q).sum() / 30)
        else:
            q = q * np.linalg.norm(p, axis=1, keepdims=True) / np.linalg.norm(q, axis=1, keepdims=True)
            q = np.minimum(q, p * (1 + 10 ** (15 / 20)))
            scores.append(np.mean([np.corrcoef(p[j], q[j])[0, 1] for j in range(15)]))
    return float(np.mean(scores))


@pytest.mark.parametrize("snr_db", [0.0, 10.0])
def test_stoi_agrees_with_a_second_implementation(snr_db: float) -> None:
    # A voice without pauses: nothing for the detector of silent frames to remove.
    x = voice(3.0, RATE)[0].astype(float) + 0.02 * noise(3.0, RATE, seed=8)[0]
    y = x + 10 ** (-snr_db / 20) * np.std(x) * np.random.default_rng(1).standard_normal(len(x))
    pair = Pair(x[None], y[None], RATE, "speech")
    a, b = (signal.resample_poly(s, 5, 8) for s in (x, y))
    assert stoi(pair) == pytest.approx(plain_stoi(a, b, extended=False), abs=0.01)
    assert extended_stoi(pair) == pytest.approx(plain_stoi(a, b, extended=True), abs=0.01)


def test_stoi_of_equal_signals_is_one_and_repeats_exactly() -> None:
    x = voice(2.0, RATE)
    assert stoi(Pair(x, x, RATE, "speech")) == pytest.approx(1.0, abs=1e-6)
    state = np.random.get_state(legacy=False)["state"]["key"].copy()
    assert extended_stoi(noisy_voice(5)) == extended_stoi(noisy_voice(5))
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], state)


@pytest.mark.parametrize("name", ["visqol", "pesq_wb", "stoi", "estoi"])
def test_silence_and_short_signals_are_named(name: str) -> None:
    measure = PAIR_METRICS[name].measure
    x, silence = voice(2.0, RATE), np.zeros((1, 2 * RATE), np.float32)
    with pytest.raises(UndefinedMetricError, match="silent reference"):
        measure(Pair(silence, x, RATE, "speech"))
    with pytest.raises(UndefinedMetricError):
        measure(Pair(x[:, 4000:4500], x[:, 4000:4500], RATE, "speech"))


@pytest.mark.parametrize("name", list(PAIR_METRICS))
def test_silence_in_return_has_a_value_within_range_or_a_named_error(name: str) -> None:
    metric = PAIR_METRICS[name]
    if any(find_spec(package) is None for package in metric.packages):
        pytest.skip("needs recodec[speech]")
    x = voice(2.0, RATE)
    try:
        value = metric.measure(Pair(x, np.zeros_like(x), RATE, "speech"))
    except UndefinedMetricError:
        return
    assert metric.low - 0.01 <= value <= metric.high


@pytest.mark.parametrize("metric", PAIR_METRICS.values(), ids=list(PAIR_METRICS))
def test_each_metric_tells_what_it_is(metric) -> None:
    assert metric.low < metric.high
    assert metric.better in ("higher", "lower", "zero")
    assert len(metric.definition) > 30
    assert metric.source
