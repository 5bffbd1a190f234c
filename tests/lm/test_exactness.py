"""The same integers whatever the batch, the cuts, the precision, the library and the threads."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.errors import ConfigError
from recodec.lm.arithmetic import Matmul, matmul_float64
from recodec.lm.attention import MAX_PUSH_FRAMES
from recodec.lm.config import CodeLMConfig
from recodec.lm.network import ExactLM
from support import tiny_lm
from support.tiny_lm import GOLDEN, TINY, golden_digest, random_codes, sums_of, tiny_tensors

checked = settings(deadline=None, max_examples=25, derandomize=True)
LM = ExactLM(TINY, tiny_tensors())


def matmul_int64(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.matmul(a.astype(np.int64), b.astype(np.int64)).astype(np.float32)


def matmul_torch(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return torch.matmul(torch.from_numpy(np.ascontiguousarray(a)), torch.from_numpy(np.ascontiguousarray(b))).numpy()


def matmul_backwards(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Another order of summation."""
    return np.matmul(a[..., ::-1], b[..., ::-1, :])


@pytest.mark.parametrize("matmul", [matmul_float64, matmul_int64, matmul_torch, matmul_backwards])
def test_any_exact_product_gives_the_same_tables(matmul: Matmul) -> None:
    codes = random_codes(2, 4, 40)
    assert np.array_equal(sums_of(ExactLM(TINY, tiny_tensors(), matmul=matmul), codes), sums_of(LM, codes))


@checked
@given(cuts=st.lists(st.integers(1, 59), max_size=8), num_codebooks=st.integers(1, 4))
def test_frames_may_be_pushed_in_any_pieces(cuts: list[int], num_codebooks: int) -> None:
    codes = random_codes(2, num_codebooks, 60)
    assert np.array_equal(sums_of(LM, codes, cuts), sums_of(LM, codes))


def test_one_by_one_is_all_at_once_and_alone_is_together() -> None:
    codes = random_codes(5, 4, 45)
    together = sums_of(LM, codes, list(range(45)))
    for p in range(5):
        assert np.array_equal(together[:, p : p + 1], sums_of(LM, codes[p : p + 1]))


def test_a_cache_that_is_full_moves_on() -> None:
    frames = 3 * MAX_PUSH_FRAMES
    codes = random_codes(1, 2, frames)
    coarse = sums_of(LM, codes, list(range(0, frames, MAX_PUSH_FRAMES)))
    assert np.array_equal(sums_of(LM, codes, list(range(frames))), coarse)


def test_streams_that_end_leave_the_others_alone() -> None:
    codes = random_codes(3, 4, 20)
    state, sums = LM.start(3, 20), []
    for f in range(20):
        going = 3 if f < 7 else 1
        x = LM.push(codes[:going, :, max(0, f - 1) : f], state, 1)
        sums.append(LM.head(x[:, 0]).tables().sums[0])
    assert np.array_equal(sums[-1], sums_of(LM, codes[:1])[0, 0, -1])


def test_nothing_depends_on_what_comes_later() -> None:
    codes = random_codes(1, 4, 30)
    changed = codes.copy()
    changed[0, 2, 17] = (changed[0, 2, 17] + 1) % TINY.codebook_size
    before, after = sums_of(LM, codes), sums_of(LM, changed)
    assert np.array_equal(before[:, :, :17], after[:, :, :17])
    assert np.array_equal(before[:3, :, 17], after[:3, :, 17])
    assert not np.array_equal(before[3, :, 17], after[3, :, 17])
    assert not np.array_equal(before[:, :, 18], after[:, :, 18])


def test_the_past_ends_with_the_context() -> None:
    reach = TINY.num_layers * TINY.past_context + 1
    codes = random_codes(1, 4, reach + 5)
    changed = codes.copy()
    changed[0, :, 0] = (changed[0, :, 0] + 1) % TINY.codebook_size
    before, after = sums_of(LM, codes), sums_of(LM, changed)
    differs = [bool((before[:, 0, f] != after[:, 0, f]).any()) for f in range(codes.shape[2])]
    assert differs.index(True) == 0
    assert not any(differs[reach + 1 :])
    assert differs[reach - 1]


@pytest.mark.parametrize("change", [{"conditioned": False}, {"head_width": 0}, {"context_s": 0.0}])
def test_other_forms_are_exact_as_well(change: dict[str, float]) -> None:
    config = CodeLMConfig(**{**{k: v for k, v in TINY.to_dict().items() if k != "model_type"}, **change})
    tensors = tiny_tensors(config)
    codes = random_codes(2, 4, 20)
    expected = sums_of(ExactLM(config, tensors, matmul=matmul_int64), codes)
    assert np.array_equal(sums_of(ExactLM(config, tensors), codes, list(range(20))), expected)


def test_more_codebooks_than_known_are_refused() -> None:
    with pytest.raises(ConfigError, match="5 codebooks"):
        LM.push(np.zeros((1, 5, 0), np.int64), LM.start(1, 1), 1)


def test_tables_never_change() -> None:
    assert golden_digest() == GOLDEN


@pytest.mark.parametrize(("threads", "kernels"), [("1", ""), ("2", ""), ("1", "Nehalem")])
def test_threads_and_kernels_change_nothing(threads: str, kernels: str) -> None:
    """In a fresh process each, since a BLAS chooses both when it starts; `kernels` without fused multiply-add."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, threads), "PYTHONPATH": os.pathsep.join(sys.path)}
    if kernels:
        environment["OPENBLAS_CORETYPE"] = kernels
    done = subprocess.run(
        [sys.executable, tiny_lm.__file__], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == GOLDEN
