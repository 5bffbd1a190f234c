"""Version 1 of the rule from scores to frequencies, against the rule as written, in Python's integers."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.lm.tables import PEAK_BITS, TOTAL_BITS, TableRule, exp2_table

checked = settings(deadline=None, max_examples=60, derandomize=True)
SIZES = [2, 3, 64, 1000, 1024, 1025, 2048, 4096]


def reference(scores: list[int], unit: int) -> list[int]:
    """Cumulative counts by the head of `tables.py`, word for word."""
    peak = PEAK_BITS - max(0, (len(scores) - 1).bit_length() - 10)
    heights = exp2_table(peak).tolist()
    best = max(scores)
    e = [heights[min((best - s) >> (unit - 6), len(heights) - 1)] for s in scores]
    floor = sum(e) // (2**16 - len(scores)) + 1
    e = [max(v, floor) for v in e]
    total = sum(e)
    return [(below << 16) // total for below in accumulate(e, initial=0)]


def scores_of(seed: int, size: int, spread: float) -> np.ndarray:
    return np.rint(np.random.default_rng(seed).normal(size=(3, size)) * spread)


@pytest.mark.parametrize("peak", [14, 20])
def test_exponentials_are_rounded_to_the_nearest_integer(peak: int) -> None:
    table = exp2_table(peak).tolist()
    assert table[-1] == 0
    assert table[0] == 1 << peak
    for i, value in enumerate(table[:-1]):  # value - 1/2 <= 2^(peak - i/64) < value + 1/2, to the power of 64
        assert (2 * value - 1) ** 64 <= 1 << (64 * (peak + 1) - i) < (2 * value + 1) ** 64


@checked
@given(
    seed=st.integers(0, 1000),
    size=st.sampled_from(SIZES),
    unit=st.integers(6, 14),
    spread=st.sampled_from([0.0, 1.0, 300.0, 20_000.0, 1_000_000.0]),
)
def test_tables_are_those_of_the_rule(seed: int, size: int, unit: int, spread: float) -> None:
    scores = scores_of(seed, size, spread)
    got = TableRule(size).tables(scores.astype(np.float32), np.float32(2.0 ** (6 - unit))).cumulative()
    assert got.tolist() == [reference(row, unit) for row in scores.astype(int).tolist()]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["flat", "one", "last", "all but one", "steps"])
def test_every_symbol_has_a_place_and_the_total_is_kept(size: int, kind: str) -> None:
    low = -float(1 << 22)
    scores = {
        "flat": np.zeros(size),
        "one": np.where(np.arange(size) == 0, 0.0, low),
        "last": np.where(np.arange(size) == size - 1, 0.0, low),
        "all but one": np.where(np.arange(size) == size // 2, low, 0.0),
        "steps": -np.arange(size) * 1000.0,
    }[kind]
    counts = TableRule(size).tables(scores[None].astype(np.float32), np.float32(1 / 64)).cumulative()[0]
    assert counts[0] == 0
    assert counts[-1] == 1 << TOTAL_BITS
    assert np.diff(counts).min() >= 1


@checked
@given(seed=st.integers(0, 1000), size=st.sampled_from(SIZES), spread=st.sampled_from([0.0, 300.0, 20_000.0]))
def test_find_and_interval_agree_with_the_counts(seed: int, size: int, spread: float) -> None:
    tables = TableRule(size).tables(scores_of(seed, size, spread).astype(np.float32), np.float32(1 / 16))
    counts = tables.cumulative()
    some = np.random.default_rng(seed).integers(0, size, 10)
    targets = np.concatenate([counts[:, some], counts[:, some + 1] - 1, counts[:, -1:] - 1], axis=1)
    for column in targets.T:
        symbols = tables.find(column)
        starts, freqs = tables.interval(symbols)
        rows = np.arange(3)
        assert np.array_equal(starts, counts[rows, symbols])
        assert np.array_equal(freqs, counts[rows, symbols + 1] - starts)
        assert bool(((starts <= column) & (column < starts + freqs)).all())


def test_the_floor_costs_a_peaked_distribution_little() -> None:
    size = 1024
    probabilities = 0.5 ** np.arange(1, size + 1).clip(max=16)
    probabilities /= probabilities.sum()
    scores = np.rint(np.log2(probabilities) * 2**14)
    counts = TableRule(size).tables(scores[None].astype(np.float32), np.float32(2.0**-8)).cumulative()[0]
    coded = np.diff(counts) / 2**16
    entropy = -(probabilities * np.log2(probabilities)).sum()
    assert (probabilities * np.log2(probabilities / coded)).sum() < 0.005 * entropy
