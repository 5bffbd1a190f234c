"""`recodec concat`: files one after the other, without decoding them."""

from __future__ import annotations

from pathlib import Path

import click

from .batch import check_target
from .options import options


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="IN...",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
@options("out", "damaged", "force", out={"required": True, "help": "The joined file."})
def concat(sources: tuple[Path, ...], out: Path, damaged: bool, force: bool) -> None:
    """Join .ecdc files of the same model, without decoding them. No model is needed.

    Each sounds in the joined file as it did alone. Their bandwidths may differ.
    """
    check_target(sources[0], out, force)

    from .. import ecdc

    ecdc.concat(sources, out, tolerant=damaged, overwrite=force)
