"""Crops per second of a training run, and what takes the time: networks, losses, data.

    python benchmarks/training.py SHARDS [--device cuda] [--batch 64] [--workers 4] [--width 32] [KEY=VALUE ...]

Prints the rate of the whole update, of generator and discriminator alone, of the data alone, and their ratios.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from common import argument_parser, timed

from recodec import presets
from recodec.training.adversarial import AdversarialTraining
from recodec.training.config import TrainConfig
from recodec.training.data import Examples, batches
from recodec.training.trainer import Trainer


def crops_per_s(function: Callable[[], object], batch: int, repeats: int, device: torch.device) -> float:
    """Crops a second of calls that take a batch each, after two that warm up."""
    for _ in range(2):
        function()
    used = timed(lambda: [function() for _ in range(repeats)], device)[1]
    return batch * repeats / used.wall


def networks(trainer: Trainer) -> Callable[[], None]:
    """Forward and backward passes of generator and discriminator on a batch that is there, without losses or data."""
    config, adversary = trainer.config, trainer.adversary
    audio = trainer._next_batch()
    assert adversary is not None

    def step() -> None:
        latents = trainer.model.encoder(audio)
        output = trainer.model.decoder(latents)[..., : audio.shape[-1]]
        judged = adversary.module[0](output)
        sum(j.logits.sum() for j in judged).backward()  # type: ignore[union-attr]
        with torch.no_grad():
            adversary.module[0](audio)
        if torch.rand(()) < config.adversarial.update_probability:
            both = adversary.module[0](audio), adversary.module[0](output.detach())
            sum(j.logits.sum() for part in both for j in part).backward()  # type: ignore[union-attr]

    return step


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("shards")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_intermixed_args()
    if options.device == "cpu":
        torch.set_num_threads(1)
    config = TrainConfig(
        presets.recodec_24khz(), options.shards, batch_size=options.batch, workers=options.workers,
        adversarial=AdversarialTraining(3.0, 3.0, width=options.width), mixing=(0.32, 0.32, 0.24, 0.12),
        reverb_probability=0.2,
    ).with_settings(dict(setting.split("=", 1) for setting in options.settings))  # fmt: skip
    trainer = Trainer(config, options.device)
    trainer._start_codebooks()
    trainer.done = config.quantizer_start + 1
    device = torch.device(options.device)
    whole = crops_per_s(trainer.update, options.batch, options.repeats, device)
    nets = crops_per_s(networks(trainer), options.batch, options.repeats, device)
    data = batches(Examples(config), options.batch, first=0, step=options.batch, workers=options.workers)
    alone = crops_per_s(lambda: next(data), options.batch, 4 * options.repeats, torch.device("cpu"))
    print(f"update {whole:.2f} crops/s; networks alone {nets:.2f} (ratio {whole / nets:.2f}); "
          f"data alone {alone:.0f} ({alone / whole:.0f} times what is needed)")  # fmt: skip


if __name__ == "__main__":
    main()
