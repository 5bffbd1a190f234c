"""`recodec cut`: a stretch of a file, without decoding it."""

from __future__ import annotations

from pathlib import Path

import click

from .batch import check_coded_name, check_target, say_loss
from .options import FileName, options, say


@click.command()
@click.argument("source", metavar="IN", type=FileName(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", metavar="OUT", type=FileName(path_type=Path))
@options(
    "start",
    "stop",
    "model",
    "damaged",
    "force",
    model="The model, or its language model where packets are coded; by default the one that the file names.",
)
def cut(
    source: Path, out: Path, start: float, stop: float | None, model: str | None, damaged: bool, force: bool
) -> None:
    """Copy a stretch of the .ecdc file IN to OUT, without decoding it. No model is needed.

    It is cut at frames; segments of models that have them are kept whole, and so are packets that are coded with a
    language model which is not here. What was kept is printed.
    """
    check_coded_name(out)
    check_target(source, out, force)
    if damaged:
        say_loss(source)

    from .. import ecdc

    kept = ecdc.cut(source, out, start_s=start, stop_s=stop, model=model, tolerant=damaged, overwrite=force)
    assert isinstance(kept, tuple)  # bytes come back only where there is no target
    say(f"{out}: {kept[0]:.3f} s to {kept[1]:.3f} s")
