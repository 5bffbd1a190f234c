"""`recodec train-lm`: train a code language model for a codec model."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .options import options, read_settings


@click.command("train-lm")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@options("model", model={"required": True, "help": "Codec model whose codes are to be learnt: a folder or a hub id."})
@click.option("--shards", required=True, type=click.Path(exists=True, file_okay=False), help="Folder of audio shards.")
@click.option("--dev", type=click.Path(exists=True, file_okay=False), help="Folder of clips for the figures.")
@options(
    "out",
    "device",
    "threads",
    threads="CPU threads; all cores by default.",
    out={"required": True, "type": click.Path(file_okay=False), "help": "Folder for codes, state and model."},
)
@click.option("--resume/--no-resume", default=True, show_default=True, help="Go on from the state in --out.")
@click.option("--stop-after", type=click.FloatRange(min=0), metavar="MINUTES", help="Save and stop after that time.")
@options("quiet")
def train_lm(
    settings: tuple[str, ...],
    model: str,
    shards: str,
    dev: str | None,
    out: str,
    device: str,
    threads: int | None,
    resume: bool,
    stop_after: float | None,
    quiet: bool,
) -> None:
    """Train the language model that codes a codec model's files more tightly.

    First the shards are encoded, once, into OUT/codes. Settings change the run: `updates=2000
    model.width=128`. A run that was interrupted goes on where its last checkpoint stands. What codes
    files is in OUT/lm: put its two files beside the codec model's weights.
    """
    pairs = read_settings(settings)

    import torch

    from ..errors import ConfigError
    from ..lm.config import CodeLMConfig
    from ..model.encodec import EncodecModel
    from ..training.codes import codes_of_clips, codes_of_shards
    from ..training.lm import LMTrainConfig
    from ..training.lm import train_lm as run

    if threads is not None:
        torch.set_num_threads(threads)
    codec = EncodecModel.from_pretrained(model).to(device).eval().fold_weight_norm()
    shape = CodeLMConfig(codec.config.num_quantizers, codec.config.codebook_size, codec.config.frame_rate)
    train_codes, dev_codes = Path(out, "codes", "train"), Path(out, "codes", "dev")
    config = LMTrainConfig(shape, str(train_codes), dev=None if dev is None else str(dev_codes))
    try:
        config = config.with_settings(pairs)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    progress = not quiet and sys.stderr.isatty()
    codes_of_shards(codec, shards, train_codes, progress=progress)
    if dev is not None:
        codes_of_clips(codec, dev, dev_codes, progress=progress)
    try:
        run(config, out, device=device, resume=resume, progress=progress,
            stop_after_s=None if stop_after is None else 60 * stop_after)  # fmt: skip
    except FileExistsError as error:
        raise click.UsageError(str(error)) from error
