"""What the container costs, as `docs/bitstream.md` states it."""

from __future__ import annotations

import dataclasses
import io

import pytest

from recodec.wire.v1.header import Header, default_packet_frames
from recodec.wire.v1.inspection import inspect
from support.streams import MONO, STEREO, packets_of, stream_of


def overhead(header: Header, codebooks: int, frames_per_packet: int, seconds: float) -> float:
    """Bytes that are no codes, as a share of those that are."""
    total = round(seconds * header.frame_rate)
    shapes = [(codebooks, min(frames_per_packet, total - at)) for at in range(0, total, frames_per_packet)]
    report = inspect(io.BytesIO(stream_of(header, packets_of(header, shapes))))
    scales = 4 * report.num_packets if header.scaled else 0
    return report.overhead_bytes / (report.payload_bytes + scales)


@pytest.mark.parametrize(
    ("codebooks", "seconds", "most"),
    [
        (2, 10, 0.06),
        (2, 20, 0.04),
        (2, 60, 0.03),
        (2, 3600, 0.02),
        (8, 10, 0.015),
        (8, 60, 0.008),
        (8, 3600, 0.006),
        (32, 60, 0.004),
    ],
)
def test_mono_at_the_default_packet_length(codebooks, seconds, most):
    frames = default_packet_frames(MONO.frame_rate)
    header = dataclasses.replace(MONO, codebooks=32, num_samples=None, max_packet_frames=frames)
    share = overhead(header, codebooks, frames, seconds)
    print(f"{codebooks * 0.75:g} kbps, {seconds} s: {100 * share:.2f} %")
    assert share < most


@pytest.mark.parametrize(("codebooks", "most"), [(2, 0.045), (4, 0.02), (16, 0.006)])
def test_stereo_with_a_segment_a_packet(codebooks, most):
    header = dataclasses.replace(STEREO, codebooks=16)
    share = overhead(header, codebooks, 150, 60)
    print(f"{codebooks * 1.5:g} kbps stereo: {100 * share:.2f} %")
    assert share < most


def test_live_packets_of_one_frame_cost_about_12_bytes_each():
    frames = 750
    data = stream_of(MONO, packets_of(MONO, [(8, 1)] * frames))
    assert 11 < (len(data) - 10 * frames) / frames < 13
