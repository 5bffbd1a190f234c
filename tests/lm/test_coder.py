"""Packets of codes to bytes and back."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.errors import ModelMismatchError
from recodec.lm import numpy_kernel
from recodec.lm.coder import LanguageModel
from recodec.lm.native_probe import hashed
from recodec.lm.network import ExactLM
from recodec.lm.numpy_kernel import NumpyKernel
from recodec.lm.weights import save_lm
from support.kernels import KERNELS, make_kernel
from support.tiny_lm import TINY, tiny_tensors

checked = settings(deadline=None, max_examples=15, derandomize=True)
Shapes = list[tuple[int, int]]
shapes_strategy = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 40)), max_size=6)


@pytest.fixture(scope="module", params=KERNELS)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    return LanguageModel(make_kernel(request.param, TINY, tiny_tensors()), "0" * 64)


def random_codes(shapes: Shapes, seed: int = 0) -> list[np.ndarray]:
    return [hashed(seed + i, shape, 10**6) % TINY.codebook_size for i, shape in enumerate(shapes)]


@checked
@given(shapes=shapes_strategy, seed=st.integers(0, 100))
def test_round_trip(model: LanguageModel, shapes: Shapes, seed: int) -> None:
    codes = random_codes(shapes, seed)
    decoded = model.decode(model.encode(codes), shapes)
    assert len(decoded) == len(codes)
    for got, expected in zip(decoded, codes, strict=True):
        assert got.dtype == np.int64
        assert np.array_equal(got, expected)


@checked
@given(shapes=shapes_strategy)
def test_a_packet_is_the_same_alone_and_in_company(model: LanguageModel, shapes: Shapes) -> None:
    codes = random_codes(shapes)
    together = model.encode(codes)
    assert together == [model.encode([piece])[0] for piece in codes]
    alone = [model.decode([payload], [shape])[0] for payload, shape in zip(together, shapes, strict=True)]
    assert all(np.array_equal(a, b) for a, b in zip(alone, codes, strict=True))


def test_a_long_packet_round_trips(model: LanguageModel) -> None:
    codes = random_codes([(2, 700)])
    assert np.array_equal(model.decode(model.encode(codes), [(2, 700)])[0], codes[0])


def test_batches_are_cut_to_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = [(2, 5), (2, 9), (2, 7), (1, 9), (2, 9)]
    lm = ExactLM(TINY, tiny_tensors())
    model = LanguageModel(NumpyKernel(lm), "0" * 64)
    payloads = model.encode(random_codes(shapes))
    expected = model.decode(payloads, shapes)
    starts = []
    start = ExactLM.start
    monkeypatch.setattr(ExactLM, "start", lambda lm, batch, frames: starts.append(batch) or start(lm, batch, frames))
    monkeypatch.setattr(numpy_kernel, "_CACHE_BYTES", 2 * lm.cache_bytes(9))
    got = model.decode(payloads, shapes)
    assert starts == [2, 2, 1]
    assert all(np.array_equal(a, b) for a, b in zip(got, expected, strict=True))


@checked
@given(payload=st.binary(max_size=60), frames=st.integers(0, 20))
def test_any_bytes_decode_to_codes_in_range(model: LanguageModel, payload: bytes, frames: int) -> None:
    (codes,) = model.decode([payload], [(4, frames)])
    assert codes.shape == (4, frames)
    assert bool(((codes >= 0) & (codes < TINY.codebook_size)).all())


def test_what_the_model_expects_is_short(model: LanguageModel) -> None:
    """Codes drawn by the model itself (random bytes, decoded) cost less than the 6 bits of a plain code."""
    drawn = model.decode([hashed(5, (400,), 127).astype(np.int8).tobytes()], [(4, 100)])[0]
    assert len(model.encode([drawn])[0]) < 0.75 * 400 * 6 / 8


def test_codes_out_of_range_are_refused(model: LanguageModel) -> None:
    for bad in (-1, TINY.codebook_size):
        with pytest.raises(ValueError, match="from 0 to 63"):
            model.encode([np.full((2, 3), bad)])


def test_more_codebooks_than_known_are_refused(model: LanguageModel) -> None:
    with pytest.raises(ModelMismatchError, match="5 codebooks, the language model knows 4"):
        model.encode([np.zeros((5, 2), np.int64)])
    with pytest.raises(ModelMismatchError, match="5 codebooks, the language model knows 4"):
        model.decode([b""], [(5, 2)])


def test_bytes_never_change(model: LanguageModel) -> None:
    """The bytes of three packets of the toy model. If they change, no file coded before can be read."""
    payloads = model.encode(random_codes([(4, 50), (2, 75), (1, 3)], seed=7))
    assert payloads[2].hex() == "b74030"
    assert (
        hashlib.sha256(b"".join(payloads)).hexdigest()
        == "bafa74f19ed59908f207c1f2bfdb66ccc1cde188f4a2344d0dc82c774bdd1bc3"
    )


def test_loads_from_a_folder(tmp_path: Path, model: LanguageModel) -> None:
    save_lm(tmp_path, TINY, tiny_tensors())
    loaded = LanguageModel.load(tmp_path)
    assert len(loaded.fingerprint) == 64
    assert loaded.table_rule == 1
    assert loaded.num_codebooks == 4
    codes = random_codes([(3, 20)])
    assert loaded.encode(codes) == model.encode(codes)
