"""The entropy coder: lossless, tight, alike in batches, and calm about any bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.wire.v1.range_coder import RangeDecoderBatch, decode_packet, encode_packet

checked = settings(deadline=None, max_examples=60, derandomize=True)


def random_tables(seed: int, count: int, size: int, total_bits: int) -> np.ndarray:
    """(count, size + 1) cumulative tables of the total 2^total_bits, every frequency at least 1, very uneven."""
    generator = np.random.default_rng(seed)
    weights = generator.random((count, size)) ** 12
    spare = (1 << total_bits) - size
    freqs = 1 + np.floor(weights / weights.sum(1, keepdims=True) * spare).astype(np.int64)
    freqs[:, 0] += (1 << total_bits) - freqs.sum(1)
    return np.concatenate([np.zeros((count, 1), np.int64), freqs.cumsum(1)], axis=1)


def encode(tables: np.ndarray, symbols: np.ndarray, total_bits: int) -> bytes:
    rows = np.arange(len(symbols))
    starts = tables[rows, symbols]
    return encode_packet(starts, tables[rows, symbols + 1] - starts, total_bits)


def information_bits(tables: np.ndarray, symbols: np.ndarray, total_bits: int) -> float:
    rows = np.arange(len(symbols))
    freqs = tables[rows, symbols + 1] - tables[rows, symbols]
    return float((total_bits - np.log2(freqs)).sum())


@checked
@given(
    seed=st.integers(0, 10**6),
    count=st.one_of(st.integers(0, 12), st.integers(0, 300)),
    total_bits=st.integers(6, 16),
    likely=st.booleans(),
)
def test_round_trip_is_lossless_and_within_a_byte_of_the_information(seed, count, total_bits, likely):
    tables = random_tables(seed, count, 40, total_bits)
    if likely:
        symbols = np.diff(tables, axis=1).argmax(1) if count else np.zeros(0, np.int64)
    else:
        symbols = np.random.default_rng(seed).integers(0, 40, count)
    payload = encode(tables, symbols, total_bits)
    np.testing.assert_array_equal(decode_packet(payload, tables, total_bits), symbols)
    # rounding up to a byte, and 2^-15 of a symbol's information for `R >> t` (docs/bitstream.md)
    assert 8 * len(payload) < information_bits(tables, symbols, total_bits) + 8 + count * 2**-15


@checked
@given(seed=st.integers(0, 10**6), counts=st.lists(st.integers(0, 60), min_size=1, max_size=9))
def test_a_batch_of_uneven_packets_decodes_as_each_alone(seed, counts):
    tables = [random_tables(seed + i, n, 64, 16) for i, n in enumerate(counts)]
    generator = np.random.default_rng(seed)
    symbols = [generator.integers(0, 64, n) for n in counts]
    batch = RangeDecoderBatch([encode(t, s, 16) for t, s in zip(tables, symbols, strict=True)], 16)
    found: list[list[int]] = [[] for _ in counts]
    for step in range(max(counts)):
        rows = np.array([i for i, n in enumerate(counts) if n > step])
        for row, symbol in zip(rows, batch.decode(np.stack([tables[i][step] for i in rows]), rows), strict=True):
            found[row].append(int(symbol))
    assert found == [s.tolist() for s in symbols]


@checked
@given(payloads=st.lists(st.binary(max_size=40), min_size=1, max_size=5), seed=st.integers(0, 1000))
def test_any_bytes_decode_to_some_symbols_below_n(payloads, seed):
    tables = random_tables(seed, 50, 33, 12)
    batch = RangeDecoderBatch(payloads, 12)
    for table in tables:
        symbols = batch.decode(np.repeat(table[None], len(payloads), axis=0))
        assert ((symbols >= 0) & (symbols < 33)).all()


def test_a_payload_in_the_rest_of_an_interval_decodes_to_the_last_symbol():
    """Three symbols of frequency 60,000 leave R = 60,000^3, no multiple of 2^16; no encoder ends in R - 1."""
    payload = (60_000**3 - 1).to_bytes(6, "big")
    symbols = decode_packet(payload, np.array([[0, 60_000, 65_536]] * 40), 16)
    assert symbols[:5].tolist() == [0, 0, 0, 1, 1]
    assert set(symbols.tolist()) == {0, 1}


def test_pinned_bytes():
    starts, freqs = [0, 100, 65_000, 1, 32_768, 65_535], [100, 5_000, 536, 1, 32_768, 1]
    assert encode_packet(np.array(starts), np.array(freqs), 16).hex() == "0007b836c4f2b0"


@pytest.mark.parametrize("run", [1, 2, 7])
def test_a_carry_runs_through_full_words(run):
    """A start of 21,845 in an interval of 3 * 2^32 settles the word 0xFFFF each time, until the last one carries."""
    starts = np.array([5, 0, *[21_845] * run, 65_535])
    freqs = np.array([3, 65_536, *[1] * run, 1])
    payload = encode_packet(starts, freqs, 16)
    assert payload[: 2 * run] == b"\x00\x06" + b"\0" * (2 * run - 2)
    tables = np.stack([np.zeros_like(starts), starts, starts + freqs, np.full_like(starts, 1 << 16)], axis=1)
    np.testing.assert_array_equal(decode_packet(payload, tables, 16), np.ones(len(starts)))


def test_a_certain_symbol_costs_nothing():
    assert encode_packet(np.zeros(1000, np.int64), np.full(1000, 1 << 16), 16) == b""


def test_constriction_agrees_on_symbols_and_length():
    """An independent coder on the same tables: it finds the same symbols, in a few bytes more."""
    constriction = pytest.importorskip("constriction")
    family = constriction.stream.model.Categorical(perfect=False)
    for seed in range(5):
        tables = random_tables(seed, 300, 100, 16)
        symbols = np.random.default_rng(seed).integers(0, 100, 300)
        ours = encode(tables, symbols, 16)
        exact = (256 * np.diff(tables, axis=1) - 1).astype(np.float64)  # gives tables of 2^24 with our proportions
        encoder = constriction.stream.queue.RangeEncoder()
        encoder.encode(symbols.astype(np.int32), family, exact)
        theirs = encoder.get_compressed()
        decoded = constriction.stream.queue.RangeDecoder(theirs).decode(family, exact)
        np.testing.assert_array_equal(decoded, decode_packet(ours, tables, 16))
        assert len(ours) <= theirs.nbytes <= len(ours) + 7


@pytest.mark.parametrize(
    ("starts", "freqs", "total_bits"),
    [([0], [0], 16), ([-1], [2], 16), ([60], [5], 6), ([0, 1], [1], 8), ([0], [1], 17), ([0], [1], 0)],
)
def test_symbols_outside_their_table_are_refused(starts, freqs, total_bits):
    with pytest.raises(ValueError, match=r"frequency|alike|total_bits"):
        encode_packet(np.array(starts), np.array(freqs), total_bits)
