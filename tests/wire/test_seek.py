"""Seeking: with and without the index, in good files and in bad ones."""

from __future__ import annotations

import dataclasses
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.errors import CorruptError
from recodec.wire.v1.header import write_header
from recodec.wire.v1.index import IndexBuilder, read_end, seek
from recodec.wire.v1.packets import MAX_INDEX_ENTRIES, End, write_end
from recodec.wire.v1.reader import PacketReader
from support.streams import MONO, STEREO, packets_of, read, spans_of, stream_of

PACKETS = packets_of(MONO, [(2, 3 + i % 5) for i in range(100)])
WRITTEN = stream_of(MONO, PACKETS)
ENDLESS = WRITTEN[: spans_of(WRITTEN)[-1][0]]


class CountingFile(io.BytesIO):
    """Knows how many bytes were read."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def packet_before(tick: int):
    return [p for p in PACKETS if p.start <= tick][-1]


@pytest.mark.parametrize("data", [WRITTEN, ENDLESS], ids=["with index", "without its end"])
def test_seeking_finds_the_packet_of_each_sample_and_reading_goes_on(data):
    for sample in range(0, PACKETS[-1].start * 320 + 5000, 700):
        file = io.BytesIO(data)
        header, offset, start = seek(file, sample)
        wanted = packet_before(sample // 320)
        assert (header, start) == (MONO, wanted.start)
        assert file.tell() == offset
        reader = PacketReader(tolerant=data is ENDLESS, header=header, first=start, offset=offset)
        assert next(reader.read_from(file)) == wanted


def test_an_index_spares_the_hops():
    with_index, without = CountingFile(WRITTEN), CountingFile(ENDLESS)
    last = PACKETS[-1].start * 320
    assert seek(with_index, last)[1:] == seek(without, last)[1:]
    assert with_index.count < without.count / 3


def test_segments_are_found_by_their_samples():
    packets = packets_of(STEREO, [(2, 150)] * 30)
    for sample in (0, 47_519, 47_520, 20 * 47_520 + 5, 10**9):
        start = seek(io.BytesIO(stream_of(STEREO, packets)), sample).start
        assert start * 160 == min(sample // 47_520, 29) * 47_520


def test_the_end_is_read_from_the_back():
    assert read_end(io.BytesIO(WRITTEN), MONO) == read(WRITTEN)[1].end
    for wrong in (ENDLESS, b"", b"\0" * 100, WRITTEN[:-1], WRITTEN + b"\0", WRITTEN[:-6] + b"\0" + WRITTEN[-5:]):
        assert read_end(io.BytesIO(wrong), MONO) is None


@pytest.mark.parametrize(
    "entries",
    [
        ((1 << 60, 10),),  # beyond the file
        ((60, 10),),  # not at a packet
        (((1 << 63) - 1, 5), ((1 << 64) - 2, 6)),  # beyond any file
        ((len(write_header(MONO)), 10),),  # at a packet of another position
        ((spans_of(WRITTEN)[50][0], 10),),
        tuple((len(write_header(MONO)) + i, i) for i in range(1, 100)),
    ],
)
def test_an_index_that_lies_costs_time_but_misleads_nobody(entries):
    stop = PACKETS[-1].start + PACKETS[-1].frames
    data = ENDLESS + write_end(End(stop, stop * 320, entries))
    for sample in (0, 20 * 320, 300 * 320):
        assert seek(io.BytesIO(data), sample).start == packet_before(sample // 320).start


@settings(deadline=None, max_examples=80, derandomize=True)
@given(where=st.floats(0, 1), junk=st.binary(min_size=1, max_size=200), sample=st.integers(0, 200_000))
def test_from_where_a_seek_ends_in_a_bad_file_a_tolerant_reader_finds_the_rest(where, junk, sample):
    front = len(write_header(MONO))
    at = front + int(where * (len(WRITTEN) - front))
    bad = bytearray(WRITTEN)
    bad[at : at + len(junk)] = junk
    header, offset, start = seek(io.BytesIO(bad), sample)
    assert start <= max(sample // 320, 0)
    reader = PacketReader(tolerant=True, header=header, first=start, offset=offset)
    found = [e.start for e in reader.read_from(io.BytesIO(bad[offset:])) if e in PACKETS]
    from_start = [e.start for e in read(bytes(bad), tolerant=True)[0] if e in PACKETS]
    assert found == [s for s in from_start if s >= start]


def test_a_header_with_one_wrong_bit_is_repaired_and_another_is_refused():
    bad = bytearray(WRITTEN)
    bad[10] ^= 4
    assert seek(io.BytesIO(bad), 320 * 100).start == packet_before(100).start
    bad[20] ^= 4
    with pytest.raises(CorruptError):
        seek(io.BytesIO(bad), 0)


def test_an_index_thins_out_as_a_stream_grows():
    builder = IndexBuilder()
    for i in range(8 * MAX_INDEX_ENTRIES * 5):
        builder.add(100 + 10 * i, i)
    starts = [start for _, start in builder.entries]
    assert MAX_INDEX_ENTRIES // 2 < len(starts) <= MAX_INDEX_ENTRIES
    assert starts == list(range(starts[0], 8 * MAX_INDEX_ENTRIES * 5, starts[0]))
    assert all(offset == 100 + 10 * start for offset, start in builder.entries)


def test_short_streams_have_no_index():
    end = read(stream_of(MONO, PACKETS[:8]))[1].end
    assert end is not None
    assert end.entries == ()


def test_a_stream_that_begins_later_is_seeked_too():
    packets = [dataclasses.replace(p, start=p.start + 5000) for p in PACKETS]
    data = stream_of(MONO, packets)
    assert seek(io.BytesIO(data), 0).start == 5000
    assert seek(io.BytesIO(data), 5200 * 320).start == packet_before(200).start + 5000
