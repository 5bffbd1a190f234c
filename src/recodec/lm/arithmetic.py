"""The operations that the exact evaluation is made of. Why each is exact: `docs/exact-entropy.md`.

Activations and weights are integers held in float32. A matrix product is exact because every product
and every partial sum stays at or below 2^24 in size; between the products stand single IEEE operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import CheckpointError, RecodecError

EXACT_LIMIT = 1 << 24
"""float32 holds every integer up to this size."""

DIFFERENCE_LIMIT = 1 << 23
"""Scores stay below this, so that the difference of two stays below `EXACT_LIMIT`."""

STREAM_MAX = 1 << 20
"""Bound of the residual stream."""

NORM_SHIFT = 6
"""A normalized activation of 1 is 2^6."""

STEP_BITS = 6
"""Scores are rounded down to steps of 2^-6 bit before their exponential is looked up."""

Matmul = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(..., M, I) times (..., I, N), float32 arrays of integers; the result is the exact product, in float32."""


def matmul_float64(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The same product by way of float64, where every bound holds with 29 bits to spare."""
    return np.matmul(a.astype(np.float64), b.astype(np.float64)).astype(np.float32)


def norm_max(width: int) -> int:
    """Bound of a normalized activation: no entry of d numbers of unit mean square exceeds sqrt(d)."""
    return math.isqrt(width << 2 * NORM_SHIFT) + 2


def normalize(x: np.ndarray) -> np.ndarray:
    """RMS norm: (..., d) integers below 2^22 in size to integers of mean square 2^12, rounded.

    The mean square is one exact integer sum and three float64 operations; each entry is then one
    float32 product, and rounded. The 1 added to the sum keeps zeros zero.
    """
    wide = x.astype(np.float64)
    squares = np.einsum("...i,...i->...", wide, wide) + 1.0
    gain = (2.0**NORM_SHIFT / np.sqrt(squares / x.shape[-1])).astype(np.float32)
    y = x * gain[..., None]
    return np.rint(y, out=y)


@dataclass(frozen=True)
class Linear:
    """x @ weight, brought to the output's unit by powers of two, rounded and clipped.

    Attributes:
        weight: (..., I, O) float32 integers.
        rescale: (..., O) float32 powers of two.
        low, high: bounds of the result. `low = 0` is a ReLU.
    """

    weight: np.ndarray
    rescale: np.ndarray
    low: float
    high: float

    def __call__(self, x: np.ndarray, matmul: Matmul) -> np.ndarray:
        """(..., M, I) to (..., M, O)."""
        y = matmul(x, self.weight)
        y *= self.rescale
        np.rint(y, out=y)
        return y.clip(self.low, self.high, out=y)


def power_of_two(shift: np.ndarray) -> np.ndarray:
    """2 to the power of -shift, as float32."""
    return np.ldexp(np.ones(shift.shape, np.float32), -shift.astype(np.int32))


def check_product(name: str, weight: np.ndarray, in_max: int, *, bias: np.ndarray | int = 0, limit: int) -> None:
    """Prove from the weights that no partial sum of x @ weight + bias can exceed `limit`.

    Whatever the order of summation, a partial sum is at most the sum of all sizes:
    in_max * sum(|w|) + |bias|.

    Args:
        name: for the error.
        weight: (..., I, O) integers.
        in_max: bound of the entries of x.
        bias: (..., O) integers.
        limit: largest size allowed.

    Raises:
        CheckpointError: if the bound does not hold.
    """
    sizes = np.abs(weight.astype(np.int64)).sum(axis=-2) * in_max + np.abs(np.asarray(bias, np.int64))
    if int(sizes.max(initial=0)) > limit:
        raise CheckpointError(f"{name}: its weights allow sums up to {int(sizes.max())}, beyond the exact {limit}")


def probe(matmul: Matmul) -> None:
    """Try products that leave no bit of float32 unused, and compare them with integer arithmetic.

    Catches a BLAS that multiplies in less than float32 (bfloat16 or TF32 modes), before it can write
    a file that no other machine reads.

    Raises:
        RecodecError: if a product is not exact.
    """
    random = np.random.default_rng(0)
    for rows, inner, columns in ((1, 200, 800), (33, 200, 64), (5, 800, 40)):
        high = math.isqrt(EXACT_LIMIT // inner)
        a = random.integers(-high, high + 1, (rows, inner))
        b = random.integers(-high, high + 1, (inner, columns))
        if not np.array_equal(matmul(a.astype(np.float32), b.astype(np.float32)).astype(np.int64), a @ b):
            raise RecodecError(
                "this machine's matrix product is less precise than float32: entropy coding needs exact products"
            )
