"""Long fuzz run of `.ecdc` version 1: `make fuzz MINUTES=10`.

Golden files are damaged blindly, and forged with right checksums; then everything that reads and plays
streams is run on them. Anything but a named error, a slow input or much memory ends the run, with the seed that
brings it back (`--seed N --count 1`).
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path

TESTS = Path(__file__).parent.parent
sys.path.insert(0, str(TESTS))

from recodec.codec.container import open_reader  # noqa: E402
from recodec.errors import BitstreamError, ConfigError  # noqa: E402
from recodec.wire.v1 import varint  # noqa: E402
from recodec.wire.v1.editing import concatenate, cut, peel  # noqa: E402
from recodec.wire.v1.header import Header  # noqa: E402
from recodec.wire.v1.index import seek  # noqa: E402
from recodec.wire.v1.inspection import inspect  # noqa: E402
from recodec.wire.v1.packets import SYNC, Packet, end_of  # noqa: E402
from recodec.wire.v1.payload import read_codes  # noqa: E402
from recodec.wire.v1.reader import PacketReader  # noqa: E402
from recodec.wire.v1.timeline import Lost  # noqa: E402
from support.echo_engine import EchoEngine  # noqa: E402
from support.golden_streams import GOLDEN  # noqa: E402
from support.streams import ToyCoder, read, spans_of  # noqa: E402

MOST_SECONDS = 5.0
MOST_MEGABYTES = 200

STREAMS = [(TESTS / "golden" / "wire_v1" / f"{name}.ecdc").read_bytes() for name in GOLDEN]
CODER = ToyCoder(6)


# ---- making bad streams --------------------------------------------------------------------


def blind(generator: random.Random, data: bytes) -> bytes:
    """Bits flipped, bytes replaced, inserted, deleted, doubled, swapped in from another stream."""
    bad = bytearray(data)
    for _ in range(generator.randint(1, 6)):
        at = generator.randrange(len(bad) + 1)
        stop = min(len(bad), at + generator.randint(0, 40))
        match generator.randrange(6):
            case 0:
                if at < len(bad):
                    bad[at] ^= 1 << generator.randrange(8)
            case 1:
                bad[at:stop] = generator.randbytes(stop - at)
            case 2:
                bad[at:at] = generator.randbytes(generator.randint(1, 40))
            case 3:
                del bad[at:stop]
            case 4:
                bad[at:at] = bad[at:stop]
            case _:
                bad[at:stop] = generator.choice(STREAMS)[at:stop]
    return bytes(bad)


def number(generator: random.Random) -> int:
    """Small, near a power of two, or anything."""
    match generator.randrange(3):
        case 0:
            return generator.randrange(300)
        case 1:
            return min(max((1 << generator.randrange(63)) + generator.randint(-1, 1), 0), varint.LIMIT - 1)
        case _:
            return generator.randrange(varint.LIMIT)


def forged_packet(generator: random.Random) -> bytes:
    """A packet of any numbers with a right checksum."""
    payload = b"".join(varint.encode(number(generator)) for _ in range(generator.randrange(12)))
    size = len(payload) if generator.random() < 0.9 else number(generator)
    front = SYNC + bytes([generator.randrange(256)]) + varint.encode(number(generator), number(generator), size)
    return front + payload + zlib.crc32(front + payload).to_bytes(4, "big")


def forged_header(generator: random.Random, data: bytes) -> bytes:
    """The header of a stream with some bytes of its body changed and a right checksum."""
    body = bytearray(data[6 : 6 + data[5]])
    for _ in range(generator.randint(1, 3)):
        body[generator.randrange(len(body))] = generator.randrange(256)
    front = data[:5] + bytes([len(body)]) + body
    return front + zlib.crc32(front).to_bytes(4, "big") + data[6 + data[5] + 4 :]


def forged(generator: random.Random, data: bytes) -> bytes:
    """Packets shuffled, repeated and left out, forged ones among them, perhaps under a forged header."""
    spans = spans_of(data)
    pieces = [data[begin:stop] for begin, stop in spans]
    for _ in range(generator.randint(1, 5)):
        at = generator.randrange(len(pieces) + 1)
        pieces[at:at] = [generator.choice([forged_packet(generator), *pieces])]
        if len(pieces) > 1 and generator.random() < 0.5:
            del pieces[generator.randrange(len(pieces))]
    bad = data[: spans[0][0]] + b"".join(pieces) + generator.choice([data[-4:], b"", generator.randbytes(4)])
    return forged_header(generator, bad) if generator.random() < 0.5 else bad


# ---- reading them --------------------------------------------------------------------------


def check_tolerant(generator: random.Random, data: bytes) -> None:
    """What is said to be lost fills the gaps, and no partition changes anything."""
    events, reader = read(data, tolerant=True)
    header = reader.header
    assert header is not None
    reached = 0
    for event in events:
        assert event.start <= reached or isinstance(event, Lost)
        reached = max(reached, _stop(header, event))
    again, other, at = [], PacketReader(tolerant=True), 0
    while at < len(data):
        size = generator.choice([1, 2, 10, 100])
        again += other.feed(data[at : at + size])
        at += size
    assert again + other.close() == events
    assert other.damages == reader.damages
    read_codes(header, [e for e in events if isinstance(e, Packet) and header.code_bits == 6], CODER)


def play(data: bytes, start: int, tolerant: bool) -> None:
    """All of a stream to audio, in pieces that are never long."""
    recording = open_reader(io.BytesIO(data), tolerant=tolerant)
    if recording.version == 0:
        return
    try:
        engine = EchoEngine(recording.header)  # type: ignore[attr-defined]
    except (ConfigError, ValueError):  # no model has that geometry
        return
    for piece in recording.pieces(engine, grid_frames=75, lm=CODER, start=start):  # type: ignore[arg-type]
        assert piece.size < 1 << 24


def _stop(header: Header, event: object) -> int:
    if isinstance(event, Packet):
        return end_of(header, event)
    return event.stop if isinstance(event, Lost) else event.start  # type: ignore[attr-defined]


def actions(generator: random.Random, data: bytes) -> list[Callable[[], object]]:
    """All that may be done with a stream."""
    source = lambda: io.BytesIO(data)  # noqa: E731
    tolerant = generator.random() < 0.5
    start = generator.randrange(12_000)
    return [
        lambda: read(data),
        lambda: check_tolerant(generator, data),
        lambda: inspect(source()),
        lambda: play(data, 0, tolerant),
        lambda: play(data, start, tolerant),
        lambda: seek(source(), number(generator)),
        lambda: cut(source(), io.BytesIO(), start, start + 1 + number(generator), tolerant=tolerant),
        lambda: peel(source(), io.BytesIO(), generator.randint(1, 3), lm=CODER, tolerant=tolerant),
        lambda: concatenate([source(), source()], io.BytesIO(), tolerant=tolerant),
    ]


def run(seed: int) -> None:
    """One bad stream."""
    generator = random.Random(seed)
    data = generator.choice([blind, forged])(generator, generator.choice(STREAMS))
    begun = time.process_time()
    for action in actions(generator, data):
        try:
            action()
        except BitstreamError:
            pass
        except ValueError as error:
            if "nothing" not in str(error):
                raise
    assert time.process_time() - begun < MOST_SECONDS, "slow"


def main() -> None:
    """Run until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0, help="of the first stream; each has the next")
    parser.add_argument("--count", type=int, default=1 << 62, help="most streams")
    args = parser.parse_args()
    until = time.monotonic() + 60 * args.minutes
    seed = args.seed
    while time.monotonic() < until and seed < args.seed + args.count:
        try:
            run(seed)
        except BaseException:
            print(f"--seed {seed} --count 1 brings this back:", file=sys.stderr)
            raise
        seed += 1
        if seed % 1000 == 0:
            print(f"{seed - args.seed} streams", flush=True)
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert megabytes < MOST_MEGABYTES, f"{megabytes:.0f} MB"
    print(f"{seed - args.seed} streams without a crash, {megabytes:.0f} MB at most")


if __name__ == "__main__":
    main()
