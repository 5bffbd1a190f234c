"""Header and numbers of version 1."""

from __future__ import annotations

import dataclasses
import io
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.errors import BitstreamError, CorruptError, ModelMismatchError, TruncatedError, UnsupportedError
from recodec.wire.v1 import varint
from recodec.wire.v1.header import Header, default_packet_frames, parse_header, repair_header, write_header
from support.peers import import_encodec
from support.streams import CODED_MONO, MONO, STEREO

checked = settings(deadline=None, max_examples=80, derandomize=True)

HEADERS = [
    MONO,
    STEREO,
    CODED_MONO,
    Header(1, 16, 1, 32, 16, 4096, num_samples=0),
    Header(44_100, 2, 512, 1, 1, 1, num_samples=(1 << 63) - 3, model="ä"),
]


@checked
@given(st.lists(st.integers(0, varint.LIMIT - 1), max_size=5))
def test_numbers_round_trip(values):
    written, position = varint.encode(*values), 0
    for value in values:
        found, position = varint.decode(written, position)
        assert found == value
    assert position == len(written)


def test_numbers_have_one_spelling():
    assert varint.encode(0, 127, 128, 300) == b"\x00\x7f\x80\x01\xac\x02"
    for wrong in (b"\x80\x00", b"\xff" * 9 + b"\x01", b"\x80" * 9):
        with pytest.raises(CorruptError):
            varint.decode(wrong, 0)
    with pytest.raises(TruncatedError):
        varint.decode(b"\x80", 0)
    with pytest.raises(ValueError, match="2\\^63"):
        varint.encode(1 << 63)


@pytest.mark.parametrize("header", HEADERS)
def test_headers_round_trip_with_anything_behind_them(header):
    written = write_header(header)
    assert parse_header(written + b"more") == (header, len(written))


def test_pinned_bytes():
    assert write_header(MONO).hex() == (
        "45434443" "01" "25" "00" "c0bb01" "01" "c002" "08" "0a" "9601" "00" "00" "00" "00"
        "0123456789abcdef" "0d" "7265636f6465635f32346b687a" "32a46ec0"
    )  # fmt: skip


def test_metas_reader_refuses_by_version():
    binary = import_encodec("encodec.binary")
    with pytest.raises(ValueError, match="Version not supported"):
        binary.read_ecdc_header(io.BytesIO(write_header(MONO)))


@pytest.mark.parametrize("header", HEADERS)
def test_every_cut_is_truncated_and_every_flipped_bit_is_noticed_and_repaired(header):
    written = write_header(header)
    for size in range(len(written)):
        with pytest.raises(TruncatedError):
            parse_header(written[:size])
    for bit in range(8 * len(written)):
        flipped = bytearray(written) + b"\xec\xd1" * 60
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BitstreamError):
            parse_header(flipped)
        assert repair_header(flipped) == (header, len(written))


def test_two_flipped_bits_are_not_repaired():
    written = write_header(MONO)
    for first, second in [(50, 51), (80, 200), (100, 8 * len(written) - 1)]:
        flipped = bytearray(written)
        flipped[first // 8] ^= 1 << first % 8
        flipped[second // 8] ^= 1 << second % 8
        assert repair_header(flipped) is None


def sealed(body: bytes, version: int = 1) -> bytes:
    front = b"ECDC" + bytes([version, len(body)]) + body
    return front + zlib.crc32(front).to_bytes(4, "big")


def body_with(**changes: int) -> bytes:
    """The body of MONO with some of its numbers changed, whether they may be or not."""
    numbers = {
        "flags": 0, "sampling_rate": 24_000, "channels": 1, "hop": 320, "codebooks": 8, "code_bits": 10,
        "max_packet_frames": 150, "segment_length": 0, "segment_stride": 0, "samples_and_one": 0, "table_rule": 0,
    } | changes  # fmt: skip
    lm = bytes(8) if numbers["table_rule"] else b""
    return varint.encode(*numbers.values()) + bytes.fromhex(MONO.fingerprint) + lm + b"\x0drecodec_24khz"


def test_what_a_later_writer_adds_is_passed_over():
    body = body_with(flags=0x80)
    assert parse_header(sealed(body + b"something new"))[0] == MONO


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"RIFF" + bytes(60), CorruptError, "does not begin with ECDC"),
        (sealed(body_with(), version=0), UnsupportedError, "has version 0"),
        (sealed(body_with(), version=2), UnsupportedError, "has version 2"),
        (sealed(body_with(flags=2)), UnsupportedError, "flags 0x2"),
        (sealed(body_with(codebooks=0)), CorruptError, "codebooks must be from 1 to 32, got 0"),
        (sealed(body_with(codebooks=33)), CorruptError, "codebooks"),
        (sealed(body_with(code_bits=17)), CorruptError, "code_bits"),
        (sealed(body_with(sampling_rate=0)), CorruptError, "sampling_rate"),
        (sealed(body_with(hop=1 << 40)), CorruptError, "hop"),
        (sealed(body_with(max_packet_frames=1 << 30)), CorruptError, "max_packet_frames"),
        (sealed(body_with(segment_stride=5)), CorruptError, "segment_stride"),
        (sealed(body_with(segment_length=48_000)), CorruptError, "segment_stride"),
        (sealed(body_with(segment_length=96_000, segment_stride=9)), CorruptError, "the 300 of a segment"),
        (sealed(body_with(table_rule=256)), CorruptError, "table_rule"),
        (sealed(body_with()[:20]), CorruptError, "too short"),
        (sealed(b""), CorruptError, "within a number"),
        (sealed(body_with()[:-14] + b"\x02\xff\xff"), CorruptError, "utf-8"),
        (sealed(body_with()[:-14] + b"\x41" + b"n" * 65), CorruptError, "up to 64 bytes"),
    ],
)
def test_impossible_headers_are_refused_by_name(data, error, message):
    with pytest.raises(error, match=message):
        parse_header(data)


@pytest.mark.parametrize(
    "changes", [{"fingerprint": "xyz"}, {"num_samples": -1}, {"lm_fingerprint": "1" * 16}, {"channels": 0}]
)
def test_impossible_fields_are_refused(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        dataclasses.replace(MONO, **changes)


def test_ticks():
    assert (MONO.tick, MONO.frame_ticks, MONO.stride_ticks) == (320, 1, 0)
    assert (STEREO.tick, STEREO.frame_ticks, STEREO.stride_ticks) == (160, 2, 297)


def test_codebooks_for_a_bandwidth():
    assert [MONO.codebooks_for(kbps) for kbps in (0.1, 1.5, 3, 5.9, 6, 24)] == [1, 2, 4, 7, 8, 8]


def test_default_packets_are_four_seconds():
    assert [default_packet_frames(rate) for rate in (75, 50, 1, 100_000)] == [300, 200, 4, 4096]


def test_models_are_told_apart():
    CODED_MONO.check_model("0123456789abcdef" + "0" * 48)
    CODED_MONO.check_lm("fedcba9876543210", 1)
    Header(24_000, 1, 320, 8, 10, 150).check_model("f" * 64)  # a stream that does not know its model
    for check in (
        lambda: CODED_MONO.check_model("1" * 64),
        lambda: CODED_MONO.check_lm("1" * 64, 1),
        lambda: CODED_MONO.check_lm("fedcba9876543210", 2),
    ):
        with pytest.raises(ModelMismatchError):
            check()
