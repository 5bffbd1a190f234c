"""`recodec cut`: a stretch of a file, without decoding it."""

from __future__ import annotations

import re
from pathlib import Path

import click

from .options import choose_output


class Time(click.ParamType):
    """Seconds, minutes:seconds or hours:minutes:seconds; to seconds."""

    name = "TIME"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse, or fail as usage."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", str(value))
        if found is None:
            self.fail(f"{value!r} is no time; write 90, 1:30 or 0:01:30.5", param, ctx)
        hours, minutes, seconds = found.groups()
        return 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds)


@click.command()
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--start", type=Time(), default=0.0, help="90, 1:30 or 0:01:30.5; the beginning if not given.")
@click.option("--stop", type=Time(), help="Likewise; the end if not given.")
@click.option("--damaged", is_flag=True, help="Go on after damage; what is lost stays lost.")
@click.option("-f", "--force", is_flag=True, help="Replace OUT if it is there already.")
def cut(source: Path, out: Path, start: float, stop: float | None, damaged: bool, force: bool) -> None:
    """Copy a stretch of the .ecdc file IN to OUT, without decoding it. No model is needed.

    It is cut at frames where the codes are stored plainly; packets that are coded with a language model, and
    segments of models that have them, are kept whole. What was kept is printed.
    """
    choose_output(source, out, ".ecdc", force)

    from ..atomic import atomic_write
    from ..errors import BitstreamError
    from ..wire import editing
    from ..wire.index import seek

    try:
        with open(source, "rb") as file, atomic_write(out, overwrite=force) as target:
            rate = seek(file, 0).header.sampling_rate
            kept = editing.cut(
                file, target, round(start * rate), None if stop is None else round(stop * rate), tolerant=damaged
            )
    except BitstreamError:
        raise
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    click.echo(f"{out}: {kept.start / rate:.3f} s to {(kept.start + kept.num_samples) / rate:.3f} s")
