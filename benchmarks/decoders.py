"""The two decoders of a model, whole files and frame by frame, on one core.

    taskset -c 0 python benchmarks/decoders.py [--model FOLDER] [--seconds 30] [--repeats 5] [--clock cpu]

The same codes for both, 6 kbps, one thread, turn by turn in one process; the smallest time of each counts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from common import add_clock, argument_parser, print_speeds

from recodec import Codec

KBPS = 6.0
DECODERS = ("spectral", "encodec")


def main() -> None:
    """Print times and ratios."""
    parser = argument_parser(__doc__)
    parser.add_argument("--model", help="a folder or hub id; the default model if left out")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--repeats", type=int, default=5)
    add_clock(parser)
    args = parser.parse_args()
    codec = Codec.from_pretrained(args.model, threads=1)
    noise = np.random.default_rng(0).standard_normal((1, round(codec.sampling_rate * args.seconds)), np.float32)
    codes, _ = codec.encode(0.1 * noise, KBPS)

    def stream(name: str) -> None:
        decoder = codec.stream_decoder(decoder=name)
        for frame in range(codes.shape[1]):
            decoder.push(codes[:, frame : frame + 1])
        decoder.finish()

    tasks: dict[str, dict[str, Callable[[], object]]] = {
        "files": {name: lambda d=name: codec.decode(codes, decoder=d) for name in DECODERS},
        "single frames": {name: lambda d=name: stream(d) for name in DECODERS},
    }
    for task, functions in tasks.items():
        print_speeds(task, functions, args.seconds, args.repeats, ours="spectral", other="encodec", clock=args.clock)


if __name__ == "__main__":
    main()
