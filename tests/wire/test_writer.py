"""The stream writer refuses what no reader would take."""

from __future__ import annotations

import dataclasses
import io

import pytest

from recodec.wire.v1.writer import StreamWriter
from support.streams import MONO, STEREO, packets_of, read


def test_packets_must_not_begin_before_the_last_one_ends():
    for header, shapes in ((MONO, [(2, 10), (2, 10)]), (STEREO, [(2, 150), (2, 150)])):
        first, second = packets_of(header, shapes)
        writer = StreamWriter(io.BytesIO(), header)
        writer.write(first)
        for early in (
            first,
            dataclasses.replace(second, start=second.start - 1),
            dataclasses.replace(second, start=writer.end_position - 1, restart=True),
        ):
            with pytest.raises(ValueError, match="cannot follow"):
                writer.write(early)
        writer.write(second)


@pytest.mark.parametrize("wrong", [-1, 0, 2880, 3201])
def test_the_samples_must_end_in_the_last_frame(wrong):
    writer = StreamWriter(io.BytesIO(), MONO)
    writer.write(packets_of(MONO, [(2, 10)])[0])
    with pytest.raises(ValueError, match="make 3200 samples"):
        writer.finish(wrong)


def test_a_promise_must_be_kept():
    writer = StreamWriter(io.BytesIO(), dataclasses.replace(MONO, num_samples=3199))
    writer.write(packets_of(MONO, [(2, 10)])[0])
    with pytest.raises(ValueError, match="promises 3199"):
        writer.finish(3200)
    writer.finish(3199)


def test_what_is_lost_behind_the_last_packet_counts():
    file = io.BytesIO()
    writer = StreamWriter(file, MONO)
    writer.write(packets_of(MONO, [(2, 10)])[0])
    writer.finish(6300, lost_until=20)
    end = read(file.getvalue(), tolerant=True)[1].end
    assert end is not None
    assert (end.start, end.num_samples) == (20, 6300)


def test_nothing_at_all_has_no_samples():
    with pytest.raises(ValueError, match="make 0 samples"):
        StreamWriter(io.BytesIO(), MONO).finish(1)
    StreamWriter(io.BytesIO(), MONO).finish(0)
