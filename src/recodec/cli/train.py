"""`recodec train`: run a recipe."""

from __future__ import annotations

import sys

import click


@click.command()
@click.argument("recipe")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("-o", "--out", required=True, type=click.Path(file_okay=False), help="Folder for state, log and model.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:N.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; all cores by default.")
@click.option("--resume/--no-resume", default=True, show_default=True, help="Go on from the state in --out.")
@click.option("--stop-after", type=click.FloatRange(min=0), metavar="MINUTES", help="Save and stop after that time.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def train(
    recipe: str,
    settings: tuple[str, ...],
    out: str,
    device: str,
    threads: int | None,
    resume: bool,
    stop_after: float | None,
    quiet: bool,
) -> None:
    """Train a model by RECIPE, a file FILE.py or FILE.py:FUNCTION that returns a TrainConfig.

    Settings change it: `updates=2000 model.num_filters=32 data=shards`. A run that was
    interrupted goes on where its last checkpoint stands; the finished model is in OUT/model.
    """
    pairs = {}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign:
            raise click.UsageError(f"settings are KEY=VALUE, got {setting!r}")
        pairs[key] = value

    import torch

    from ..errors import ConfigError
    from ..training.loop import train as run
    from ..training.recipes import load_recipe

    if threads is not None:
        torch.set_num_threads(threads)
    try:
        config = load_recipe(recipe).with_settings(pairs)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    progress = not quiet and sys.stderr.isatty()
    try:
        run(config, out, device=device, resume=resume, progress=progress,
            stop_after_s=None if stop_after is None else 60 * stop_after)  # fmt: skip
    except FileExistsError as error:
        raise click.UsageError(str(error)) from error
