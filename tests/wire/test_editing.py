"""Concatenating, cutting, peeling and reporting, without a model."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.errors import BitstreamError, CorruptError, ModelMismatchError
from recodec.wire.v1.editing import Cut, concatenate, cut, peel
from recodec.wire.v1.header import Header, write_header
from recodec.wire.v1.inspection import inspect
from recodec.wire.v1.packets import CODED, PLAIN, Packet, write_packet
from recodec.wire.v1.payload import make_packets, read_codes
from support.streams import CODED_MONO, MONO, STEREO, ToyCoder, packets_of, read, spans_of, stream_of

checked = settings(deadline=None, max_examples=40, derandomize=True)
CODER = ToyCoder(CODED_MONO.code_bits)
SHAPES = st.lists(st.tuples(st.integers(1, 8), st.integers(1, 30)), min_size=1, max_size=7)


def codes_by_tick(header: Header, data: bytes, *, tolerant: bool = False) -> dict[int, list[int]]:
    """The codes of each frame, by its position; reads what a strict reader takes."""
    packets = [e for e in read(data, tolerant=tolerant)[0] if isinstance(e, Packet)]
    frames = {}
    for packet, codes in zip(packets, read_codes(header, packets, CODER), strict=True):
        assert isinstance(codes, np.ndarray)
        frames |= {packet.start + i * header.frame_ticks: codes[:, i].tolist() for i in range(packet.frames)}
    return frames


def end_of_stream(data: bytes):
    end = read(data)[1].end
    assert end is not None
    return end


def joined(streams: list[bytes], *, tolerant: bool = False) -> bytes:
    out = io.BytesIO()
    concatenate([io.BytesIO(s) for s in streams], out, tolerant=tolerant)
    return out.getvalue()


def cut_out(data: bytes, start: int, stop: int | None, **options) -> tuple[Cut, bytes]:
    out = io.BytesIO()
    return cut(io.BytesIO(data), out, start, stop, **options), out.getvalue()


def peeled(data: bytes, codebooks: int, **options) -> bytes:
    out = io.BytesIO()
    peel(io.BytesIO(data), out, codebooks, **options)
    return out.getvalue()


# ---- concatenate ---------------------------------------------------------------------------


@checked
@given(parts=st.lists(SHAPES, min_size=1, max_size=4), coded=st.booleans())
def test_joined_streams_have_all_codes_one_after_the_other(parts, coded):
    header = CODED_MONO if coded else MONO
    streams = [
        stream_of(header, packets_of(header, shapes, seed=i, lm=CODER if coded else None))
        for i, shapes in enumerate(parts)
    ]
    result, shift, wanted = joined(streams), 0, {}
    for stream in streams:
        wanted |= {tick + shift: codes for tick, codes in codes_by_tick(header, stream).items()}
        shift += end_of_stream(stream).start
    assert codes_by_tick(header, result) == wanted
    restarts = [e.start for e in read(result)[0] if isinstance(e, Packet) and e.restart]
    assert len(restarts) == len(parts) - 1
    assert inspect(io.BytesIO(result)).intact


def test_the_last_part_keeps_its_sample_count():
    packets = packets_of(MONO, [(2, 3)])
    end = end_of_stream(joined([stream_of(MONO, packets, 700), stream_of(MONO, packets, 801)]))
    assert (end.start, end.num_samples) == (6, 3 * 320 + 801)


def test_segments_are_joined_behind_the_last_short_one():
    part = stream_of(STEREO, packets_of(STEREO, [(2, 150), (2, 31)]), 57_300)
    result = joined([part, part])
    assert [e.start * 160 for e in read(result)[0][:-1]] == [0, 47_520, 47_520 + 31 * 320, 2 * 47_520 + 31 * 320]
    assert end_of_stream(result).num_samples == 47_520 + 31 * 320 + 57_300


def test_plain_and_coded_streams_can_be_joined():
    coded = stream_of(CODED_MONO, packets_of(CODED_MONO, [(8, 40)], lm=CODER))
    bare = dataclasses.replace(CODED_MONO, table_rule=0, lm_fingerprint="0" * 16, codebooks=2, max_packet_frames=20)
    plain = stream_of(bare, packets_of(bare, [(2, 20)]))
    result = joined([plain, coded])
    assert [e.kind for e in read(result)[0] if isinstance(e, Packet)] == [PLAIN, CODED]
    assert read(result)[1].header == CODED_MONO


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hop": 640}, "hop is 320 and 640"),
        ({"fingerprint": "f" * 16}, "fingerprint"),
        ({"lm_fingerprint": "e" * 16}, "different language models"),
        ({"table_rule": 2}, "different language models"),
    ],
)
def test_streams_of_different_models_are_not_joined(change, message):
    one = stream_of(CODED_MONO, packets_of(CODED_MONO, [(2, 3)]))
    other = stream_of(dataclasses.replace(CODED_MONO, **change), packets_of(CODED_MONO, [(2, 3)]))
    with pytest.raises(ModelMismatchError, match=message):
        joined([one, other])


def test_damaged_streams_are_joined_on_demand_with_their_gaps():
    packets = packets_of(MONO, [(2, 3), (2, 4), (2, 5)])
    good = stream_of(MONO, packets)
    spans = spans_of(good)
    gap = good[: spans[1][0]] + good[spans[2][0] :]
    cut_off = good[: spans[3][0]]
    for bad in (gap, cut_off):
        with pytest.raises(BitstreamError):
            joined([bad, good])
    result = joined([gap, cut_off, good], tolerant=True)
    starts = [e.start for e in read(result, tolerant=True)[0] if isinstance(e, Packet)]
    assert starts == [0, 7, 12, 15, 19, 24, 27, 31]


# ---- cut -----------------------------------------------------------------------------------


@checked
@given(shapes=SHAPES, data=st.data(), coded=st.booleans())
def test_a_cut_keeps_exactly_the_frames_asked_for(shapes, data, coded):
    header, coder = (CODED_MONO, CODER) if coded else (MONO, None)
    whole = stream_of(header, packets_of(header, shapes, lm=coder))
    total = end_of_stream(whole).num_samples
    start = data.draw(st.integers(0, total - 1))
    stop = data.draw(st.none() | st.integers(start + 1, total + 1000))
    kept, result = cut_out(whole, start, stop, lm=coder)
    stop = total if stop is None else min(stop, total)
    first, last = start // 320, -(-stop // 320)
    assert kept == Cut(first * 320, stop - first * 320)
    assert end_of_stream(result).num_samples == kept.num_samples
    wanted = {t - first: c for t, c in codes_by_tick(header, whole).items() if first <= t < last}
    assert codes_by_tick(header, result) == wanted
    assert inspect(io.BytesIO(result)).intact


def test_coded_packets_are_kept_whole_without_the_language_model():
    whole = stream_of(CODED_MONO, packets_of(CODED_MONO, [(8, 10)] * 4, lm=CODER))
    kept, result = cut_out(whole, 15 * 320, 25 * 320)
    assert kept == Cut(10 * 320, 20 * 320)
    assert [(e.start, e.frames) for e in read(result)[0] if isinstance(e, Packet)] == [(0, 10), (10, 10)]
    assert end_of_stream(result).num_samples == 20 * 320


def test_segments_are_kept_whole_with_those_that_overlap():
    whole = stream_of(STEREO, packets_of(STEREO, [(2, 150)] * 5))
    scales = [e.scale for e in read(whole)[0] if isinstance(e, Packet)]
    kept, result = cut_out(whole, 2 * 47_520 + 600, 3 * 47_520 + 1)
    assert kept == Cut(2 * 47_520, 47_520 + 48_000)
    assert [e.scale for e in read(result)[0] if isinstance(e, Packet)] == scales[2:4]
    kept, result = cut_out(whole, 2 * 47_520 + 100, 3 * 47_520)  # the segment before reaches in
    assert kept == Cut(47_520, 47_520 + 48_000)
    assert [e.scale for e in read(result)[0] if isinstance(e, Packet)] == scales[1:3]


def test_a_cut_reads_no_more_than_it_needs():
    whole = stream_of(MONO, packets_of(MONO, [(2, 30)] * 40))
    spans = spans_of(whole)
    bad = bytearray(whole)
    bad[spans[5][0] + 30] ^= 1
    bad[spans[30][0] + 30] ^= 1
    kept, _ = cut_out(bytes(bad), 10 * 9600, 20 * 9600)
    assert kept == Cut(10 * 9600, 10 * 9600)
    with pytest.raises(CorruptError):
        cut_out(bytes(bad), 20 * 9600, 31 * 9600)
    kept, result = cut_out(bytes(bad), 29 * 9600 + 320, 31 * 9600 + 320, tolerant=True)
    assert kept.num_samples == 2 * 9600
    assert [e.start for e in read(result, tolerant=True)[0] if isinstance(e, Packet)] == [0, 59]


def test_a_cut_in_a_gap_keeps_the_time():
    packets = packets_of(MONO, [(2, 10)] * 3)
    whole = stream_of(MONO, [packets[0], packets[2]])
    kept, result = cut_out(whole, 15 * 320, 25 * 320, tolerant=True)
    assert kept == Cut(15 * 320, 10 * 320)
    assert [(e.start, e.frames) for e in read(result, tolerant=True)[0] if isinstance(e, Packet)] == [(5, 5)]


def test_sections_survive_a_cut_except_at_its_start():
    part = stream_of(MONO, packets_of(MONO, [(2, 10), (2, 10)]))
    whole = joined([part, part, part])
    restarts = lambda data: [e.restart for e in read(data)[0] if isinstance(e, Packet)]  # noqa: E731
    assert restarts(cut_out(whole, 20 * 320, None)[1]) == [False, False, True, False]
    assert restarts(cut_out(whole, 15 * 320, 45 * 320)[1]) == [False, True, False, True]


@pytest.mark.parametrize(("start", "stop"), [(5, 5), (9, 3), (-1, 5), (3200, None), (3150, 9999)])
def test_a_cut_of_nothing_is_refused(start, stop):
    whole = stream_of(MONO, packets_of(MONO, [(2, 10)]), 3100)
    with pytest.raises(ValueError, match="nothing"):
        cut_out(whole, start, stop)


# ---- peel ----------------------------------------------------------------------------------


@checked
@given(shapes=SHAPES, codebooks=st.integers(1, 9), coded=st.booleans())
def test_a_peeled_stream_has_the_first_codebooks(shapes, codebooks, coded):
    header, coder = (CODED_MONO, CODER) if coded else (MONO, None)
    whole = stream_of(header, packets_of(header, shapes, lm=coder))
    result = peeled(whole, codebooks, lm=coder)
    assert codes_by_tick(header, result) == {t: c[:codebooks] for t, c in codes_by_tick(header, whole).items()}
    assert len(result) <= len(whole)
    assert inspect(io.BytesIO(result)).intact
    found = read(result)[1].header
    assert found is not None
    assert found.codebooks == min(8, codebooks)


def test_peeling_equals_writing_with_fewer_codebooks():
    packets = packets_of(STEREO, [(4, 150), (4, 20)])
    header = dataclasses.replace(STEREO, num_samples=53_900)
    codes = [c[:2] for c in read_codes(STEREO, packets) if isinstance(c, np.ndarray)]
    thin = make_packets(STEREO, 0, codes, [0.5, 1.5])
    wanted = stream_of(dataclasses.replace(header, codebooks=2), thin, 53_900)
    assert peeled(stream_of(header, packets, 53_900), 2) == wanted


def test_coded_packets_need_their_language_model_unless_they_are_thin_enough():
    whole = stream_of(CODED_MONO, packets_of(CODED_MONO, [(2, 30), (8, 30)], lm=CODER))
    with pytest.raises(ModelMismatchError):
        peeled(whole, 2)
    assert codes_by_tick(CODED_MONO, peeled(whole, 8)) == codes_by_tick(CODED_MONO, whole)
    with pytest.raises(CorruptError, match="other codes"):
        peeled(whole, 2, lm=ToyCoder(6, slope=9))
    survivors = peeled(whole, 2, lm=ToyCoder(6, slope=9), tolerant=True)
    assert [e.start for e in read(survivors, tolerant=True)[0] if isinstance(e, Packet)] == [0]


def test_a_damaged_stream_is_peeled_on_demand():
    whole = stream_of(dataclasses.replace(MONO, num_samples=3000), packets_of(MONO, [(8, 5), (8, 5)]), 3000)
    cut_off = whole[: spans_of(whole)[1][0] + 10]
    with pytest.raises(BitstreamError):
        peeled(cut_off, 2)
    result = peeled(cut_off, 2, tolerant=True)
    report = inspect(io.BytesIO(result))
    assert (report.complete, report.num_samples, report.lost_ticks) == (True, 3000, 5)


def test_a_promise_that_a_damaged_stream_breaks_is_not_made_again():
    promising = dataclasses.replace(MONO, num_samples=1 << 50)
    data = write_header(promising) + b"".join(write_packet(promising, p) for p in packets_of(MONO, [(8, 5)] * 2))
    result = peeled(data, 2, tolerant=True)
    assert inspect(io.BytesIO(result)).intact
    assert end_of_stream(result).num_samples == 10 * 320


def test_a_packet_keeps_at_least_one_codebook():
    with pytest.raises(ValueError, match="at least one"):
        peeled(stream_of(MONO, []), 0)


# ---- report --------------------------------------------------------------------------------


def test_a_report_of_a_good_stream():
    packets = packets_of(STEREO, [(4, 150)] * 20 + [(2, 10)])
    data = stream_of(STEREO, packets, 20 * 47_520 + 3000)
    report = inspect(io.BytesIO(data))
    assert report.intact
    assert report.frames == {4: 3000, 2: 10}
    assert (report.num_packets, report.num_coded, report.num_sections) == (21, 0, 1)
    assert report.duration_s == pytest.approx(19.8 + 3000 / 48_000)
    assert report.payload_bytes == 20 * 750 + 25
    assert report.overhead_bytes == len(data) - 20 * 750 - 25 - 21 * 4
    assert report.bandwidth_kbps == pytest.approx(len(data) * 8 / 1000 / report.duration_s)
    half = inspect(io.BytesIO(data[: len(data) // 2]))  # in the middle of a packet
    assert half.bandwidth_kbps == pytest.approx(report.bandwidth_kbps, rel=0.01)
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 1
    assert inspect(io.BytesIO(damaged)).bandwidth_kbps == pytest.approx(report.bandwidth_kbps, rel=0.01)


def test_a_report_of_a_bad_stream():
    data = bytearray(stream_of(MONO, packets_of(MONO, [(2, 30)] * 20)))
    spans = spans_of(bytes(data))
    data[spans[3][0] + 40] ^= 0x10
    report = inspect(io.BytesIO(data))
    assert not report.intact
    assert [(x.start, x.stop) for x in report.lost] == [(90, 120)]
    assert [(d.offset, d.size) for d in report.damages] == [(spans[3][0], spans[3][1] - spans[3][0])]
    assert (report.lost_ticks, report.num_damages, report.complete, report.index_good) == (30, 1, True, True)


def test_a_report_of_a_stream_without_its_end_or_with_a_wrong_index():
    data = stream_of(MONO, packets_of(MONO, [(2, 30)] * 20))
    promising = write_header(dataclasses.replace(MONO, num_samples=1 << 50)) + data[len(write_header(MONO)) :]
    spans = spans_of(data)
    report = inspect(io.BytesIO(promising[: spans[5][1] + 7]))
    assert (report.complete, report.index_good, report.num_samples) == (False, None, 180 * 320)
    moved = data[: spans[2][0]] + data[spans[1][0] : spans[1][1]] + data[spans[2][0] :]  # a packet comes again
    assert inspect(io.BytesIO(moved)).index_good is False
