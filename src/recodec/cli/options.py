"""What several verbs share: options, the names of files, progress."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from .endpoints import STANDARD, RawType, is_plain

MAX_TIME_S = 1e12
MAX_THREADS = 1024
F = TypeVar("F", bound=Callable[..., Any])


class Time(click.ParamType):
    """Seconds, minutes:seconds or hours:minutes:seconds; to seconds."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse, or fail as usage."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", str(value))
        if found is None:
            self.fail(f"{value!r} is not a time; write 90, 1:30 or 0:01:30.5", param, ctx)
        hours, minutes, seconds = (float(part or 0) for part in found.groups())
        total = 3600 * hours + 60 * minutes + seconds
        if not total < MAX_TIME_S:
            self.fail(f"{value!r} is too long: no recording has more than {MAX_TIME_S:.0e} s", param, ctx)
        return total


def lm_option(function: F) -> F:
    """`--model`, for verbs that need a model's language model only."""
    text = "The model, or its language model where packets are coded: a folder or a hub id; by the file's own words."
    return click.option("--model", metavar="NAME_OR_PATH", help=text)(function)


def meta_lm_option(function: F) -> F:
    """`--meta-lm`, for files of version 0."""
    text = "Meta's language model, for files of version 0 that are coded with it: its checkpoint. Needs torch."
    place = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.option("--meta-lm", type=place, metavar="FILE", help=text)(function)


def model_options(function: F) -> F:
    """`--model`, `--engine` and `--threads`."""
    for option in (
        click.option("--threads", type=click.IntRange(1, MAX_THREADS),
                     help="CPU threads; the engine's choice by default."),
        click.option("--engine", type=click.Choice(["auto", "onnx", "torch"]), default="auto", show_default=True,
                     help="What runs the model."),
        click.option("--model", metavar="NAME_OR_PATH", help="A folder or a hub id; the shipped model by default."),
    ):  # fmt: skip
        function = option(function)
    return function


def endpoints(function: F) -> F:
    """`INPUT` and `[OUTPUT]`, files or `-`."""
    place = click.Path(path_type=Path, allow_dash=True)
    function = click.argument("target", metavar="[OUTPUT]", required=False, type=place)(function)
    place = click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True)
    return click.argument("source", metavar="INPUT", type=place)(function)


def raw_option(meaning: str) -> Callable[[F], F]:
    """`--raw`, of the input, the output or both."""
    text = f"{meaning} samples without a header, for example 48000:2:s16le or 24000:1:f32le."
    return click.option("--raw", type=RawType(), metavar="RATE:CHANNELS:FORMAT", help=text)


def output_options(function: F) -> F:
    """`--force` and `--quiet`."""
    function = click.option("-q", "--quiet", is_flag=True, help="No progress bar.")(function)
    return click.option("-f", "--force", is_flag=True, help="Replace the output if it is there already.")(function)


def read_settings(settings: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE` arguments as pairs.

    Raises:
        click.UsageError: for one without a sign.
    """
    pairs = {}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign:
            raise click.UsageError(f"settings are KEY=VALUE, got {setting!r}")
        pairs[key] = value
    return pairs


def choose_output(source: Path, target: Path | None, suffix: str, force: bool) -> Path:
    """The output's name: as given, or that of the input with another suffix, or `-` where the input is a pipe.

    Raises:
        click.UsageError: if the file is there and may not be replaced, is the input itself, or has no folder.
    """
    if target is None:
        target = source.with_suffix(suffix) if is_plain(source) else STANDARD
    if target.is_dir():
        raise click.UsageError(f"{target} is a folder")
    if not target.parent.is_dir():
        raise click.UsageError(f"there is no folder {target.parent}")
    if is_plain(target) and target.exists():
        if is_plain(source) and target.samefile(source):
            raise click.UsageError("input and output are the same file")
        if not force:
            raise click.UsageError(f"{target} exists already; use --force to replace it")
    return target


@contextmanager
def progress(total_s: float | None, what: str, quiet: bool) -> Iterator[Callable[[float], object]]:
    """A bar over seconds of audio, on a terminal only. Gives a function that takes the seconds done."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda seconds: None
        return
    from tqdm import tqdm

    form = "{desc} {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s of audio [{elapsed}<{remaining}, {rate_fmt}]"
    with tqdm(total=total_s, desc=what, unit="s", bar_format=form if total_s else None, leave=False) as bar:
        yield bar.update
