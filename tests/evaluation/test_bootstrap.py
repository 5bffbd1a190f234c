"""Confidence intervals: closed forms, coverage, and the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recodec.evaluation.bootstrap import bootstrap_mean
from recodec.evaluation.summary import format_interval, format_number


def test_the_interval_of_many_values_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(5.0, 2.0, 400)
    found = bootstrap_mean(values)
    half = 1.96 * values.std() / math.sqrt(400)
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(found.mean - half, abs=0.15 * half)
    assert found.high == pytest.approx(found.mean + half, abs=0.15 * half)
    assert bootstrap_mean(values) == found


def test_the_interval_agrees_with_scipy() -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(1).exponential(1.0, 40)
    other = scipy_stats.bootstrap((values,), np.mean, method="percentile", n_resamples=5000, rng=3).confidence_interval
    found = bootstrap_mean(values)
    assert found.low == pytest.approx(other.low, abs=0.03)
    assert found.high == pytest.approx(other.high, abs=0.03)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(200):
        found = bootstrap_mean(rng.normal(0, 1, 30), resamples=400)
        hits += found.low <= 0 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_few_values_and_undefined_ones() -> None:
    one = bootstrap_mean([3.0])
    assert (one.mean, one.low, one.high, one.count) == (3.0, 3.0, 3.0, 1)
    assert bootstrap_mean([3.0, math.nan, math.inf]) == one
    none = bootstrap_mean([])
    assert none.count == 0
    assert math.isnan(none.mean)
    assert format_interval(none) == format_interval(None) == "-"


def test_numbers_have_the_digits_that_suit_them() -> None:
    assert [format_number(v) for v in (1.234, 12.34, 123.4, -0.05)] == ["1.23", "12.3", "123", "-0.05"]
