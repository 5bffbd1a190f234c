"""What counts as audio, and channel conversion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recodec.audio.samples import check_audio, convert_channels
from recodec.errors import AudioError


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_good_audio_becomes_float32(dtype: str) -> None:
    audio = np.array([[0.5, -2.0]], dtype=dtype)
    checked = check_audio(audio)
    assert checked.dtype == np.float32
    np.testing.assert_array_equal(checked, [[0.5, -2.0]])


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (np.zeros(5), r"shape \(5,\)"),
        (np.zeros((1, 1, 5)), "shape"),
        (np.zeros((1, 5), np.int16), "int16"),
        (np.zeros((1, 5), complex), "complex128"),
        (np.zeros((0, 5)), "0 channels"),
        (np.zeros((3, 5)), "3 channels"),
        (np.zeros((2, 0)), "no samples"),
        (np.array([[0.0, 1e300]]), "sample 1 of channel 0 of the song is infinite"),
    ],
)
def test_bad_audio_is_named(audio: np.ndarray, message: str) -> None:
    with pytest.raises(AudioError, match=message) as caught:
        check_audio(audio, name="the song")
    assert "the song" in str(caught.value)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")])
def test_the_first_bad_sample_is_named(value: float, word: str) -> None:
    audio = np.zeros((2, 9))
    audio[1, 4] = value
    audio[0, 7] = np.nan
    with pytest.raises(AudioError, match=f"sample 104 of channel 1 of audio is {word}"):
        check_audio(audio, offset=100)


def test_channels() -> None:
    stereo = np.array([[1.0, 0.0], [0.0, -0.5]], dtype=np.float32)
    mono = convert_channels(stereo, 1)
    np.testing.assert_array_equal(mono, [[0.5, -0.25]])
    np.testing.assert_array_equal(convert_channels(mono, 2), [[0.5, -0.25], [0.5, -0.25]])
    assert convert_channels(stereo, 2) is stereo
    assert mono.dtype == np.float32


@pytest.mark.parametrize(("have", "want"), [(1, 3), (3, 1), (2, 0)])
def test_other_channels_are_refused(have: int, want: int) -> None:
    bad: Any = max(have, want) if max(have, want) > 2 else min(have, want)
    with pytest.raises(AudioError, match=f"{bad} channels"):
        convert_channels(np.zeros((have, 4), np.float32), want)
