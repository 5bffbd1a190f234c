"""Mel distance and log-spectral distance against other implementations and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from recodec.evaluation.metrics import PAIR_METRICS, Pair, UndefinedMetricError
from recodec.evaluation.metrics.spectral import (
    MEL_SCALES,
    band_level,
    log_spectral_distance,
    mel_distance,
    mel_filters,
    stft_magnitude,
)
from support.signals import noise, voice

RATE = 24_000


def pairs() -> list[Pair]:
    x, v = noise(1.0, RATE), voice(1.5, RATE)
    return [Pair(x, x + noise(1.0, RATE, seed=3, level=0.03), RATE), Pair(v, np.round(v * 32) / 32, RATE)]


def scipy_magnitude(x: np.ndarray, window: int, hop: int) -> np.ndarray:
    stft = signal.ShortTimeFFT(np.asarray(signal.get_window("hann", window)), hop, RATE, fft_mode="onesided")
    padded = np.pad(x, window // 2, mode="reflect")
    slices = np.arange(window // 2, len(padded) - window // 2 + 1, hop)
    return np.stack([np.abs(np.fft.rfft(padded[m - window // 2 : m + window // 2] * stft.win)) for m in slices], 1)


@pytest.mark.parametrize("pair", pairs(), ids=["noise", "voice"])
def test_mel_distance_agrees_with_transformers_filters(pair: Pair) -> None:
    audio_utils = pytest.importorskip("transformers.audio_utils")
    total = 0.0
    for window, bands in MEL_SCALES:
        filters = audio_utils.mel_filter_bank(window // 2 + 1, bands, 0.0, RATE / 2, RATE, norm="slaney",
                                              mel_scale="slaney")  # fmt: skip
        a, b = (
            np.log10(np.maximum(filters.T @ scipy_magnitude(x.astype(float), window, window // 4), 1e-5))
            for x in (pair.reference[0], pair.degraded[0])
        )
        total += np.abs(a - b).mean()
    assert mel_distance(pair) == pytest.approx(total / len(MEL_SCALES), rel=1e-4)


@pytest.mark.parametrize("pair", pairs(), ids=["noise", "voice"])
def test_log_spectral_distance_agrees_with_another_stft(pair: Pair) -> None:
    a, b = (
        10 * np.log10(np.maximum(scipy_magnitude(x.astype(float), 2048, 512) ** 2, 1e-10))
        for x in (pair.reference[0], pair.degraded[0])
    )
    expected = np.mean([np.sqrt(np.mean((a[:, t] - b[:, t]) ** 2)) for t in range(a.shape[1])])
    assert log_spectral_distance(pair) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("gain_db", [-12.0, 6.0])
def test_a_gain_moves_both_by_itself(gain_db: float) -> None:
    # Loud noise keeps every bin above the floors.
    x = noise(1.0, RATE, level=1.0)
    pair = Pair(x, x * np.float32(10 ** (gain_db / 20)), RATE)
    assert log_spectral_distance(pair) == pytest.approx(abs(gain_db), rel=1e-3)
    # The narrowest filters catch no bin at all: they stay at the floor and count 0.
    caught = np.mean([np.mean(mel_filters(RATE, w, n).sum(1) > 0) for w, n in MEL_SCALES])
    assert mel_distance(pair) == pytest.approx(abs(gain_db) / 20 * caught, rel=1e-3)


@pytest.mark.parametrize("length", [1, 2, 15, 100, 1025])
def test_silence_and_short_signals_have_values(length: int) -> None:
    x, silence = noise(1.0, RATE)[:, :length], np.zeros((1, length), np.float32)
    for metric in (mel_distance, log_spectral_distance):
        assert metric(Pair(x, x, RATE)) == 0.0
        assert metric(Pair(silence, silence, RATE)) == 0.0
        assert 0.0 < metric(Pair(x, silence, RATE)) < 200.0


def test_stereo_is_mixed_down() -> None:
    x = noise(0.5, RATE, channels=2)
    y = x + noise(0.5, RATE, channels=2, seed=9, level=0.02)
    stereo, mono = Pair(x, y, RATE), Pair(x.mean(0, keepdims=True), y.mean(0, keepdims=True), RATE)
    assert mel_distance(stereo) == pytest.approx(mel_distance(mono))


def test_stft_frames_cover_the_signal() -> None:
    assert stft_magnitude(np.ones(2048), 512, 128).shape == (257, 17)


def test_the_level_of_a_band_is_that_of_the_filtered_signal() -> None:
    x = noise(1.0, RATE)
    quieter = np.asarray(signal.sosfilt(signal.butter(8, 2000, "lowpass", fs=RATE, output="sos"), x, axis=-1))
    found = {key: PAIR_METRICS[key].measure(Pair(x, quieter, RATE)) for key in PAIR_METRICS if key.startswith("level_")}
    assert list(found) == ["level_1000", "level_2000", "level_4000", "level_8000"]
    assert abs(found["level_1000"]) < 0.2
    assert found["level_8000"] < found["level_4000"] < -10


@pytest.mark.parametrize("gain_db", [-9.0, 3.5])
def test_a_gain_moves_every_band_by_itself(gain_db: float) -> None:
    x = noise(1.0, RATE)
    assert band_level(Pair(x, x * 10 ** (gain_db / 20), RATE), 1000, 2000) == pytest.approx(gain_db, abs=1e-6)


def test_a_band_above_half_the_rate_has_no_level() -> None:
    x = noise(1.0, 8000)
    with pytest.raises(UndefinedMetricError, match="16000 Hz"):
        PAIR_METRICS["level_8000"].measure(Pair(x, x, 8000))
