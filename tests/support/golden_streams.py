"""What the golden files of version 1 hold, from plain arithmetic."""

from __future__ import annotations

import dataclasses
import io

import numpy as np

from recodec.wire.v1.header import Header
from recodec.wire.v1.payload import make_packets
from recodec.wire.v1.writer import StreamWriter
from support.streams import CODED_MONO, MONO, STEREO, ToyCoder

GOLDEN: dict[str, tuple[Header, list[tuple[int, int]], int]] = {
    # header, (codebooks, frames) of each packet, samples
    "mono": (dataclasses.replace(MONO, num_samples=6500), [(2, 8), (8, 3), (1, 10)], 6500),
    "live": (MONO, [(2, 1)] * 12, 12 * 320),
    "stereo": (
        dataclasses.replace(STEREO, segment_length=4800, segment_stride=4752, max_packet_frames=15),
        [(2, 15), (3, 15), (2, 4)],
        2 * 4752 + 1234,
    ),
    "coded": (CODED_MONO, [(8, 12), (4, 20), (2, 1)], 33 * 320 - 1),
    "coded_long": (CODED_MONO, [(8, 31), (4, 32), (2, 40)], 103 * 320 - 1),
}


def codes_of(name: str) -> list[np.ndarray]:
    """The codes of each packet, (K, F)."""
    header, shapes, _ = GOLDEN[name]
    top = 1 << header.code_bits
    found = []
    for i, (codebooks, frames) in enumerate(shapes):
        steps = np.arange(codebooks * frames).reshape(frames, codebooks).T + 97 * i
        found.append(steps * steps * 7919 % 10_007 % top * (steps * 31 % 17) // 17)
    return found


def build(name: str) -> bytes:
    """The whole file."""
    header, shapes, num_samples = GOLDEN[name]
    scales = [0.25 + i for i in range(len(shapes))] if header.scaled else None
    coder = ToyCoder(header.code_bits) if header.table_rule else None
    file = io.BytesIO()
    writer = StreamWriter(file, header)
    for packet in make_packets(header, 0, codes_of(name), scales, coder):
        writer.write(packet)
    writer.finish(num_samples)
    return file.getvalue()
