"""`recodec concat`: files one after the other, without decoding them."""

from __future__ import annotations

from pathlib import Path

import click

from .batch import check_coded_name, check_target, say_loss, say_made
from .options import FileName, options


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="IN...",
                type=FileName(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
@options("out", "damaged", "force", "quiet", out={"required": True, "help": "The joined file."})
def concat(sources: tuple[Path, ...], out: Path, damaged: bool, force: bool, quiet: bool) -> None:
    """Join .ecdc files of the same model, without decoding them. No model is needed.

    Each sounds in the joined file as it did alone. Their bandwidths may differ.
    """
    check_coded_name(out)
    check_target(sources[0], out, force)
    if damaged:
        for source in sources:
            say_loss(source)

    from .. import ecdc

    ecdc.concat(sources, out, tolerant=damaged, overwrite=force)
    if not quiet:
        say_made(out)
