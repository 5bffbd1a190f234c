"""Speed and equalizer: they do what they say, and where they are off nothing is drawn."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from recodec import presets
from recodec.errors import ConfigError
from recodec.training.augment import coefficients, equalize
from recodec.training.config import TrainConfig
from recodec.training.data import Examples

RATE = 24_000


@pytest.fixture
def sine(tmp_path: Path) -> TrainConfig:
    """A shard of a sine of 1 kHz."""
    wave = 0.3 * np.sin(2 * np.pi * 1000 * np.arange(4 * RATE) / RATE)
    np.save(tmp_path / "music-000.npy", np.round(32767 * wave).astype(np.int16))
    return TrainConfig(presets.tiny(), str(tmp_path), crop_s=1.0, gain_db=(0.0, 0.0))


def loudest_hz(audio: np.ndarray) -> int:
    """Of a second of audio."""
    return int(np.abs(np.fft.rfft(audio[0] * np.hanning(audio.shape[1]))).argmax())


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_speed_moves_the_pitch(sine: TrainConfig, factor: float) -> None:
    example = Examples(dataclasses.replace(sine, speed=(factor, factor)))[0]
    assert example.audio.shape == (1, RATE)
    assert loudest_hz(example.audio) == pytest.approx(1000 * factor, abs=1)
    assert loudest_hz(Examples(sine)[0].audio) == 1000


def test_a_recording_too_short_for_the_speed_is_taken_as_it_is(sine: TrainConfig) -> None:
    whole = dataclasses.replace(sine, crop_s=4.0)
    fast = Examples(dataclasses.replace(whole, speed=(1.5, 1.5)))[0]
    assert np.array_equal(fast.audio, Examples(whole)[0].audio)


@pytest.mark.parametrize("kind", ["low", "high", "peak"])
@pytest.mark.parametrize("gain_db", [-6.0, 6.0])
def test_a_filter_has_its_gain_where_it_should(kind: str, gain_db: float) -> None:
    above, below = coefficients(kind, 0.1, gain_db, 1.0)

    def response_db(frequency: float) -> float:
        turn = np.exp(-2j * np.pi * frequency) ** np.arange(3)
        return float(20 * np.log10(np.abs(above @ turn / (below @ turn))))

    expected = {"low": (gain_db, gain_db / 2, 0.0), "high": (0.0, gain_db / 2, gain_db), "peak": (0.0, gain_db, 0.0)}
    found = [response_db(frequency) for frequency in (0.0, 0.1, 0.5)]
    assert found == pytest.approx(expected[kind], abs=1e-6)
    assert np.abs(np.roots(below)).max() < 1


def test_the_equalizer_changes_the_spectrum_and_not_the_level() -> None:
    noise = np.random.default_rng(0).normal(size=(1, RATE)).astype(np.float32)
    shaped = equalize(noise, RATE, np.random.default_rng(1), 12.0)
    assert shaped.shape == noise.shape
    assert float(np.sum(shaped**2)) == pytest.approx(float(np.sum(noise**2)), rel=1e-4)
    bands = [np.abs(np.fft.rfft(x[0])) ** 2 for x in (noise, shaped)]
    change_db = [10 * np.log10(bands[1][lo:hi].sum() / bands[0][lo:hi].sum()) for lo, hi in ((0, 50), (9000, 12_000))]
    assert max(map(abs, change_db)) > 2
    plain = equalize(noise, RATE, np.random.default_rng(1), 0.0)
    np.testing.assert_allclose(plain, noise, rtol=0, atol=1e-5)


def test_examples_go_through_the_equalizer_as_often_as_is_said(sine: TrainConfig) -> None:
    plain, shaped = Examples(sine), Examples(dataclasses.replace(sine, equalizer_probability=0.5))
    changed = [not np.allclose(plain[n].audio, shaped[n].audio, atol=1e-3) for n in range(24)]
    assert 4 <= sum(changed) <= 20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"speed": (1.1, 0.9)}, "speed must be two factors from 0.5 to 2"),
        ({"speed": (0.1, 1.0)}, "speed must be two factors"),
        ({"equalizer_probability": 2.0}, "equalizer_probability must be from 0 to 1"),
        ({"equalizer_db": -1.0}, "equalizer_db must be from 0 to 24"),
    ],
)
def test_bad_settings_are_named(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig(presets.tiny(), "x", **changes)
