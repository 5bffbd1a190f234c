"""EncodecModel against transformers.EncodecModel: encode and decode of 10 s at 24 kHz on one core.

    python benchmarks/model_speed.py [--repeats 5] [--seconds 10] [--clock cpu]

Both run the released 24 kHz geometry with the same random weights, turn by turn in one process, and
the smallest time of each counts. Ours has its weight norm folded, as for any inference.
"""

from __future__ import annotations

import torch
from common import add_clock, argument_parser, random_pair, take_turns

from recodec import presets


def main() -> None:
    """Print a table of times and ratios."""
    parser = argument_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0)
    add_clock(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    ours, theirs = random_pair(presets.encodec_24khz())
    ours.fold_weight_norm()
    audio = torch.randn(1, 1, round(24_000 * args.seconds)) * 0.1
    codes = ours.encode(audio, bandwidth=6.0)
    print(f"{args.seconds:g} s at 24 kHz, 6 kbps, one thread; times real time in parentheses")
    for verb, run in {
        "encode": lambda m: m.encode(audio, bandwidth=6.0),
        "decode": lambda m: m.decode(codes.audio_codes, codes.audio_scales),
    }.items():
        models = {"recodec": ours, "transformers": theirs}
        turns = take_turns({name: lambda f=run, m=m: f(m) for name, m in models.items()}, args.repeats)
        best = {name: turns.figure(name, clock=args.clock) for name in models}
        shown = ", ".join(f"{name} {t:.3f} s ({args.seconds / t:.1f}x)" for name, t in best.items())
        ratio = turns.ratio("transformers", "recodec", clock=args.clock)
        print(f"{verb}: {shown}; ratio transformers / recodec {ratio:.2f}")


if __name__ == "__main__":
    main()
