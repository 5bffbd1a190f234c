"""The two decoders of a model, and the spectral one in 8-bit integers, whole files and frame by frame, on one core.

    taskset -c 0 python benchmarks/decoders.py [--model FOLDER] [--seconds 30] [--repeats 5] [--clock cpu] [CLIP ...]

The same codes for all, 6 kbps, one thread, turn by turn in one process; the smallest time of each counts. With
recordings of speech, it also says what the integers cost: takes `pip install 'recodec[eval]'`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from common import add_clock, argument_parser, print_speeds

from recodec import Codec

KBPS = 6.0
INT8 = "spectral, int8"
DECODERS = ("spectral", INT8, "encodec")


def main() -> None:
    """Print times and ratios."""
    parser = argument_parser(__doc__)
    parser.add_argument("--model", help="a folder or hub id; the default model if left out")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("clips", nargs="*", metavar="CLIP")
    add_clock(parser)
    args = parser.parse_args()
    codec, rounded = (Codec.from_pretrained(args.model, threads=1, dtype=dtype) for dtype in (None, "int8"))
    noise = np.random.default_rng(0).standard_normal((1, round(codec.sampling_rate * args.seconds)), np.float32)
    codes, _ = codec.encode(0.1 * noise, KBPS)

    def whole(name: str) -> None:
        (rounded if name == INT8 else codec).decode(codes, decoder=name.partition(",")[0])

    def stream(name: str) -> None:
        decoder = (rounded if name == INT8 else codec).stream_decoder(decoder=name.partition(",")[0])
        for frame in range(codes.shape[1]):
            decoder.push(codes[:, frame : frame + 1])
        decoder.finish()

    tasks: dict[str, dict[str, Callable[[], object]]] = {
        "files": {name: lambda d=name: whole(d) for name in DECODERS},
        "single frames": {name: lambda d=name: stream(d) for name in DECODERS},
    }
    for task, functions in tasks.items():
        print_speeds(task, functions, args.seconds, args.repeats, ours="spectral", other="encodec", clock=args.clock)
        print_speeds(task, functions, args.seconds, args.repeats, ours=INT8, other="spectral", clock=args.clock)
    if args.clips:
        print_cost(codec, rounded, args.clips)


def print_cost(codec: Codec, rounded: Codec, clips: list[str]) -> None:
    """Print how far below the sound the difference of the integers is, and what metrics say of both."""
    from recodec.audio import read_audio
    from recodec.evaluation.metrics.base import Pair
    from recodec.evaluation.metrics.perceptual import pesq_wideband, visqol

    found: list[tuple[float, ...]] = []
    for path in clips:
        audio, _ = read_audio(path, rate_hz=codec.sampling_rate, channels=1)
        codes, _ = codec.encode(audio, KBPS)
        exact, integers = (c.decode(codes, decoder="spectral")[:, : audio.shape[1]] for c in (codec, rounded))
        snr_db = 10 * np.log10(np.square(exact).sum() / np.square(exact - integers).sum())
        pairs = [Pair(audio, decoded, codec.sampling_rate, "speech") for decoded in (exact, integers)]
        found.append((float(snr_db), *map(pesq_wideband, pairs), *map(visqol, pairs)))
    snr_db, *metrics = np.mean(found, axis=0)
    print(f"{len(clips)} clips: integers differ {snr_db:.1f} dB below the sound ({min(found)[0]:.1f} at least);")
    print("PESQ {:.3f} and {:.3f}, ViSQOL {:.3f} and {:.3f}, without and with them".format(*metrics))


if __name__ == "__main__":
    main()
