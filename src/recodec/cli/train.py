"""`recodec train` and `recodec finetune`: run a recipe, from nothing or from a model."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .options import FileName, Number, need, options, read_settings, say

if TYPE_CHECKING:
    from ..training.config import TrainConfig

F = TypeVar("F", bound=Callable[..., Any])


def _run_options(function: F) -> F:
    """What both verbs take beside the recipe."""
    for option in (
        options("quiet"),
        click.option("--stop-after", type=Number(min=0), metavar="MINUTES",
                     help="Save and stop after that time."),
        click.option("--resume/--no-resume", default=True, show_default=True, help="Go on from the state in --out."),
        options("threads", threads="CPU threads; all cores by default."),
        options("device", device={"default": "auto", "help": "cpu, cuda or cuda:N; auto takes a GPU if there is one, "
                                  "and each process its own."}),
        options("out", out={"required": True, "type": FileName(file_okay=False),
                            "help": "Folder for state, log and model."}),
    ):  # fmt: skip
        function = option(function)
    return function


@click.command()
@click.argument("recipe")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@_run_options
def train(recipe: str, settings: tuple[str, ...], **options: Any) -> None:
    """Train a model by RECIPE, a file FILE.py or FILE.py:FUNCTION that returns a TrainConfig.

    Settings change it: `data=FOLDER dev=FOLDER updates=2000 model.num_filters=32 data.speech=FOLDER`. FOLDER is
    anything with recordings, with or without the folders speech, music and sfx in it. A run that was interrupted goes
    on where its last checkpoint stands; the finished model is in OUT/model. Several GPUs: `torchrun --nproc-per-node 4
    -m recodec train ...`; the batch size is that of each.
    """
    need("torch", "torch")
    _run(_config(recipe, settings), None, options)


@click.command()
@click.argument("recipe")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--from", "start", metavar="CHECKPOINT",
              help="A folder, a hub id, or a file of weights in any layout; the shipped model by default.")  # fmt: skip
@click.option("--discriminator", type=FileName(exists=True, dir_okay=False),
              help="The discriminator.pt that the checkpoint's own run has left; a fresh one by default.")  # fmt: skip
@_run_options
def finetune(
    recipe: str, settings: tuple[str, ...], start: str | None, discriminator: str | None, **options: Any
) -> None:
    """Train a model further by RECIPE, whose network is replaced by the checkpoint's.

    With `decoder=spectral` the second decoder learns, with `decoder=both` each of them; it begins with the one that
    lies beside the checkpoint, if there is one.
    With `train_encoder=false` all codes stay as they are, and files written before stay good.
    """
    need("torch", "torch")

    from ..hub import DEFAULT_FOLDER
    from ..model.encodec import EncodecModel
    from ..training.spectral_start import existing_shape

    config = _config(recipe, settings)
    place = str(DEFAULT_FOLDER) if start is None else start
    model = EncodecModel.from_pretrained(place)
    changes: dict[str, Any] = {"model": model.config, "start": place, "quantizer_start": 0}
    if config.trains_spectral and (shape := existing_shape(place, model)) is not None:
        changes["spectral_model"] = shape
    _run(dataclasses.replace(config, **changes), discriminator, options)


def _config(recipe: str, settings: tuple[str, ...]) -> TrainConfig:
    from ..errors import ConfigError
    from ..training.recipes import load_recipe

    pairs = read_settings(settings)
    try:
        return load_recipe(recipe).with_settings(pairs)
    except ConfigError as error:
        raise click.UsageError(str(error)) from error


def _run(config: TrainConfig, discriminator: str | None, options: dict[str, Any]) -> None:
    import torch

    from ..training import parallel
    from ..training.run import train as run

    if options["threads"] is not None:
        torch.set_num_threads(options["threads"])
    number = parallel.join()
    device = options["device"]
    if device == "auto":
        device = f"cuda:{number}" if torch.cuda.is_available() else "cpu"
    minutes = options["stop_after"]
    try:
        run(
            config,
            options["out"],
            device=device,
            resume=options["resume"],
            progress=not options["quiet"] and sys.stderr.isatty(),
            stop_after_s=None if minutes is None else 60 * minutes,
            discriminator=discriminator,
            say=None if options["quiet"] else say,
        )
    except FileExistsError as error:
        raise click.UsageError(str(error)) from error
    finally:
        parallel.leave()
