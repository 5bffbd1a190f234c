"""`recodec compress`: audio file to `.ecdc` file."""

from __future__ import annotations

from pathlib import Path

import click

from .options import choose_output, model_options, output_options, progress

BLOCK_S = 1.0


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", metavar="[OUTPUT]", required=False, type=click.Path(path_type=Path))
@click.option("-b", "--bandwidth", type=float, metavar="KBPS",
              help="One of the model's bandwidths; its highest up to 6 by default.")  # fmt: skip
@click.option("--format", "version", type=click.Choice(["0", "1"]), default="1", show_default=True,
              help="Version of the file format; 0 is that of Meta's tool.")  # fmt: skip
@model_options
@output_options
def compress(
    source: Path,
    target: Path | None,
    bandwidth: float | None,
    version: str,
    model: str | None,
    engine: str,
    threads: int | None,
    force: bool,
    quiet: bool,
) -> None:
    """Compress INPUT, any audio file that libsndfile reads, to OUTPUT (INPUT with the suffix .ecdc by default).

    The audio is resampled and mixed to what the model takes.
    """
    target = choose_output(source, target, ".ecdc", force)

    from ..atomic import atomic_write
    from ..audio.files import AudioReader
    from ..codec.checks import choose_quantizers
    from ..codec.codec import Codec
    from ..codec.container import open_compressor

    codec = Codec.from_pretrained(model, engine=engine, threads=threads)
    rate, channels = codec.sampling_rate, codec.config.audio_channels
    count = choose_quantizers(codec.config, bandwidth, None)
    with AudioReader(source, rate_hz=rate, channels=channels) as reader:
        total_s = None if reader.num_samples is None else reader.num_samples / rate
        with atomic_write(target, overwrite=force) as file, progress(total_s, "compress", quiet) as advance:
            # The reader's length is a promise of the file's header: what counts is what comes.
            compressor = open_compressor(file, codec.engine, count, version=int(version))
            for block in reader.blocks(round(BLOCK_S * rate)):
                compressor.push(block)
                advance(block.shape[1] / rate)
            compressor.close()
