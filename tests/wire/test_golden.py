"""Golden files of version 1: what was written once must be read for ever, and in any bad shape end well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recodec.errors import CorruptError, TruncatedError
from recodec.wire.v1.packets import CODED, CODED_SHORT, PLAIN, Packet
from recodec.wire.v1.payload import read_codes
from support.golden_streams import GOLDEN, build, codes_of
from support.streams import ToyCoder, read, refuses, spans_of

FOLDER = Path(__file__).parent.parent / "golden" / "wire_v1"


def packets_in(events) -> list[Packet]:
    return [e for e in events if isinstance(e, Packet)]


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_files_are_read_and_written_byte_for_byte(name):
    data = (FOLDER / f"{name}.ecdc").read_bytes()
    header, _, num_samples = GOLDEN[name]
    assert build(name) == data
    events, reader = read(data)
    assert reader.header == header
    assert reader.end is not None
    assert reader.end.num_samples == num_samples
    found = read_codes(header, packets_in(events), ToyCoder(header.code_bits))
    for codes, wanted in zip(found, codes_of(name), strict=True):
        np.testing.assert_array_equal(codes, wanted)


def test_the_golden_files_have_all_that_there_is():
    coded = packets_in(read((FOLDER / "coded.ecdc").read_bytes())[0])
    assert {p.kind for p in coded} == {PLAIN, CODED_SHORT}
    long = packets_in(read((FOLDER / "coded_long.ecdc").read_bytes())[0])
    assert [p.kind for p in long] == [CODED_SHORT, CODED, CODED]
    live = read((FOLDER / "live.ecdc").read_bytes())[1].end
    assert live is not None
    assert len(live.entries) == 1


@pytest.mark.parametrize("name", GOLDEN)
def test_every_flipped_bit_loses_at_most_one_packet(name):
    data = (FOLDER / f"{name}.ecdc").read_bytes()
    wanted = packets_in(read(data)[0])
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        events, reader = read(bytes(flipped), tolerant=True)
        found = packets_in(events)
        assert reader.num_damages == 1
        assert len(found) >= len(wanted) - 1
        assert [p for p in wanted if p in found] == found
        refuses(bytes(flipped))


@pytest.mark.parametrize("name", GOLDEN)
def test_every_truncation_plays_what_is_whole(name):
    data = (FOLDER / f"{name}.ecdc").read_bytes()
    wanted = packets_in(read(data)[0])
    stops = [stop for _, stop in spans_of(data)[:-1]]
    for size in range(len(data)):
        refuses(data[:size])
        if size < wanted[0].offset:
            with pytest.raises(TruncatedError if size else CorruptError, match="header"):
                read(data[:size], tolerant=True)
        else:
            found = packets_in(read(data[:size], tolerant=True)[0])
            assert found == wanted[: sum(stop <= size for stop in stops)]
