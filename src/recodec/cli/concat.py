"""`recodec concat`: files one after the other, without decoding them."""

from __future__ import annotations

from pathlib import Path

import click

from .options import choose_output


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="IN...",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="The joined file.")
@click.option("--damaged", is_flag=True, help="Go on after damage; what is lost stays lost.")
@click.option("-f", "--force", is_flag=True, help="Replace OUT if it is there already.")
def concat(sources: tuple[Path, ...], out: Path, damaged: bool, force: bool) -> None:
    """Join .ecdc files of the same model, without decoding them. No model is needed.

    Each sounds in the joined file as it did alone. Their bandwidths may differ.
    """
    choose_output(sources[0], out, ".ecdc", force)

    from .. import ecdc

    ecdc.concat(sources, out, tolerant=damaged, overwrite=force)
