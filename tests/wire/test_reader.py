"""The reader of version 1: any partition, any damage, any attack."""

from __future__ import annotations

import dataclasses
import io
import itertools
import random
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.errors import BitstreamError, CorruptError, TruncatedError, UnsupportedError
from recodec.wire.v1 import varint
from recodec.wire.v1.header import Header, write_header
from recodec.wire.v1.packets import END, SYNC, End, Packet, end_of, write_end, write_packet
from recodec.wire.v1.reader import MAX_DAMAGES, PacketReader
from recodec.wire.v1.timeline import Lost
from support.streams import MONO, STEREO, packets_of, read, refuses, spans_of, stream_of

checked = settings(deadline=None, max_examples=60, derandomize=True)

SHAPES = [(8, 9), (2, 4), (1, 1), (5, 20), (2, 150), (3, 7)]
SEGMENTS = [(4, 150), (2, 150), (4, 150), (1, 31)]


def mono_stream() -> tuple[bytes, list[Packet]]:
    packets = packets_of(MONO, SHAPES)
    return stream_of(MONO, packets), packets


def stereo_stream() -> tuple[bytes, list[Packet]]:
    packets = packets_of(STEREO, SEGMENTS)
    return stream_of(STEREO, packets, 3 * 47_520 + 31 * 320 - 7), packets


STREAMS = [mono_stream(), stereo_stream()]


def packets_in(events) -> list[Packet]:
    return [e for e in events if isinstance(e, Packet)]


def feed_in_pieces(data: bytes, cuts: list[int], tolerant: bool):
    reader = PacketReader(tolerant=tolerant)
    events = []
    for piece in pieces_of(data, cuts):
        events += reader.feed(piece)
    return events + reader.close(), reader


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    return [data[begin:stop] for begin, stop in itertools.pairwise([0, *sorted(cuts), len(data)])]


def check_that_losses_fill_the_gaps(header: Header, events) -> None:
    """Every tick from 0 to the end belongs to a packet or is said to be lost."""
    reached = 0
    for event in events:
        if isinstance(event, Lost):
            assert event.start <= reached < event.stop
            reached = event.stop
        elif isinstance(event, Packet):
            assert event.start <= reached
            reached = end_of(header, event)
        else:
            assert event.start == reached


# ---- whole streams -------------------------------------------------------------------------


@checked
@given(stream=st.sampled_from(STREAMS), data=st.data())
def test_a_good_stream_reads_alike_in_any_partition(stream, data):
    written, packets = stream
    cuts = data.draw(st.lists(st.integers(0, len(written)), max_size=12))
    events, reader = feed_in_pieces(written, cuts, tolerant=False)
    assert events[:-1] == packets
    assert events[-1] == reader.end
    assert reader.damages == []


def test_byte_by_byte_each_packet_comes_with_its_last_byte():
    written, packets = mono_stream()
    reader = PacketReader()
    arrived = {i: e for i in range(len(written)) for e in reader.feed(written[i : i + 1])}
    reader.close()
    spans = spans_of(written)
    assert list(arrived) == [stop - 1 for _, stop in spans]
    assert list(arrived.values())[:-1] == packets


@checked
@given(data=st.data())
def test_a_strict_reader_gives_what_is_good_before_it_raises_and_keeps_raising(data):
    written, packets = mono_stream()
    bad = bytearray(written)
    bad[spans_of(written)[3][0] + 9] ^= 2
    cuts = data.draw(st.lists(st.integers(0, len(bad)), max_size=4))
    reader, found = PacketReader(), []

    def read_all() -> None:
        for piece in pieces_of(bytes(bad), cuts):
            found.extend(reader.feed(piece))
        reader.close()

    with pytest.raises(CorruptError, match="checksum"):
        read_all()
    assert found == packets[:3]
    with pytest.raises(CorruptError, match="checksum"):
        reader.feed(b"")


def test_a_header_may_be_repeated_so_that_a_listener_can_join():
    packets = packets_of(MONO, SHAPES)
    live = write_header(MONO)
    for packet in packets:
        live += write_packet(MONO, packet) + write_header(MONO)
    live += write_end(End(191, 191 * 320))
    assert read(live)[0][:-1] == packets
    middle = live[200:]
    reader = PacketReader(tolerant=True, first=None)
    joined = [*reader.feed(middle), *reader.close()]
    assert packets_in(joined) == packets[2:]
    assert not any(isinstance(e, Lost) for e in joined)


def test_another_header_in_the_middle_is_a_fault():
    packet = write_packet(MONO, packets_of(MONO, [(2, 3)])[0])
    other = write_header(dataclasses.replace(MONO, hop=321))
    assert "another header" in refuses(write_header(MONO) + packet + other)


def test_an_empty_recording_is_a_stream():
    events, reader = read(stream_of(MONO, []))
    assert events == [End(0, 0)]
    assert reader.header == MONO


# ---- damage --------------------------------------------------------------------------------


@pytest.mark.parametrize(("header", "stream"), [(MONO, STREAMS[0]), (STEREO, STREAMS[1])])
def test_a_flipped_bit_loses_at_most_one_packet_and_a_strict_reader_refuses(header, stream):
    written, packets = stream
    generator = random.Random(1)
    for bit in generator.sample(range(8 * len(written)), 1500):
        flipped = bytearray(written)
        flipped[bit // 8] ^= 1 << bit % 8
        events, reader = read(bytes(flipped), tolerant=True)
        found = packets_in(events)
        assert len(found) >= len(packets) - 1
        assert all(packet in packets for packet in found)
        assert reader.num_damages == 1
        check_that_losses_fill_the_gaps(header, events)
        refuses(bytes(flipped))


@pytest.mark.parametrize(("header", "stream"), [(MONO, STREAMS[0]), (STEREO, STREAMS[1])])
def test_a_truncated_stream_plays_to_where_it_is_cut(header, stream):
    written, packets = stream
    spans = spans_of(written)
    front = len(write_header(header))
    for size in [*range(front + 200), *range(front + 200, len(written), 17)]:
        if size < front:
            with pytest.raises(TruncatedError if size else CorruptError, match="header"):
                read(written[:size], tolerant=True)
            continue
        events, reader = read(written[:size], tolerant=True)
        assert packets_in(events) == [p for p, (_, stop) in zip(packets, spans, strict=False) if stop <= size]
        assert reader.num_damages == 1
        assert refuses(written[:size]).startswith("TruncatedError")


@checked
@given(data=st.data(), tolerant=st.booleans())
def test_a_header_that_was_cut_off_is_one_to_either_reader(data, tolerant):
    header = write_header(MONO)
    front = header[: data.draw(st.integers(1, len(header) - 1))]
    reader = PacketReader(tolerant=tolerant)
    for byte in front:
        assert reader.feed(bytes([byte])) == []
    with pytest.raises(TruncatedError, match="ends within its header"):
        reader.close()


def test_where_the_length_is_known_the_missing_tail_is_too():
    packets = packets_of(MONO, [(2, 10), (2, 10)])
    written = stream_of(dataclasses.replace(MONO, num_samples=6399), packets, 6399)
    for size in range(*spans_of(written)[1]):
        assert read(written[:size], tolerant=True)[0][-1] == Lost(10, 20)


MUTATIONS = st.lists(
    st.tuples(st.sampled_from(["replace", "insert", "delete"]), st.floats(0, 1), st.binary(min_size=1, max_size=60)),
    min_size=1,
    max_size=4,
)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(stream=st.sampled_from(STREAMS), mutations=MUTATIONS, data=st.data())
def test_all_undamaged_packets_are_recovered_alike_in_any_partition(stream, mutations, data):
    """Bytes replaced, inserted and deleted anywhere behind the header."""
    written, packets = stream
    header = PacketReader()
    header.feed(written)
    assert header.header is not None
    front = len(write_header(header.header))
    bad = bytearray(written)
    whole = [written[slice(*span)] for span in spans_of(written)]
    for kind, where, junk in mutations:
        at = front + int(where * (len(bad) - front))
        stop = at if kind == "insert" else at + len(junk)
        bad[at:stop] = b"" if kind == "delete" else junk
    events, reader = read(bytes(bad), tolerant=True)
    found = packets_in(events)
    intact = [packet for packet, piece in zip(packets, whole, strict=False) if piece in bad]
    assert [p for p in found if p in packets] == found
    assert [p for p in intact if p in found] == intact
    check_that_losses_fill_the_gaps(header.header, events)
    cuts = data.draw(st.lists(st.integers(0, len(bad)), max_size=8))
    again, other = feed_in_pieces(bytes(bad), cuts, tolerant=True)
    assert (again, other.damages) == (events, reader.damages)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7])
def test_a_front_that_is_cut_by_a_piece_is_found_behind_junk(size):
    packets = packets_of(MONO, [(2, 3), (1, 1)])
    data = write_header(MONO) + b"junk" * 5 + write_header(MONO) + b"junk" * 3 + write_packet(MONO, packets[0])
    data += b"EC\xec" * 7 + write_packet(MONO, packets[1])
    events, reader = feed_in_pieces(data, list(range(0, len(data), size)), tolerant=True)
    assert events == packets
    assert [d.size for d in reader.damages] == [20, 12, 21, 0]


def test_a_packet_hidden_in_a_damaged_one_is_found():
    """The length of the first packet is damaged and spans all that follow."""
    packets = packets_of(MONO, [(8, 150), (1, 2), (1, 3)])
    written = bytearray(stream_of(MONO, packets))
    first = len(write_header(MONO))
    del written[first + 300 : first + 1512]  # most of the payload and its checksum are gone
    events, reader = read(bytes(written), tolerant=True)
    assert packets_in(events) == packets[1:]
    assert events[0] == Lost(0, 150)
    assert [(d.offset, d.size) for d in reader.damages] == [(first, 300)]


def test_packets_that_come_again_or_late_are_dropped():
    header, (a, b, c) = write_header(MONO), packets_of(MONO, [(2, 3), (2, 4), (2, 5)])
    pieces = {p.start: write_packet(MONO, p) for p in (a, b, c)}
    order = [a, a, c, b, c]
    data = header + b"".join(pieces[p.start] for p in order) + write_end(End(12, 12 * 320))
    events, reader = read(data, tolerant=True)
    assert events == [a, Lost(3, 7), c, End(12, 12 * 320)]
    assert [d.reason for d in reader.damages] == [
        "a packet at tick 0 comes after all up to tick 3 have come",
        "a packet at tick 3 comes after all up to tick 12 have come",
        "a packet at tick 7 comes after all up to tick 12 have come",
    ]
    assert "comes after all" in refuses(header + pieces[0] + pieces[0])
    assert "lacks its ticks 3 to 6" in refuses(header + pieces[0] + pieces[7])


def test_a_lost_segment_begins_where_it_began():
    packets = packets_of(STEREO, [(2, 150)] * 4)
    written = stream_of(STEREO, packets)
    spans = spans_of(written)
    middle_gone = written[: spans[1][0]] + written[spans[3][0] :]
    assert read(middle_gone, tolerant=True)[0][1] == Lost(297, 891)
    last_gone = written[: spans[3][0]] + written[spans[4][0] :]
    assert read(last_gone, tolerant=True)[0][-2] == Lost(891, 1191)


def test_sections_of_a_chunked_model_do_not_overlap():
    first, short, new = packets_of(STEREO, [(2, 150), (2, 31), (2, 150)])
    new = dataclasses.replace(new, start=297 + 62, restart=True)
    assert read(stream_of(STEREO, [first, short, new]))[0][:3] == [first, short, new]
    data = write_header(STEREO) + write_packet(STEREO, short) + write_packet(STEREO, new)
    reader = PacketReader(header=STEREO, first=297)
    assert reader.feed(data) == [short, new]


def test_bytes_behind_the_end_are_noticed_and_left_alone():
    written, packets = mono_stream()
    events, reader = read(written + written, tolerant=True)
    assert packets_in(events) == packets
    assert [(d.offset, d.size, d.reason) for d in reader.damages] == [
        (len(written), len(written), "bytes follow the end of the stream")
    ]
    assert "bytes follow the end" in refuses(written + b"\0")
    assert refuses(written[:-1]).startswith("TruncatedError")
    assert "size after the end" in refuses(written[:-1] + b"\0")


def test_header_and_end_must_agree():
    packets = packets_of(MONO, [(2, 3)])
    written = write_header(dataclasses.replace(MONO, num_samples=950))
    written += b"".join(write_packet(MONO, p) for p in packets) + write_end(End(3, 951))
    assert "disagree" in refuses(written)
    events, reader = read(written, tolerant=True)
    assert events[-1] == End(3, 951)
    assert reader.num_damages == 1


# ---- attacks -------------------------------------------------------------------------------


@checked
@given(junk=st.binary(max_size=2000), front=st.sampled_from([b"", b"ECDC", b"ECDC\x01", write_header(MONO)]))
def test_any_bytes_end_in_a_named_error_or_in_a_report(junk, front):
    for tolerant in (False, True):
        try:
            events, reader = read(front + junk, tolerant=tolerant)
        except BitstreamError:
            continue
        assert tolerant
        assert reader.num_damages >= 1
        assert packets_in(events) == []


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", CorruptError),
        (b"RIFF" + bytes(10_000), CorruptError),
        (b"ECDC\x00\x00\x00\x00\x3c" + bytes(100), UnsupportedError),
        (b"ECDC\x07" + bytes(1000), UnsupportedError),
    ],
)
def test_what_is_no_stream_is_refused_by_tolerant_readers_too(data, error):
    with pytest.raises(error):
        read(data, tolerant=True)


WIDE = Header(24_000, 1, 320, 32, 16, 4096)


def bomb_of_false_packets(size: int) -> bytes:
    """Heads that each claim the largest packet there is, over and over."""
    head = SYNC + bytes([31]) + varint.encode(0, 4096, WIDE.plain_bytes(4096, 32))
    return write_header(WIDE) + head * (size // len(head))


def test_a_bomb_of_false_packets_is_given_up():
    data = bomb_of_false_packets(1 << 20)
    begun = time.perf_counter()
    with pytest.raises(BitstreamError, match="checksum"):
        read(data, tolerant=True)
    assert time.perf_counter() - begun < 10


def test_a_bomb_of_syncs_is_read_in_bounded_time():
    data = write_header(WIDE) + SYNC * 40_000
    begun = time.perf_counter()
    events, reader = read(data, tolerant=True)
    assert time.perf_counter() - begun < 10
    assert packets_in(events) == []
    assert reader.num_damages == 1


def test_a_position_years_ahead_is_not_believed():
    here, there = packets_of(MONO, [(2, 3), (2, 4)])
    far = dataclasses.replace(there, start=1 << 60)
    data = write_header(MONO) + write_packet(MONO, here) + write_packet(MONO, far) + write_packet(MONO, there)
    events, reader = read(data, tolerant=True)
    assert events == [here, there]
    assert "too far ahead" in reader.damages[0].reason


def test_a_header_that_promises_years_adds_none():
    packets = packets_of(MONO, [(2, 3)])
    header = dataclasses.replace(MONO, num_samples=1 << 60)
    data = write_header(header) + write_packet(header, packets[0])
    assert read(data, tolerant=True)[0] == packets


def test_many_small_gaps_cannot_add_up_to_years():
    packet = packets_of(MONO, [(1, 1)])[0]
    data = write_header(MONO)
    data += b"".join(write_packet(MONO, dataclasses.replace(packet, start=40_000 * i)) for i in range(300))
    events, _ = read(data, tolerant=True)
    lost = sum(e.stop - e.start for e in events if isinstance(e, Lost))
    assert lost <= 600 * 75 + 64 * len(data)


def test_endless_damage_takes_bounded_memory():
    packet = write_packet(MONO, packets_of(MONO, [(2, 3)])[0])
    reader = PacketReader(tolerant=True)
    reader.feed(write_header(MONO))
    piece = (packet + b"junk") * 500
    reader.feed(piece)
    tracemalloc.start()
    for _ in range(10):
        reader.feed(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
    assert reader.num_damages > 5000
    assert len(reader.damages) == MAX_DAMAGES


def test_a_large_length_is_not_allocated():
    claim = SYNC + bytes([END << 6]) + b"\0\0" + b"\xff" * 8 + b"\x7f"
    tracemalloc.start()
    with pytest.raises(CorruptError):
        read(write_header(MONO) + claim)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_reader_waits_for_no_more_than_a_packet():
    """The buffer never holds more than the largest packet that the header allows."""
    reader = PacketReader(tolerant=True)
    reader.feed(write_header(MONO))
    head = SYNC + bytes([7]) + b"\x00\x96\x01\xdc\x0b"
    reader.feed(head)
    for _ in range(1600):
        reader.feed(b"\xec")
    assert len(reader._buffer) < 1600


def test_strict_truncation_is_named():
    with pytest.raises(TruncatedError, match="before its end"):
        read(write_header(MONO))


def test_reading_goes_on_in_the_middle():
    written, packets = mono_stream()
    offset = spans_of(written)[3][0]
    reader = PacketReader(header=MONO, first=packets[3].start, offset=offset)
    events = list(reader.read_from(io.BytesIO(written[offset:])))
    assert events[:-1] == packets[3:]
    assert [e.offset for e in packets_in(events)] == [begin for begin, _ in spans_of(written)[3:-1]]
