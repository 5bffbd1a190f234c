"""Whole files: `Codec` on ONNX Runtime against transformers.EncodecModel, on one core.

    taskset -c 0 python benchmarks/offline.py [--seconds 30] [--repeats 3] [--models 32-filters 16-filters]
        [--clock cpu]

The same random weights in both, 6 kbps, one thread, turn by turn in one process; the smallest time of each
counts. Audio in an array to codes in an array, and back.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from common import add_clock, argument_parser, print_speeds, random_pair

from recodec import Codec, presets
from recodec.config import EncodecConfig

MODELS = {"32-filters": presets.encodec_24khz, "16-filters": presets.recodec_24khz}
KBPS = 6.0


def build(config: EncodecConfig) -> tuple[Codec, Any]:
    """Ours and theirs, with the same weights, by way of a checkpoint that theirs wrote."""
    theirs = random_pair(config)[1]
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        return Codec.from_pretrained(folder, engine="onnx", threads=1), theirs


def main() -> None:
    """Print times and ratios."""
    parser = argument_parser(__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    add_clock(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    audio = 0.1 * np.random.default_rng(0).standard_normal((1, round(24_000 * args.seconds)), np.float32)
    for name in args.models:
        ours, theirs = build(MODELS[name]())
        batch = torch.from_numpy(audio[None])
        codes, scales = ours.encode(audio, KBPS)
        frames = torch.from_numpy(codes[None, None])
        runs: dict[str, dict[str, Callable[[], object]]] = {
            "encode": {
                "recodec": lambda o=ours: o.encode(audio, KBPS),
                "transformers": lambda t=theirs, b=batch: t.encode(b, bandwidth=KBPS),
            },
            "decode": {
                "recodec": lambda o=ours, c=codes, s=scales: o.decode(c, s),
                "transformers": lambda t=theirs, f=frames: t.decode(f, [None]),
            },
        }
        for verb, functions in runs.items():
            print_speeds(
                f"{name} {verb}", functions, args.seconds, args.repeats, ours="recodec", other="transformers",
                clock=args.clock,
            )  # fmt: skip


if __name__ == "__main__":
    main()
