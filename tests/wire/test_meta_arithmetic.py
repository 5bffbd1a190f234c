"""The arithmetic coder of version 0: byte for byte that of Meta's tool, and total on bad bytes."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.errors import CorruptError, TruncatedError
from recodec.wire.v0 import segments as segments0
from recodec.wire.v0.arithmetic import TOTAL_BITS, ArithmeticDecoder, ArithmeticEncoder
from support.peers import import_encodec


@pytest.fixture(scope="module")
def ac():
    return import_encodec("encodec.quantization.ac")


def tables_of(size, steps, sharpness, seed):
    """(steps, size) upper ends of random shares of 2^24, each of 2 or more."""
    chances = np.exp(sharpness * np.random.default_rng(seed).standard_normal((steps, size)))
    chances /= chances.sum(1, keepdims=True)
    shares = ((1 - 2 * size / 2**TOTAL_BITS) * 2**TOTAL_BITS * chances).astype(np.int64) + 2
    return shares.cumsum(1)


def written(codes, tables):
    encoder = ArithmeticEncoder()
    for code, table in zip(codes, tables, strict=True):
        encoder.push(code, table)
    return encoder.finish()


def pulled(data, tables):
    file = io.BytesIO(data)
    decoder = ArithmeticDecoder(lambda: segments0.read_exactly(file, 1)[0])
    codes = [decoder.pull(table) for table in tables]
    return codes, file.read()


@given(st.integers(1, 40), st.integers(0, 300), st.sampled_from([0.0, 1.0, 6.0]), st.integers(0, 99), st.booleans())
@settings(deadline=None, max_examples=60, derandomize=True)
def test_bytes_are_metas(ac, size, steps, sharpness, seed, likely):
    tables = tables_of(size, steps, sharpness, seed)
    rng = np.random.default_rng(seed)
    points = rng.integers(0, tables[:, -1]) if likely and steps else rng.integers(0, size, steps)
    codes = [int(np.searchsorted(t, p, "right")) if likely else int(p) for t, p in zip(tables, points, strict=True)]
    out = io.BytesIO()
    theirs = ac.ArithmeticCoder(out)
    for code, table in zip(codes, tables, strict=True):
        theirs.push(code, torch.from_numpy(table))
    theirs.flush()
    data = written(codes, tables)
    assert data == out.getvalue()
    # What follows the segment is not touched.
    assert pulled(data + b"next", tables) == (codes, b"next")


def test_bytes_may_come_as_they_are_made():
    tables = tables_of(30, 200, 2.0, 1)
    codes = np.random.default_rng(1).integers(0, 30, 200).tolist()
    encoder, parts = ArithmeticEncoder(), []
    for code, table in zip(codes, tables, strict=True):
        encoder.push(code, table)
        parts.append(encoder.take())
    parts.append(encoder.finish())
    assert b"".join(parts) == written(codes, tables)
    assert max(map(len, parts)) < 5


def test_bytes_that_are_cut_off_or_damaged_end_in_one_error_or_in_codes():
    tables = tables_of(30, 60, 2.0, 2)
    data = written(np.random.default_rng(2).integers(0, 30, 60).tolist(), tables)
    for size in range(len(data)):
        with pytest.raises(TruncatedError):
            pulled(data[:size], tables)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            codes, _ = pulled(bytes(damaged) + bytes(99), tables)
        except CorruptError:
            continue
        assert all(0 <= code < 30 for code in codes)
