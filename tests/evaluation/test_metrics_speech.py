"""Word errors and DNSMOS: the distance of words, what is asked for without its package, and what the packages say."""

from __future__ import annotations

from importlib import util

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recodec.audio import read_audio
from recodec.errors import ConfigError
from recodec.evaluation.campaign import Campaign
from recodec.evaluation.clips import Clip
from recodec.evaluation.codecs import parse_codecs
from recodec.evaluation.metrics import PAIR_METRICS, USUAL_METRICS, Pair, UndefinedMetricError
from recodec.evaluation.metrics.speech import word_distance
from support.scripts import ROOT
from support.signals import noise

WORDS = st.lists(st.sampled_from(["to", "be", "or", "not"]), max_size=8)


@given(first=WORDS, second=WORDS, third=WORDS)
def test_the_distance_of_words_is_a_metric(first: list[str], second: list[str], third: list[str]) -> None:
    distance = word_distance(first, second)
    assert (distance == 0) == (first == second)
    assert distance == word_distance(second, first)
    assert abs(len(first) - len(second)) <= distance <= max(len(first), len(second))
    assert word_distance(first, third) <= distance + word_distance(second, third)


def test_the_distance_of_words_counts_each_change() -> None:
    said = ["the", "quick", "brown", "fox"]
    assert word_distance(said, ["the", "quick", "fox"]) == 1
    assert word_distance(said, ["a", "quick", "brown", "fox", "jumps"]) == 2
    assert word_distance(said, []) == 4


def test_what_needs_a_package_is_not_usual_and_is_refused_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"dnsmos", "word_errors"} == set(PAIR_METRICS) - set(USUAL_METRICS)
    monkeypatch.setattr("recodec.evaluation.campaign.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"dnsmos needs speechmos, .*pip install 'recodec\[speech\]'"):
        Campaign([Clip("a.wav")], parse_codecs(["lowpass"]), ("visqol", "dnsmos"))


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """The example clip, (1, T) at 24 kHz."""
    return read_audio(ROOT / "examples" / "speech.wav")[0]


def measured(key: str, reference: np.ndarray, degraded: np.ndarray) -> float:
    for name in PAIR_METRICS[key].packages:
        if util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    return PAIR_METRICS[key].measure(Pair(reference, degraded, 24_000, "speech"))


def test_dnsmos_falls_with_noise(speech: np.ndarray) -> None:
    hiss = noise(speech.shape[1] / 24_000, 24_000, level=0.05)
    clean, noisy = measured("dnsmos", speech, speech), measured("dnsmos", speech, speech + hiss)
    assert clean > 3 > noisy + 0.5


def test_word_errors_of_the_same_and_of_nothing(speech: np.ndarray) -> None:
    assert measured("word_errors", speech, speech) == 0
    assert measured("word_errors", speech, np.zeros_like(speech)) == 100
    assert measured("word_errors", speech, speech[:, ::-1]) == measured("word_errors", speech, speech[:, ::-1])
    with pytest.raises(UndefinedMetricError, match="undefined for a silent reference"):
        measured("word_errors", np.zeros_like(speech), speech)
