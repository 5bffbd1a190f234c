"""What more threads give the ONNX engine: whole recordings and single frames, against one thread in the same run.

    python benchmarks/threads.py [--seconds 30] [--repeats 4]

Default model, 6 kbps. The number of threads changes from turn to turn; speeds are those of the best turn.
"""

from __future__ import annotations

import os

import numpy as np
from common import argument_parser, timed

from recodec import Codec

KBPS = 6.0
FRAMES = 150
FIRST = 30  # frames that are not counted


def turn(codec: Codec, audio: np.ndarray) -> tuple[float, float, list[float]]:
    """Seconds to encode and to decode the recording, and of each frame of a stream."""
    (codes, scales), encoding = timed(lambda: codec.encode(audio, KBPS))
    _, decoding = timed(lambda: codec.decode(codes, scales))
    stream, hop = codec.stream_encoder(KBPS), codec.config.hop_length
    pieces = [audio[:, start : start + hop] for start in range(0, FRAMES * hop, hop)]
    frames = [timed(lambda p=piece: stream.push(p))[1].wall for piece in pieces]
    return encoding.wall, decoding.wall, frames[FIRST:]


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--repeats", type=int, default=4)
    args = parser.parse_args()
    size = round(args.seconds * 24_000)
    audio = (0.1 * np.random.default_rng(0).normal(size=(1, size))).astype(np.float32)
    codecs = {threads: Codec.from_pretrained(threads=threads) for threads in range(1, (os.cpu_count() or 1) + 1)}
    for codec in codecs.values():
        turn(codec, audio[:, : 24_000 * 3])
    turns = {threads: [] for threads in codecs}
    for _ in range(args.repeats):
        for threads, codec in codecs.items():
            turns[threads].append(turn(codec, audio))
    print("| threads | encode, times real time | decode | against one thread | a frame encoded, 95th percentile |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    alone = [min(t[i] for t in turns[1]) for i in (0, 1)]
    for threads, found in turns.items():
        encode, decode = (min(t[i] for t in found) for i in (0, 1))
        late_ms = 1000 * np.percentile(np.concatenate([t[2] for t in found]), 95)
        print(
            f"| {threads} | {args.seconds / encode:.1f} | {args.seconds / decode:.1f} "
            f"| {alone[0] / encode:.2f}, {alone[1] / decode:.2f} | {late_ms:.2f} ms |"
        )


if __name__ == "__main__":
    main()
