"""`recodec transcode`: a lower bandwidth for a file, without the model; or version 1 of one in version 0."""

from __future__ import annotations

from pathlib import Path

import click

from .batch import check_coded_name, check_target, say_loss, say_made
from .options import FileName, options


@click.command()
@click.argument("source", metavar="IN", type=FileName(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", metavar="OUT", type=FileName(path_type=Path))
@options(
    "bandwidth",
    "model",
    "meta_lm",
    "damaged",
    "force",
    "quiet",
    bandwidth="Before entropy coding, as for compress; files of version 0 may keep theirs.",
    model="The model, or its language model where packets are coded; by default the one that the file names.",
)
def transcode(
    source: Path,
    out: Path,
    bandwidth: float | None,
    model: str | None,
    meta_lm: Path | None,
    damaged: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Lower the bandwidth of the .ecdc file IN, by leaving out its finest codebooks. The model is not
    needed; packets that are coded with its language model need that.

    A file of version 0, Meta's, becomes one of version 1, coded with the model's language model if it has one.
    That takes the model, and --meta-lm if IN is coded with Meta's language model.

    The result is what compress would have written at that bandwidth.
    """
    check_coded_name(out)
    check_target(source, out, force)

    from .. import ecdc
    from ..codec import open_reader

    with open(source, "rb") as file:
        version = open_reader(file, tolerant=damaged).version
    if version == 1 and bandwidth is None:
        raise click.UsageError("a file of version 1 takes a --bandwidth to lower it to")
    if version == 0 and damaged:
        raise click.UsageError("--damaged is for files of version 1: in version 0 damage does not show")
    if damaged:
        say_loss(source)
    if version == 1:
        ecdc.peel(source, out, bandwidth=bandwidth, model=model, tolerant=damaged, overwrite=force)
    else:
        ecdc.upgrade(source, out, bandwidth=bandwidth, model=model, meta_lm=meta_lm, overwrite=force)
    if not quiet:
        say_made(out)
