"""EncodecModel against transformers.EncodecModel: encode and decode of 10 s at 24 kHz on one core.

    python benchmarks/model_speed.py [--repeats 5] [--seconds 10]

Both run the released 24 kHz geometry with the same random weights, turn by turn in one process, and
the smallest time of each counts. Ours has its weight norm folded, as for any inference.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
import transformers

import recodec
from recodec import presets


def build() -> tuple[recodec.EncodecModel, transformers.EncodecModel]:
    """Ours and theirs, with the same weights and codebooks."""
    torch.manual_seed(0)
    config = presets.encodec_24khz()
    fields = {k: v for k, v in config.to_dict().items() if k != "return_dict"}
    theirs = transformers.EncodecModel(transformers.EncodecConfig(**fields)).eval()
    levels: Any = theirs.quantizer.layers
    for level in levels:
        level.codebook.embed.normal_()
    ours = recodec.EncodecModel(config)
    ours.load_state_dict(theirs.state_dict())
    return ours.eval().fold_weight_norm(), theirs


def fastest(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Smallest time in seconds of each function, run turn by turn."""
    best = dict.fromkeys(functions, float("inf"))
    for _ in range(repeats + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def main() -> None:
    """Print a table of times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    ours, theirs = build()
    audio = torch.randn(1, 1, round(24_000 * args.seconds)) * 0.1
    codes = ours.encode(audio, bandwidth=6.0)
    print(f"{args.seconds:g} s at 24 kHz, 6 kbps, one thread; times real time in parentheses")
    for verb, run in {
        "encode": lambda m: m.encode(audio, bandwidth=6.0),
        "decode": lambda m: m.decode(codes.audio_codes, codes.audio_scales),
    }.items():
        best = fastest({"recodec": lambda f=run: f(ours), "transformers": lambda f=run: f(theirs)}, args.repeats)
        shown = ", ".join(f"{name} {t:.3f} s ({args.seconds / t:.1f}x)" for name, t in best.items())
        print(f"{verb}: {shown}; ratio transformers / recodec {best['transformers'] / best['recodec']:.2f}")


if __name__ == "__main__":
    main()
