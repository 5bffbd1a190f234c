"""Crops a second of training, by what learns: the paper's decoder, the spectral one, either with the encoder, both.

    python benchmarks/decoder_training.py SHARDS [--batch 8] [--repeats 3] [--device cuda] [--compiled] [--bf16]

All begin with the shipped model, and take turns, an update each. The first minute of each group of SHARDS is
tokenized for the rows with stored codes. Ratios are to the first row, which is what the recipe `longer` does.
"""

from __future__ import annotations

import csv
import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import torch
from common import add_clock, argument_parser, take_turns

from recodec.hub import DEFAULT_FOLDER
from recodec.tokenize import ModelChoice, tokenize
from recodec.training.config import TrainConfig
from recodec.training.recipes import load_recipe
from recodec.training.trainer import Trainer

RECIPES = Path(__file__).parents[1] / "recipes" / "debian_24khz" / "recipe.py"
SECONDS = 60
RATE_HZ = 24_000


def small_corpus(shards: Path, folder: Path) -> None:
    """The first minute of each group as shards of samples, in clips of 20 s."""
    with open(folder / "clips.tsv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["shard", "start", "samples", "group", "package", "source"])
        for group in ("speech", "music", "sfx"):
            path = sorted(shards.glob(f"{group}-*.npy"))[0]
            samples = np.load(path, mmap_mode="r")[: SECONDS * RATE_HZ]
            np.save(folder / path.name, samples)
            for start in range(0, len(samples), 20 * RATE_HZ):
                count = min(20 * RATE_HZ, len(samples) - start)
                writer.writerow([path.name, start, count, group, "start", str(start)])


def runs(data: Path, codes: Path, batch: int) -> dict[str, TrainConfig]:
    """What is compared, by name."""
    places = {"data": str(data), "start": str(DEFAULT_FOLDER), "batch_size": batch, "quantizer_start": 0}

    def of(recipe: str, **changes: object) -> TrainConfig:
        found = load_recipe(f"{RECIPES}:{recipe}")
        return dataclasses.replace(found, **{**places, **changes})  # type: ignore[arg-type]

    light = of("spectral_sharpen").adversarial
    adversarial = dataclasses.replace(light, start=0, lead=0)
    return {
        "encoder and paper's decoder": of("longer"),
        "paper's decoder alone": of("decoder"),
        "encoder and spectral decoder": of("spectral"),
        "encoder and both decoders": of("spectral", decoder="both"),
        "spectral decoder alone": of("spectral_decoder"),
        "the same, stored codes": of("spectral_stored", codes=str(codes)),
        "the same, light discriminator": of("spectral_stored", codes=str(codes), adversarial=adversarial),
    }


def main() -> None:
    parser = argument_parser(__doc__)
    add_clock(parser)
    parser.add_argument("shards", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=3, help="updates of each that count")
    parser.add_argument("--bf16", action="store_true", help="each run in bfloat16, too")
    parser.add_argument("--compiled", action="store_true", help="each run through torch.compile, too")
    parser.add_argument("--only", action="append", metavar="WORDS", help="rows whose names have these; may be repeated")
    options = parser.parse_args()
    if options.device == "cpu":
        torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    device = torch.device(options.device)
    with tempfile.TemporaryDirectory() as name:
        data, codes = Path(name) / "shards", Path(name) / "codes"
        data.mkdir()
        small_corpus(options.shards, data)
        tokenize(data, codes, bandwidth=12.0, model=ModelChoice(threads=1), processes=1)
        wanted = runs(data, codes, options.batch)
        base = next(iter(wanted))
        if options.only:
            wanted = {row: c for row, c in wanted.items() if row == base or any(word in row for word in options.only)}
        chosen = dict(wanted)
        if options.bf16:
            chosen |= {f"{row}, bf16": dataclasses.replace(c, precision="bf16") for row, c in wanted.items()}
        if options.compiled:
            chosen |= {f"{row}, compiled": dataclasses.replace(c, compiled=True) for row, c in wanted.items()}
        candidates = {row: Trainer(c, device).update for row, c in chosen.items()}
        turns = take_turns(candidates, options.repeats, warm_up=2, device=device)
    for row in chosen:
        rate = options.batch / turns.median(row, options.clock)
        ratio = turns.median(base, options.clock) / turns.median(row, options.clock)
        print(f"{row}: {rate:.2f} crops a second, {ratio:.2f} times", flush=True)


if __name__ == "__main__":
    main()
