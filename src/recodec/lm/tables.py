"""From scores to integer frequencies: version 1 of the rule that every writer and reader must share.

Scores of N symbols are exact integers in a unit of 2^-u bit. The rule, in integers throughout:

1. `d = (max - score) >> (u - 6)`: how many steps of 1/64 bit a symbol lies below the best one;
2. `e = E[d]`, with `E[d] = round(2^20 * 2^(-d/64))`, and 0 beyond the table;
3. `S = sum(e)`, and no symbol goes below `t = S // (2^16 - N) + 1`: `e = max(e, t)`, `S = sum(e)` again;
4. symbol i starts at `2^16 * (e[0] + ... + e[i-1]) // S` and ends where the next starts.

Step 3 makes every frequency at least 1: with the first S, t * (2^16 - N) > S, hence the second
S <= first S + N * t < t * 2^16, so a symbol's share 2^16 * e / S exceeds 1, and between two numbers
more than 1 apart lies a whole one. The total is 2^16 by construction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .arithmetic import STEP_BITS

TABLE_RULE = 1
TOTAL_BITS = 16
PEAK_BITS = 20
MIXING_BITS = 14


def exp2_table(peak_bits: int) -> np.ndarray:
    """(M,) int64: round(2^peak_bits * 2^(-i/64)), down to 1, and a final 0.

    floor(2^(p + 1 - i/64)) is the 64th root of 2^(64 (p + 1) - i), rounded down; and that is six
    integer square roots, since floor(sqrt(floor(y))) = floor(sqrt(y)).
    """
    # With one bit more than is asked for, half of the value, rounded up, is the nearest integer.
    top = (peak_bits + 1) << STEP_BITS
    values = []
    for i in range(top + 1):
        root = 1 << (top - i)
        for _ in range(STEP_BITS):
            root = math.isqrt(root)
        values.append((root + 1) >> 1)
    return np.array([*values, 0], dtype=np.int64)


def steps_below_best(scores: np.ndarray, rescale: np.ndarray | np.float32, last: int) -> np.ndarray:
    """(..., N) scores, integers or -inf, to (..., N) indices into an `exp2_table` whose end is `last`.

    Args:
        scores: below `DIFFERENCE_LIMIT` in size. Used up.
        rescale: power of two that brings the scores' unit to 2^-6 bit.
        last: index that stands for everything further below.
    """
    below = np.subtract(scores.max(axis=-1, keepdims=True), scores, out=scores)
    below *= rescale
    # Before the conversion, because the difference of a score of -inf is infinite, and an integer cannot be.
    np.minimum(below, np.float32(last), out=below)
    return below.astype(np.int32).astype(np.intp)  # by way of int32: much faster than at once


@dataclass(frozen=True)
class Tables:
    """Frequency tables of M rows.

    Attributes:
        sums: (M, N) int32, e[0] + ... + e[i] of the rule's third step; `sums[:, -1]` is S.
    """

    sums: np.ndarray

    def interval(self, symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Starts and frequencies, (M,) int64, of (M,) symbols."""
        rows = np.arange(len(symbols))
        ends = self.sums[rows, symbols].astype(np.int64)
        begins = self.sums[rows, symbols - 1].astype(np.int64)  # the last of the row for symbol 0
        begins[symbols == 0] = 0
        total = self.sums[:, -1].astype(np.int64)
        starts = (begins << TOTAL_BITS) // total
        return starts, (ends << TOTAL_BITS) // total - starts

    def find(self, targets: np.ndarray) -> np.ndarray:
        """(M,) int64 symbols whose intervals hold the (M,) targets, each below 2^16.

        Symbol i ends beyond target v where floor(2^16 * sums[i] / S) >= v + 1, that is, where
        sums[i] >= (v + 1) * S / 2^16: the first such i is meant.
        """
        total = self.sums[:, -1].astype(np.int64)
        least = ((targets + 1) * total + ((1 << TOTAL_BITS) - 1)) >> TOTAL_BITS
        # The bound is at most S, since targets are below 2^16, so int32 holds it.
        return (self.sums >= least.astype(np.int32)[:, None]).argmax(axis=1)

    def find_one(self, target: int) -> tuple[int, int, int]:
        """The symbol of the only row whose interval holds the target; its start and frequency."""
        sums = self.sums[0]
        total = int(sums[-1])
        symbol = int(sums.searchsorted(((target + 1) * total + ((1 << TOTAL_BITS) - 1)) >> TOTAL_BITS))
        start = (int(sums[symbol - 1]) << TOTAL_BITS) // total if symbol else 0
        return symbol, start, (int(sums[symbol]) << TOTAL_BITS) // total - start

    def cumulative(self) -> np.ndarray:
        """(M, N + 1) int64 counts from 0 to 2^16."""
        total = self.sums[:, -1:].astype(np.int64)
        ends = (self.sums.astype(np.int64) << TOTAL_BITS) // total
        return np.concatenate([np.zeros_like(total), ends], axis=1)


class TableRule:
    """Version 1 of the rule for N symbols; see the head of this file.

    With more than 1,024 symbols `E` starts lower than 2^20, so that sums stay below 2^31.
    """

    def __init__(self, num_symbols: int) -> None:
        surplus = max(0, (num_symbols - 1).bit_length() - 10)
        self._heights = exp2_table(PEAK_BITS - surplus).astype(np.int32)
        self._room = (1 << TOTAL_BITS) - num_symbols

    def tables(self, scores: np.ndarray, rescale: np.ndarray | np.float32) -> Tables:
        """Tables of (M, N) scores; see `steps_below_best`, whose arguments they are."""
        e = self._heights.take(steps_below_best(scores, rescale, len(self._heights) - 1))
        # No sum reaches 2^31: docs/exact-entropy.md, No overflow.
        floor = e.sum(axis=-1, keepdims=True, dtype=np.int32) // np.int32(self._room) + np.int32(1)
        np.maximum(e, floor, out=e)
        return Tables(e.cumsum(axis=-1, dtype=np.int32, out=e))
