"""The grammar of the command line: every option that several verbs take, once; one letter, one meaning."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from ..text import system_reason
from .endpoints import RawType

MAX_TIME_S = 1e12
MAX_THREADS = 1024
F = TypeVar("F", bound=Callable[..., Any])


def error_text(error: Exception) -> str:
    """An error in words; of a file that cannot be used, its name and why."""
    return f"{error.filename}: {system_reason(error)}" if isinstance(error, OSError) and error.filename else str(error)


def error_of(source: object, error: Exception) -> str:
    """An error of one input of many, which says which one; or which other file, such as its output, is the cause."""
    text = error_text(error)
    if isinstance(error, OSError) and error.filename:
        return text
    return text if str(source) in text else f"{source}: {text}"


class FileName(click.Path):
    """A file or a folder. An empty text, such as a variable gives that is not set, is neither, nor is `-` where no pipe
    is taken."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check, or fail as usage."""
        if value == "":
            self.fail("an empty text is not the name of a file or a folder", param, ctx)
        if value == "-" and not self.allow_dash:
            self.fail("'-' is not taken here: name a file (./- is one of that name)", param, ctx)
        return super().convert(value, param, ctx)


class Number(click.FloatRange):
    """A finite number in a range. Click takes NaN for any range, because no comparison with it is true."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse, or fail as usage."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class Suffix(click.ParamType):
    """The suffix of audio files that can be written, with its dot or without; to one with it."""

    name = "SUFFIX"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check, or fail as usage."""
        from ..audio.writer import SUBTYPES

        suffix = value if value.startswith(".") else f".{value}"
        if suffix.lower() not in SUBTYPES:
            self.fail(f"{value!r} is not a suffix of audio that can be written: take one of {', '.join(SUBTYPES)}",
                      param, ctx)  # fmt: skip
        return suffix


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


class Kbps(click.ParamType):
    """A bandwidth: 6, 6k or 6kbps; to kbps."""

    name = "KBPS"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse, or fail as usage."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(?:k|kbps)?", str(value), re.IGNORECASE)
        if found is None or not 0 < float(found[1]) < 1e6:
            self.fail(f"{value!r} is not a bandwidth in kbps; write 6, 6k or 1.5", param, ctx)
        return float(found[1])


class Channels(click.ParamType):
    """One or two channels of a recording, counted from 1: 3 or 1,2."""

    name = "N[,N]"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Parse, or fail as usage."""
        if isinstance(value, tuple):
            return value
        if re.fullmatch(r"[1-9]\d?(,[1-9]\d?)?", str(value)) is None:
            self.fail(f"{value!r} does not choose one or two channels; write 3 or 1,2", param, ctx)
        return tuple(map(int, str(value).split(",")))


LM_MODEL = "The model, or its language model where packets are coded; by default the one that the file names."
"""Help of `--model` for verbs that need no more of it."""

_FILE = FileName(dir_okay=False, path_type=Path)
_FOLDER = FileName(file_okay=False, path_type=Path)
_OPTIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "model": (("-m", "--model"), {"metavar": "NAME_OR_PATH", "help":
        "recodec_24khz (the shipped one, and the default), a folder, or a hub id such as facebook/encodec_24khz."}),
    "backend": (("--backend",), {"type": click.Choice(["auto", "onnx", "torch"]), "default": "auto",
        "show_default": True, "help": "What runs the model; auto is onnx on a CPU."}),
    "device": (("--device",), {"default": "cpu", "show_default": True, "help": "cpu, cuda or cuda:N."}),
    "threads": (("--threads",), {"type": click.IntRange(1, MAX_THREADS),
        "help": "CPU threads; the choice of the backend by default."}),
    "decoder": (("--decoder",), {"default": "auto", "show_default": True,
        "metavar": "auto|encodec|spectral|NAME_OR_PATH", "help": "encodec is the model's own; spectral its second one, "
        "which sounds better; auto is spectral where the model has it. A folder or hub id of such a decoder, as "
        "charactr/vocos-encodec-24khz, also does."}),
    "int8": (("--int8",), {"is_flag": True, "help": "Compute the products of a spectral decoder with 8-bit integers, "
        "which is faster; the difference is 38 dB below the sound."}),
    "jobs": (("-j", "--jobs"), {"type": click.IntRange(1, MAX_THREADS), "help": "Processes at work at once."}),
    "out": (("-o", "--out"), {"type": _FILE, "help": "The output."}),
    "out_dir": (("-d", "--out-dir"), {"type": _FOLDER,
        "help": "Folder for the outputs, made if it is not there; beside the inputs by default."}),
    "force": (("-f", "--force"), {"is_flag": True, "help": "Replace outputs that are there already."}),
    "quiet": (("-q", "--quiet"), {"is_flag": True, "help": "Print errors only."}),
    "bandwidth": (("-b", "--bandwidth"), {"type": Kbps(),
        "help": "One of the model's bandwidths; its highest up to 6 by default."}),
    "damaged": (("--damaged",), {"is_flag": True, "help": "Go on after damage; what is lost stays lost."}),
    "partial": (("--partial",), {"is_flag": True, "help": "Take what there is of audio files that were cut off."}),
    "channels": (("--channels",), {"type": Channels(),
        "help": "Take these channels of the input, and mix no other in."}),
    "meta_lm": (("--meta-lm",), {"type": FileName(exists=True, dir_okay=False, path_type=Path), "metavar": "FILE",
        "help": "Checkpoint of Meta's language model, for files of version 0 that are coded with it. Needs torch."}),
    "lm": (("--lm/--no-lm",), {"default": True, "show_default": True,
        "help": "Whether the model's language model, if it has one, makes files smaller."}),
    "raw": (("--raw",), {"type": RawType(), "metavar": "RATE:CHANNELS:FORMAT",
        "help": "Samples without a header, for example 48000:2:s16le or 24000:1:f32le."}),
    "start": (("--start",), {"type": Time(), "default": 0.0, "help": "From there: 90, 1:30 or 0:01:30.5."}),
    "stop": (("--stop",), {"type": Time(), "help": "Up to there; to the end by default."}),
    "kind": (("-k", "--kind"), {"type": click.Choice(["speech", "music", "other"]), "default": "other",
        "show_default": True, "help": "What the recordings are, where nothing says it; it chooses the metrics."}),
    "codec": (("-c", "--codec", "codecs"), {"multiple": True, "metavar": "NAME[:MODEL][@KBPS,...]",
        "help": "Codec and its bandwidths; may be repeated."}),
}  # fmt: skip
"""By name: the flags, and the settings of click."""


def options(*names: str, **changes: Mapping[str, Any] | str) -> Callable[[F], F]:
    """Options of the table, in this order in the help.

    Args:
        names: of the table.
        changes: by name another help text, or other settings of the option.
    """

    def add(function: F) -> F:
        for name in reversed(names):
            flags, settings = _OPTIONS[name]
            change = changes.get(name, {})
            own = {"help": change} if isinstance(change, str) else dict(change)
            parameter = () if flags[-1].isidentifier() or "/" in flags[0] else (name,)
            function = click.option(*flags, *parameter, **{**settings, **own})(function)
        return function

    return add


def model_options(function: F) -> F:
    """`--model`, `--backend`, `--device` and `--threads`."""
    return options("model", "backend", "device", "threads")(function)


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


def need(extra: str, *modules: str) -> None:
    """Make sure, before any work, that what an extra brings is installed.

    Raises:
        click.UsageError: with the command that installs it.
    """
    from importlib.util import find_spec

    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise click.UsageError(f"this needs {', '.join(missing)}: pip install 'recodec[{extra}]'")


def say(text: str, *, err: bool = False) -> None:
    """Print a line. Names in it may come from files: none of them speaks to the terminal."""
    from ..text import shown

    click.echo(shown(text), err=err)


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
