"""Exact products: bounds are proven from the weights, and a product that is not exact is found out."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.errors import CheckpointError, RecodecError
from recodec.lm.arithmetic import (
    EXACT_LIMIT,
    Linear,
    check_product,
    matmul_float64,
    norm_max,
    normalize,
    power_of_two,
    probe,
)

checked = settings(deadline=None, max_examples=40, derandomize=True)


def to_bfloat16(x: np.ndarray) -> np.ndarray:
    return (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


class TestNormalize:
    @checked
    @given(seed=st.integers(0, 1000), width=st.integers(1, 300), size=st.sampled_from([1, 50, 1 << 14, 1 << 21]))
    def test_is_the_root_mean_square_norm_to_half_a_unit(self, seed: int, width: int, size: int) -> None:
        x = np.random.default_rng(seed).integers(-size, size + 1, (3, width)).astype(np.float32)
        y = normalize(x)
        for row, got in zip(x.astype(np.int64).tolist(), y.tolist(), strict=True):
            mean = Fraction(sum(v * v for v in row) + 1, width)
            expected = [64 * v / math.sqrt(mean) for v in row]
            assert np.abs(np.array(got) - expected).max() <= 0.5 + 1e-3
        assert np.abs(y).max() <= norm_max(width)

    def test_zeros_stay_zeros(self) -> None:
        assert not normalize(np.zeros((2, 8), np.float32)).any()

    def test_reaches_its_bound_where_one_entry_holds_everything(self) -> None:
        x = np.zeros((1, 200), np.float32)
        x[0, 3] = 1 << 21
        assert norm_max(200) - 2 <= normalize(x).max() <= norm_max(200)


class TestLinear:
    def test_rounds_half_to_even_and_clips(self) -> None:
        layer = Linear(np.eye(4, dtype=np.float32), power_of_two(np.array([1, 1, 1, 0])), 0, 2)
        x = np.array([[3.0, 5.0, -7.0, 9.0]], np.float32)
        assert layer(x, np.matmul).tolist() == [[2, 2, 0, 2]]

    @checked
    @given(seed=st.integers(0, 1000), rows=st.integers(1, 40), inner=st.integers(1, 300))
    def test_product_is_that_of_integers_up_to_the_bound(self, seed: int, rows: int, inner: int) -> None:
        random = np.random.default_rng(seed)
        weight = random.integers(-300, 301, (inner, 7))
        in_max = EXACT_LIMIT // int(np.abs(weight).sum(0).max())
        check_product("w", weight, in_max, limit=EXACT_LIMIT)
        x = random.choice([-in_max, in_max], (rows, inner))
        for matmul in (np.matmul, matmul_float64):
            assert np.array_equal(matmul(x.astype(np.float32), weight.astype(np.float32)), x @ weight)


class TestBounds:
    def test_the_largest_sum_allowed_is_allowed(self) -> None:
        weight = np.full((4, 2), 1 << 12)
        check_product("w", weight, 1 << 10, limit=EXACT_LIMIT)
        with pytest.raises(CheckpointError, match="w: its weights allow sums up to 16777217"):
            check_product("w", weight, 1 << 10, bias=np.array([0, -1]), limit=EXACT_LIMIT)

    def test_int16s_lowest_value_counts_in_full(self) -> None:
        weight = np.full((1, 1), -(1 << 15), np.int16)
        with pytest.raises(CheckpointError):
            check_product("w", weight, 513, limit=EXACT_LIMIT)


class TestProbe:
    def test_accepts_exact_products(self) -> None:
        probe(np.matmul)
        probe(matmul_float64)

    @pytest.mark.parametrize("kind", ["inputs", "result"])
    def test_refuses_a_product_in_bfloat16(self, kind: str) -> None:
        def coarse(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            if kind == "result":
                return to_bfloat16(np.matmul(a, b))
            return np.matmul(to_bfloat16(a), to_bfloat16(b))

        with pytest.raises(RecodecError, match="exact"):
            probe(coarse)
