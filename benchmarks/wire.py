"""Speed of the container and of the range coder on one core, in multiples of real time.

    python benchmarks/wire.py [--seconds 600] [--bandwidth 6] [--repeats 3]

The smallest CPU time of a few runs counts. Tables for the range coder are made beforehand: what a language
model takes to make them is measured in `benchmarks/entropy.py`.
"""

from __future__ import annotations

import argparse
import io

import numpy as np
from common import argument_parser, fastest

from recodec.wire.v1.header import Header, default_packet_frames
from recodec.wire.v1.packets import Packet
from recodec.wire.v1.payload import make_packets, read_codes
from recodec.wire.v1.range_coder import RangeDecoderBatch, encode_packet
from recodec.wire.v1.reader import PacketReader
from recodec.wire.v1.writer import StreamWriter

FRAME_RATE = 75
NUM_ENTRIES = 1024


def write(header: Header, codes: list[np.ndarray]) -> bytes:
    """A stream of plain packets."""
    file = io.BytesIO()
    writer = StreamWriter(file, header)
    for packet in make_packets(header, 0, codes):
        writer.write(packet)
    writer.finish(writer.end_position * header.tick)
    return file.getvalue()


def read(header: Header, data: bytes, *, tolerant: bool = False) -> list[np.ndarray]:
    """All codes of a stream."""
    reader = PacketReader(tolerant=tolerant)
    packets = [e for e in reader.read_from(io.BytesIO(data)) if isinstance(e, Packet)]
    return [codes for codes in read_codes(header, packets) if isinstance(codes, np.ndarray)]


def measure_container(args: argparse.Namespace) -> None:
    """Packets of one frame and of the default length; whole, and damaged."""
    codebooks = int(args.bandwidth * 1000 // (FRAME_RATE * 10))
    generator = np.random.default_rng(0)
    for frames in (1, default_packet_frames(FRAME_RATE)):
        header = Header(24_000, 1, 320, codebooks, 10, frames)
        count = args.seconds * FRAME_RATE // frames
        codes = list(generator.integers(0, NUM_ENTRIES, (count, codebooks, frames)))
        data = write(header, codes)
        bad = bytearray(data)
        bad[100::1000] = bytes(len(bad[100::1000]))
        seconds = count * frames / FRAME_RATE
        for name, function in {
            "write": lambda h=header, c=codes: write(h, c),
            "read": lambda h=header, d=data: read(h, d),
            "read, one byte in 1000 wrong": lambda h=header, d=bytes(bad): read(h, d, tolerant=True),
        }.items():
            took = fastest(function, args.repeats)
            print(
                f"packets of {frames:3} frames, {name:29}: {seconds / took:8.0f} x real time, "
                f"{len(data) / took / 1e6:6.2f} MB/s, {count * frames / took / 1e3:7.0f} kframes/s"
            )


def measure_range_coder(args: argparse.Namespace) -> None:
    """One packet of 2 s alone, and 30 and 300 in step."""
    codebooks = int(args.bandwidth * 1000 // (FRAME_RATE * 10))
    symbols = 2 * FRAME_RATE * codebooks
    generator = np.random.default_rng(0)
    weights = generator.random((64, NUM_ENTRIES)) ** 6
    freqs = 1 + np.floor(weights / weights.sum(1, keepdims=True) * ((1 << 16) - NUM_ENTRIES)).astype(np.int64)
    freqs[:, 0] += (1 << 16) - freqs.sum(1)
    tables = np.concatenate([np.zeros((64, 1), np.int64), freqs.cumsum(1)], axis=1).astype(np.int32)
    which = np.arange(symbols) % 64
    codes = (tables[which] <= generator.integers(0, 1 << 16, (symbols, 1))).sum(1) - 1
    starts, ends = tables[which, codes], tables[which, codes + 1]
    payload = encode_packet(starts, ends - starts, 16)
    took = fastest(lambda: encode_packet(starts, ends - starts, 16), args.repeats)
    print(f"range encoder                  : {2 / took:8.0f} x real time, {symbols / took / 1e3:7.0f} ksymbols/s")
    for packets in (1, 30, 300):
        batch = [np.repeat(tables[i : i + 1], packets, axis=0) for i in range(64)]

        def decode(packets: int = packets, batch: list[np.ndarray] = batch) -> None:
            decoder = RangeDecoderBatch([payload] * packets, 16)
            for step in range(symbols):
                decoder.decode(batch[step % 64])

        took = fastest(decode, args.repeats)
        print(
            f"range decoder, {packets:3} packets    : {2 * packets / took:8.0f} x real time, "
            f"{symbols * packets / took / 1e3:7.0f} ksymbols/s, {took / symbols * 1e6:5.1f} us a step"
        )


def main() -> None:
    """Print both tables."""
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--bandwidth", type=float, default=6.0, help="in kbps")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    measure_container(args)
    measure_range_coder(args)


if __name__ == "__main__":
    main()
