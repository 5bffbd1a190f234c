"""Packets, the end and payloads of version 1."""

from __future__ import annotations

import dataclasses
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.errors import CorruptError, ModelMismatchError, TruncatedError, UnsupportedError
from recodec.wire.v1 import varint
from recodec.wire.v1.header import Header
from recodec.wire.v1.packets import (
    CODED,
    CODED_SHORT,
    END,
    PLAIN,
    SYNC,
    End,
    Packet,
    end_of,
    next_start,
    parse_body,
    parse_head,
    write_end,
    write_packet,
)
from recodec.wire.v1.payload import make_packets, pack_codes, read_codes
from support.streams import CODED_MONO, MONO, STEREO, ToyCoder, packets_of, random_codes

checked = settings(deadline=None, max_examples=80, derandomize=True)


def parse(data: bytes, header: Header):
    head = parse_head(data, header)
    if head.size > len(data):
        raise TruncatedError
    return parse_body(data, header, head), head.size


@checked
@given(
    codebooks=st.integers(1, 32),
    code_bits=st.integers(1, 16),
    frames=st.integers(1, 40),
    start=st.one_of(st.integers(0, 1000), st.integers(0, varint.LIMIT - 1)),
    scale=st.none() | st.floats(0, 2.0**99, width=32),
    restart=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_packets_round_trip(codebooks, code_bits, frames, start, scale, restart, seed):
    header = Header(24_000, 1, 320, 32, code_bits, 40, scaled=scale is not None)
    codes = np.random.default_rng(seed).integers(0, 1 << code_bits, (codebooks, frames))
    packet = Packet(start, frames, codebooks, PLAIN, pack_codes(codes, code_bits), scale, restart)
    written = write_packet(header, packet)
    assert parse(written + b"more", header) == (packet, len(written))
    np.testing.assert_array_equal(read_codes(header, [packet])[0], codes)


def test_pinned_bytes():
    packet = Packet(300, 2, 2, PLAIN, pack_codes(np.array([[1, 2], [3, 1023]]), 10), restart=True)
    assert write_packet(MONO, packet).hex() == "ecd1" "21" "ac02" "02" "05" "010c20c0ff" "76e0c9a7"  # fmt: skip
    assert write_end(End(1000, 319_999, ((50, 8), (900, 16)))).hex() == (
        "ecd1" "c0" "e807" "00" "09" "ffc313" "02" "3208d20608" "875ca7d9" "00000014"
    )  # fmt: skip


def test_a_packet_of_one_frame_costs_11_to_13_bytes():
    for start, overhead in [(0, 10), (1000, 11), (100_000, 12), (3_000_000, 13)]:
        packet = dataclasses.replace(packets_of(MONO, [(2, 1)])[0], start=start)
        assert len(write_packet(MONO, packet)) - len(packet.payload) == overhead


def test_every_cut_and_every_flipped_bit_is_noticed():
    written = write_packet(STEREO, packets_of(STEREO, [(3, 5)])[0])
    for size in range(len(written)):
        with pytest.raises(TruncatedError):
            parse(written[:size], STEREO)
    for bit in range(8 * len(written)):
        flipped = bytearray(written + bytes(600))
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises((CorruptError, UnsupportedError)):
            parse(bytes(flipped), STEREO)


def sealed(first: int, numbers: list[int], payload: bytes, length: int | None = None) -> bytes:
    front = SYNC + bytes([first]) + varint.encode(*numbers, len(payload) if length is None else length) + payload
    return front + zlib.crc32(front).to_bytes(4, "big")


SCALED = dataclasses.replace(MONO, scaled=True)


@pytest.mark.parametrize(
    ("header", "data", "error", "message"),
    [
        (MONO, b"ab" + bytes(30), CorruptError, "no packet"),
        (MONO, sealed(0, [0, 0], b""), CorruptError, "more frames than the header allows, or none"),
        (MONO, sealed(0, [0, 151], bytes(189)), CorruptError, "more frames"),
        (MONO, sealed(0, [0, 1 << 60], b"", 1 << 60), CorruptError, "more frames"),
        (MONO, sealed(8, [0, 1], bytes(12)), CorruptError, "more codebooks"),
        (MONO, sealed(0, [0, 4], bytes(6)), CorruptError, "does not fit"),
        (MONO, sealed(0, [0, 4], bytes(5), 1 << 50), CorruptError, "does not fit"),
        (MONO, sealed(0, [0, 4], bytes(4)), CorruptError, "does not fit"),
        (MONO, sealed(CODED << 6, [0, 4], bytes(4)), CorruptError, "the header names none"),
        (CODED_MONO, sealed(CODED << 6, [0, 4], bytes(4)), CorruptError, "does not fit"),
        (MONO, sealed(CODED_SHORT << 6, [0, 4], bytes(5)), CorruptError, "the header names none"),
        (MONO, sealed(END << 6, [9, 1], b"\x01\x00"), CorruptError, "an end has other numbers"),
        (MONO, sealed(END << 6 | 1, [9, 0], b"\x01\x00"), CorruptError, "an end has other numbers"),
        (MONO, sealed(END << 6, [9, 0], b"", 1 << 30), CorruptError, "an end has other numbers"),
        (MONO, sealed(END << 6, [9, 0], b""), CorruptError, "index is cut off"),
        (MONO, sealed(END << 6, [9, 0], b"\x01\x05\x01\x01"), CorruptError, "index is cut off"),
        (MONO, sealed(END << 6, [9, 0], varint.encode(9 * 320 + 1, 0)), CorruptError, "more samples"),
        (MONO, sealed(END << 6, [9, 0], varint.encode(8 * 320, 0)), CorruptError, "too few"),
        (MONO, sealed(END << 6, [9, 0], varint.encode(0, 1 << 40)), CorruptError, "claims"),
        (MONO, sealed(END << 6, [9, 0], varint.encode(0, 1, 0, 1)), CorruptError, "ascend"),
        (MONO, sealed(END << 6, [9, 0], varint.encode(0, 2, 9, 1, 9, 0)), CorruptError, "ascend"),
        (MONO, sealed(END << 6, [9, 0], varint.encode(0, 1, 9, 10)), CorruptError, "after the end"),
        (SCALED, sealed(0, [0, 4], bytes.fromhex("7fc00000") + bytes(5)), CorruptError, "scale is nan"),
        (SCALED, sealed(0, [0, 4], bytes.fromhex("bf800000") + bytes(5)), CorruptError, "scale is -1"),
        (dataclasses.replace(CODED_MONO, scaled=True), sealed(CODED << 6, [0, 4], b"ab"), CorruptError, "its scale"),
    ],
)
def test_impossible_packets_are_refused_by_name(header, data, error, message):
    with pytest.raises(error, match=message):
        parse(data + bytes(300), header)


@pytest.mark.parametrize(
    "changes",
    [
        {"codebooks": 9},
        {"codebooks": 33},
        {"codebooks": 0},
        {"frames": 151},
        {"frames": 0},
        {"start": -1},
        {"start": 1 << 63},
        {"kind": 2},
        {"kind": END},
        {"kind": CODED},
        {"payload": b""},
        {"scale": 1.0},
    ],
)
def test_a_writer_refuses_what_a_reader_would(changes):
    with pytest.raises(ValueError):
        write_packet(MONO, dataclasses.replace(packets_of(MONO, [(2, 3)])[0], **changes))


def test_a_scale_must_be_there_and_be_finite():
    packet = packets_of(STEREO, [(2, 3)])[0]
    for scale in (None, float("inf"), float("nan"), -1.0):
        with pytest.raises(ValueError, match="scale"):
            write_packet(STEREO, dataclasses.replace(packet, scale=scale))


def test_an_index_has_its_limit():
    write_end(End(9000, 0, tuple((i, i) for i in range(1, 1025))))
    with pytest.raises(ValueError, match="1024 entries"):
        write_end(End(9000, 0, tuple((i, i) for i in range(1, 1026))))


def test_where_packets_end_and_the_next_begin():
    mono, stereo = packets_of(MONO, [(2, 75)])[0], packets_of(STEREO, [(2, 150)])[0]
    assert (end_of(MONO, mono), next_start(MONO, mono)) == (75, 75)
    assert (end_of(STEREO, stereo), next_start(STEREO, stereo)) == (300, 297)


# ---- payloads ------------------------------------------------------------------------------


@checked
@given(
    shapes=st.lists(st.tuples(st.integers(1, 8), st.integers(1, 30)), min_size=1, max_size=6),
    seed=st.integers(0, 10_000),
)
def test_coded_packets_of_mixed_shapes_round_trip(shapes, seed):
    coder = ToyCoder(CODED_MONO.code_bits)
    packets = packets_of(CODED_MONO, shapes, seed=seed, lm=coder)
    for i, (found, (codebooks, frames)) in enumerate(zip(read_codes(CODED_MONO, packets, coder), shapes, strict=True)):
        np.testing.assert_array_equal(found, random_codes(seed + i, CODED_MONO, codebooks, frames))
        assert parse(write_packet(CODED_MONO, packets[i]), CODED_MONO)[0] == packets[i]


def test_a_packet_is_coded_only_where_that_saves_bytes():
    coder = ToyCoder(6)
    likely, unlikely = np.zeros((8, 20), int), np.full((8, 20), 63)
    first, second = make_packets(CODED_MONO, 0, [likely, unlikely], lm=coder)
    assert (first.kind, second.kind) == (CODED_SHORT, PLAIN)
    assert len(first.payload) < 120 == len(second.payload)


@pytest.mark.parametrize(("frames", "kind", "num_bytes"), [(31, CODED_SHORT, 1), (32, CODED, 2)])
def test_other_tables_are_found_by_the_check(frames, kind, num_bytes):
    """Each byte of the check counts: of its 256 values one passes."""
    coder = ToyCoder(6)
    packet = make_packets(CODED_MONO, 0, [random_codes(3, CODED_MONO, 2, frames) // 8], lm=coder)[0]
    assert packet.kind == kind
    for place in range(num_bytes):
        passed = []
        for value in range(256):
            payload = bytearray(packet.payload)
            payload[place] = value
            found = read_codes(CODED_MONO, [dataclasses.replace(packet, payload=bytes(payload))], coder)[0]
            passed += [bytes(payload)] if not isinstance(found, CorruptError) else []
        assert passed == [packet.payload]


def test_codes_from_other_tables_do_not_pass_in_silence():
    packets = packets_of(CODED_MONO, [(8, 40), (2, 1), (8, 40)], lm=ToyCoder(6))
    found = read_codes(CODED_MONO, packets, ToyCoder(6, slope=9))
    assert packets[1].kind == PLAIN
    assert [isinstance(f, CorruptError) for f in found] == [True, False, True]
    assert "at frame 41 decodes to other codes" in str(found[2])


def test_the_language_model_must_be_there_and_be_the_right_one():
    packets = packets_of(CODED_MONO, [(8, 40)], lm=ToyCoder(6))
    with pytest.raises(ModelMismatchError, match="fedcba9876543210"):
        read_codes(CODED_MONO, packets)
    other = dataclasses.replace(CODED_MONO, lm_fingerprint="0" * 15 + "1")
    with pytest.raises(ModelMismatchError):
        read_codes(other, packets, ToyCoder(6))
    with pytest.raises(ModelMismatchError):
        make_packets(other, 0, [np.zeros((2, 2), int)], lm=ToyCoder(6))


def test_a_code_must_fit_its_width():
    with pytest.raises(ValueError, match="1024"):
        make_packets(MONO, 0, [np.full((2, 2), 1024)])
