"""`recodec transcode`: a lower bandwidth for a file, without the model."""

from __future__ import annotations

from pathlib import Path

import click

from .options import choose_output, lm_option


@click.command()
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("-b", "--bandwidth", required=True, type=click.FloatRange(min=0, min_open=True), metavar="KBPS",
              help="Before entropy coding, as for compress.")  # fmt: skip
@lm_option
@click.option("--damaged", is_flag=True, help="Go on after damage; what is lost stays lost.")
@click.option("-f", "--force", is_flag=True, help="Replace OUT if it is there already.")
def transcode(source: Path, out: Path, bandwidth: float, model: str | None, damaged: bool, force: bool) -> None:
    """Lower the bandwidth of the .ecdc file IN, by leaving out its finest codebooks. The model is not
    needed; packets that are coded with its language model need that.

    The result is what compress would have written at that bandwidth.
    """
    choose_output(source, out, ".ecdc", force)

    from ..atomic import atomic_write
    from ..codec.loading import find_coder
    from ..wire.editing import peel
    from ..wire.index import seek

    with open(source, "rb") as file, atomic_write(out, overwrite=force) as target:
        header = seek(file, 0).header
        least = header.frame_rate * header.code_bits / 1000
        if bandwidth < least:
            raise click.UsageError(f"one codebook takes {least:g} kbps, more than {bandwidth:g}")
        file.seek(0)
        peel(file, target, header.codebooks_for(bandwidth), coder=find_coder(header, model), tolerant=damaged)
