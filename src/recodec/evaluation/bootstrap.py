"""Confidence intervals of a mean by the bootstrap over files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval; all NaN without any value.

    Attributes:
        mean, low, high: in the unit of the values.
        count: values it rests on.
    """

    mean: float
    low: float
    high: float
    count: int


def bootstrap_mean(
    values: Sequence[float] | np.ndarray, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Mean of the finite values, with a percentile interval (Efron 1979): files drawn with replacement.

    One value alone has an interval of no width. The result depends on `seed`, not on the machine.
    """
    array = np.asarray(values, dtype=np.float64)
    array = array[np.isfinite(array)]
    if array.size == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    draws = np.random.default_rng(seed).integers(0, array.size, (resamples, array.size))
    low, high = np.quantile(array[draws].mean(1), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(array.mean()), float(low), float(high), int(array.size))
