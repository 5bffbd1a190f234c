"""`recodec cut`: a stretch of a file, without decoding it."""

from __future__ import annotations

from pathlib import Path

import click

from .options import Time, choose_output, lm_option


@click.command()
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--start", type=Time(), default=0.0, help="90, 1:30 or 0:01:30.5; the beginning if not given.")
@click.option("--stop", type=Time(), help="Likewise; the end if not given.")
@lm_option
@click.option("--damaged", is_flag=True, help="Go on after damage; what is lost stays lost.")
@click.option("-f", "--force", is_flag=True, help="Replace OUT if it is there already.")
def cut(
    source: Path, out: Path, start: float, stop: float | None, model: str | None, damaged: bool, force: bool
) -> None:
    """Copy a stretch of the .ecdc file IN to OUT, without decoding it. No model is needed.

    It is cut at frames; segments of models that have them are kept whole, and so are packets that are coded with a
    language model which is not here. What was kept is printed.
    """
    choose_output(source, out, ".ecdc", force)

    from .. import ecdc

    kept = ecdc.cut(source, out, start_s=start, stop_s=stop, model=model, tolerant=damaged, overwrite=force)
    assert isinstance(kept, tuple)  # bytes come back only where there is no target
    click.echo(f"{out}: {kept[0]:.3f} s to {kept[1]:.3f} s")
