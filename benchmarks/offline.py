"""Whole files: `Codec` on ONNX Runtime against transformers.EncodecModel, on one core.

    taskset -c 0 python benchmarks/offline.py [--seconds 30] [--repeats 3] [--models 32-filters 16-filters]

The same random weights in both, 6 kbps, one thread, turn by turn in one process; the smallest time of each
counts. Audio in an array to codes in an array, and back.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import transformers

from recodec import Codec, presets
from recodec.config import EncodecConfig

MODELS = {"32-filters": presets.encodec_24khz, "16-filters": presets.recodec_24khz}
KBPS = 6.0


def build(config: EncodecConfig, folder: str) -> tuple[Codec, Any]:
    """Ours and theirs, with the same weights, by way of a checkpoint that theirs wrote."""
    torch.manual_seed(0)
    fields = {key: value for key, value in config.to_dict().items() if key != "return_dict"}
    theirs = transformers.EncodecModel(transformers.EncodecConfig(**fields)).eval()
    levels: Any = theirs.quantizer.layers
    for level in levels:
        level.codebook.embed.normal_()
    theirs.save_pretrained(folder)
    return Codec.from_pretrained(folder, engine="onnx", threads=1), theirs


def fastest(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Smallest time in seconds of each function, run turn by turn; the first turn warms up."""
    best = dict.fromkeys(functions, float("inf"))
    for turn in range(repeats + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn:
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def main() -> None:
    """Print times and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    audio = 0.1 * np.random.default_rng(0).standard_normal((1, round(24_000 * args.seconds)), np.float32)
    for name in args.models:
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = build(MODELS[name](), folder)
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
            best = fastest(functions, args.repeats)
            shown = ", ".join(f"{who} {t:.2f} s ({args.seconds / t:.1f}x real time)" for who, t in best.items())
            print(f"{name} {verb}: {shown}; ratio {best['transformers'] / best['recodec']:.2f}", flush=True)


if __name__ == "__main__":
    main()
