"""Resampling: exact lengths, and one result however the stream is cut."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.audio.resampling import Resampler, resample, resampled_length
from recodec.errors import AudioError

RATES = st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000])


@given(st.integers(0, 2**40), st.integers(1, 768_000), st.integers(1, 768_000))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_length_is_rounded_exactly(num_samples: int, from_hz: int, to_hz: int) -> None:
    length = resampled_length(num_samples, from_hz, to_hz)
    assert -Fraction(1, 2) < length - Fraction(num_samples * to_hz, from_hz) <= Fraction(1, 2)


def test_half_is_rounded_upwards() -> None:
    audio = np.ones((1, 1000), np.float32)
    assert resampled_length(1000, 24_000, 44_100) == 1838  # 1837.5; soxr by itself gives 1837
    assert resample(audio, 24_000, 44_100).shape == (1, 1838)


@given(RATES, RATES, st.integers(1, 2), st.lists(st.integers(0, 3000), max_size=6), st.integers(0, 99))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_any_cut_gives_the_same_bits(from_hz: int, to_hz: int, channels: int, sizes: list[int], seed: int) -> None:
    audio = np.random.default_rng(seed).standard_normal((channels, sum(sizes))).astype(np.float32)
    resampler = Resampler(channels, from_hz, to_hz)
    pieces, start = [], 0
    for size in sizes:
        pieces.append(resampler.step(audio[:, start : start + size]))
        start += size
    pieces.append(resampler.step(audio[:, start:], last=True))
    streamed = np.concatenate(pieces, axis=1)
    whole = resample(audio, from_hz, to_hz)
    assert whole.shape == (channels, resampled_length(sum(sizes), from_hz, to_hz))
    assert whole.dtype == np.float32
    np.testing.assert_array_equal(streamed, whole)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(16_000, 24_000), (44_100, 24_000), (24_000, 48_000)])
def test_a_tone_keeps_its_pitch_and_place(from_hz: int, to_hz: int) -> None:
    def tone(rate_hz: int) -> np.ndarray:
        return np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz).astype(np.float32)[None]

    error = resample(tone(from_hz), from_hz, to_hz) - tone(to_hz)
    assert np.abs(error[:, 1000:-1000]).max() < 1e-4


def test_same_rate_changes_nothing() -> None:
    audio = np.ones((2, 5), np.float32)
    assert resample(audio, 48_000, 48_000) is audio


@pytest.mark.parametrize("rate_hz", [0, 999, 768_001, 2**31])
def test_no_rate_of_audio_is_refused(rate_hz: int) -> None:
    for rates in ((rate_hz, 24_000), (24_000, rate_hz)):
        with pytest.raises(AudioError, match=f"{rate_hz} Hz"):
            Resampler(1, *rates)
