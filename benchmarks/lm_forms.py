"""Forms of the code language model, trained alike on the codes of one codec: bits per frame and time.

    python benchmarks/lm_forms.py CODES --out runs/forms [--updates 400] [--full] [--only FORM ...]

`CODES` holds `train/` and `dev/` as `recodec train-lm` makes them (OUT/codes). Each form sees the same crops in
the same order; finished forms are not trained again. Times are processor time of one thread. `--full` takes the
paper's size instead of a small one, which wants a lower `--learning-rate`, say 5e-4.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from common import argument_parser, fastest

from recodec.lm.config import CodeLMConfig
from recodec.lm.meta_network import MetaLMConfig
from recodec.training.codes import CodecShape
from recodec.training.lm import LMTrainConfig, bits_by_bandwidth, train_lm

SMALL = {"width": 96, "num_layers": 2, "num_heads": 4, "feed_forward": 384, "head_width": 64}
FULL = {"width": 200, "num_layers": 5, "num_heads": 8, "feed_forward": 800, "head_width": 128}
BATCH = 4
SPEED_FRAMES = 750


def forms(num_codebooks: int, shape: dict[str, Any]) -> dict[str, tuple[CodeLMConfig | MetaLMConfig, bool]]:
    """Configs by name, and whether they start from the codec's codebooks."""
    ours = CodeLMConfig(num_codebooks, **shape)
    theirs = {name: value for name, value in shape.items() if name != "head_width"}
    return {
        "Meta's": (MetaLMConfig(num_codebooks, **theirs), False),
        "parallel": (replace(ours, conditioned=False, head_width=0), True),
        "parallel, hidden layer": (replace(ours, conditioned=False), True),
        "additive": (replace(ours, head_width=0), True),
        "conditioned, hidden layer": (ours, True),
        "the same, without the codebooks' geometry": (ours, False),
    }


def seconds_per_frame(model: torch.nn.Module, num_codebooks: int) -> float:
    """Processor time of one forward pass, a frame."""
    codes = torch.zeros(1, num_codebooks, SPEED_FRAMES, dtype=torch.int64)
    with torch.no_grad():
        return fastest(lambda: model(codes), 1, warm_up=1) / SPEED_FRAMES


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("codes", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--updates", type=int, default=400)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    codec = CodecShape.of(None)
    bands = [f"{b:g}" for b in codec.counts]
    books = codec.config.num_quantizers
    print(f"| form | {' | '.join(f'{b} kbps' for b in bands)} | ms a frame |")
    print("| --- |" + " ---: |" * (len(bands) + 1))
    for name, (shape, from_codebooks) in forms(books, FULL if options.full else SMALL).items():
        if options.only and name not in options.only:
            continue
        config = LMTrainConfig(
            shape, str(options.codes / "train"), codebooks=from_codebooks, updates=options.updates,
            warmup_updates=20, cooldown_updates=options.updates // 4, batch_size=BATCH,
            learning_rate=options.learning_rate, matrix_learning_rate=0.0,  # Adam for all: Meta's network has no Muon
        )  # fmt: skip
        folder = options.out / name.replace(" ", "-")
        model = train_lm(config, folder, progress=False)
        done = folder / "dev.json"
        if not done.exists():
            done.write_text(json.dumps(bits_by_bandwidth(model, codec, options.codes / "dev")))
        figures = json.loads(done.read_text())
        cells = " | ".join(f"{figures[f'dev_{b}']:.1f}" for b in bands)
        print(f"| {name} | {cells} | {1e3 * seconds_per_frame(model, books):.2f} |", flush=True)


if __name__ == "__main__":
    main()
