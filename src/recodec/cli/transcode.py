"""`recodec transcode`: a lower bandwidth for a file, without the model; or version 1 of one in version 0."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import click

from .options import choose_output, lm_option, meta_lm_option


@click.command()
@click.argument("source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("-b", "--bandwidth", type=click.FloatRange(min=0, min_open=True), metavar="KBPS",
              help="Before entropy coding, as for compress; files of version 0 may keep theirs.")  # fmt: skip
@lm_option
@meta_lm_option
@click.option("--damaged", is_flag=True, help="Go on after damage; what is lost stays lost.")
@click.option("-f", "--force", is_flag=True, help="Replace OUT if it is there already.")
def transcode(
    source: Path,
    out: Path,
    bandwidth: float | None,
    model: str | None,
    meta_lm: Path | None,
    damaged: bool,
    force: bool,
) -> None:
    """Lower the bandwidth of the .ecdc file IN, by leaving out its finest codebooks. The model is not
    needed; packets that are coded with its language model need that.

    A file of version 0, Meta's, becomes one of version 1, coded with the model's language model if it has one.
    That takes the model, and --meta-lm if IN is coded with Meta's language model.

    The result is what compress would have written at that bandwidth.
    """
    choose_output(source, out, ".ecdc", force)

    from ..atomic import atomic_write
    from ..codec.container import open_decompressor

    with open(source, "rb") as file:
        version = open_decompressor(file, tolerant=damaged).version
        file.seek(0)
        if version == 1 and bandwidth is None:
            raise click.UsageError("a file of version 1 takes a --bandwidth to lower it to")
        if version == 0 and damaged:
            raise click.UsageError("--damaged is for files of version 1: in version 0 damage does not show")
        with atomic_write(out, overwrite=force) as target:
            if bandwidth is not None and version == 1:
                _thin(file, target, bandwidth, model, damaged)
            else:
                _convert(file, target, bandwidth, model, meta_lm)


def _thin(file: IO[bytes], target: IO[bytes], bandwidth: float, model: str | None, damaged: bool) -> None:
    from ..codec.loading import find_coder
    from ..wire.editing import peel
    from ..wire.index import seek

    header = seek(file, 0).header
    _check_bandwidth(bandwidth, header.frame_rate * header.code_bits / 1000)
    file.seek(0)
    peel(file, target, header.codebooks_for(bandwidth), coder=find_coder(header, model), tolerant=damaged)


def _convert(
    file: IO[bytes], target: IO[bytes], bandwidth: float | None, model: str | None, meta_lm: Path | None
) -> None:
    from ..codec.codec import Codec
    from ..codec.convert import to_version1
    from ..codec.loading import model_called
    from ..wire.ecdc0 import read_header

    codec = Codec.from_pretrained(model_called(read_header(file).model) if model is None else model)
    file.seek(0)
    count = None
    if bandwidth is not None:
        _check_bandwidth(bandwidth, codec.config.bandwidth_of(1))
        count = codec.config.quantizers_for(bandwidth)
    theirs = None if meta_lm is None else codec.load_meta_lm(meta_lm)
    to_version1(file, target, codec.engine, num_quantizers=count, coder=codec.entropy_model, meta_lm=theirs)


def _check_bandwidth(bandwidth: float, least: float) -> None:
    if bandwidth < least:
        raise click.UsageError(f"one codebook takes {least:g} kbps, more than {bandwidth:g}")
