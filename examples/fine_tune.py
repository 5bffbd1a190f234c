"""Teach the model that comes with the package your own sound: a few updates on a folder of recordings.

    python examples/fine_tune.py my_recordings/ tuned/ [--updates 20] [--everything]

The decoder learns alone, so codes mean what they meant, and files that were written before play on, and better. With
`--everything` the encoder and the codebooks learn, too. A real run takes thousands of updates, a GPU or patience, and a
recipe: see docs/training.md. Started again with more updates, this goes on where it has ended.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from recodec import Codec, EncodecModel
from recodec.training.config import TrainConfig
from recodec.training.run import train


def main() -> None:
    """Train, and print what the loss did and what the new model reads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path, help="a folder of audio files, searched through")
    parser.add_argument("out", type=Path, help="folder for the state, the log and the model")
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--crop-s", type=float, default=0.5)
    parser.add_argument("--everything", action="store_true", help="train the encoder and the codebooks, too")
    args = parser.parse_args()

    start = "recodec_24khz"
    config = TrainConfig(
        model=EncodecModel.from_pretrained(start).config,
        start=start,
        data=str(args.recordings),
        updates=args.updates,
        batch_size=args.batch_size,
        crop_s=args.crop_s,
        warmup_updates=max(1, args.updates // 10),
        cooldown_updates=args.updates // 4,
        train_encoder=args.everything,
        log_every=1,
    )
    train(config, args.out, device="cuda" if torch.cuda.is_available() else "cpu")
    for line in (args.out / "log.jsonl").read_text(encoding="utf-8").splitlines():
        figures = json.loads(line)
        print(f"update {figures['update']}: mel {figures['mel']:.3f}, time {figures['time']:.4f}")

    old, new = Codec.from_pretrained(), Codec.from_pretrained(args.out / "model")
    reads = old.fingerprints[0] in new.fingerprints
    print(f"{args.out / 'model'} {'reads' if reads else 'does not read'} files of the model that it began with")


if __name__ == "__main__":
    main()
