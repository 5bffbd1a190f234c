"""`recodec train-lm`: train a code language model for a codec model."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..text import quoted
from .options import FileName, Number, need, options, read_settings, say

if TYPE_CHECKING:
    from ..codec import ModelChoice

_GROUP = "data."


@click.command("train-lm")
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@options("model", model="Codec model whose codes are to be learnt: a folder or a hub id; the shipped one by default.")
@click.option("--data", metavar="CORPUS", help="What `recodec tokenize` wrote, or any corpus that it takes, which is "
              "tokenized first. Or a setting for each group: data.speech=CORPUS data.music=CORPUS.")  # fmt: skip
@click.option("--dev", metavar="CORPUS", help="The same of clips for the figures in the log.")
@options(
    "out",
    "device",
    "threads",
    threads="CPU threads; all cores by default.",
    out={"required": True, "type": FileName(file_okay=False), "help": "Folder for codes, state and model."},
)
@click.option("--resume/--no-resume", default=True, show_default=True, help="Go on from the state in --out.")
@click.option("--stop-after", type=Number(min=0), metavar="MINUTES", help="Save and stop after that time.")
@options("quiet")
def train_lm(
    settings: tuple[str, ...],
    model: str | None,
    data: str | None,
    dev: str | None,
    out: str,
    device: str,
    threads: int | None,
    resume: bool,
    stop_after: float | None,
    quiet: bool,
) -> None:
    """Train the language model that codes a codec model's files more tightly.

    A corpus that is not tokenized yet is, once, into OUT/codes. Settings change the run: `updates=2000
    model.width=128`. A run that was interrupted goes on where its last checkpoint stands. What codes
    files is in OUT/lm: put its two files beside the codec model's weights.
    """
    need("scale", "torch", "pyarrow")
    pairs = read_settings(settings)
    groups = {key.removeprefix(_GROUP): pairs.pop(key) for key in list(pairs) if key.startswith(_GROUP)}
    if (data is None) != bool(groups):
        raise click.UsageError("give --data, or a setting such as data.speech=CORPUS for each group, and not both")

    import torch

    from ..codec import ModelChoice
    from ..config import EncodecConfig
    from ..errors import ConfigError
    from ..lm.config import CodeLMConfig
    from ..training.lm import LMTrainConfig
    from ..training.lm import train_lm as run

    if threads is not None:
        torch.set_num_threads(threads)
    codec = EncodecConfig.from_pretrained(model)
    shape = CodeLMConfig(codec.num_quantizers, codec.codebook_size, codec.frame_rate)
    progress = not quiet and sys.stderr.isatty()
    try:
        config = LMTrainConfig(shape, data or groups, codec=model).with_settings(pairs)
        choice, count = ModelChoice(model, device=device, threads=threads), codec.num_quantizers
        folder = Path(out, "codes", "train")
        places: dict[str, Any] = {
            "codes": {name: _codes(place, folder / name, choice, count, progress) for name, place in groups.items()}
            if data is None
            else _codes(data, folder, choice, count, progress)
        }
        if dev is not None:
            places["dev"] = _codes(dev, Path(out, "codes", "dev"), choice, count, progress)
        run(dataclasses.replace(config, **places), out, device=device, resume=resume, progress=progress,
            stop_after_s=None if stop_after is None else 60 * stop_after)  # fmt: skip
        if not quiet:
            say(_ending(Path(out), model))
    except (ConfigError, FileExistsError) as error:
        raise click.UsageError(str(error)) from error


def _ending(out: Path, model: str | None) -> str:
    """The last line: where the language model is, and a command that uses it."""
    from ..training.lm import EXPORT_NAME

    copy = f"{'copy' if sys.platform == 'win32' else 'cp'} {quoted(out / EXPORT_NAME)}{os.sep}*"
    place = quoted(model) if model is not None and os.path.isdir(model) else "MODEL_FOLDER"
    return (
        f"The language model is in {out / EXPORT_NAME}: {copy} {place} puts it beside its codec model, whose "
        "files it makes smaller"
    )


def _codes(place: str, folder: Path, choice: ModelChoice, num_quantizers: int, progress: bool) -> str:
    """A folder of codes: the place itself if it is one, else what is made of it."""
    from ..tokenize import open_shards, tokenize

    if os.path.isdir(place):
        try:
            open_shards(place)
        except FileNotFoundError:
            pass
        else:
            return place
    show = sys.stderr if progress else None
    tokenize(place, folder, num_quantizers=num_quantizers, model=choice, processes=1, show=show)
    return str(folder)
