"""`recodec compress`: audio to `.ecdc`, file or stream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .endpoints import open_recording, open_target
from .options import choose_output, endpoints, meta_lm_option, model_options, output_options, progress, raw_option

if TYPE_CHECKING:
    from ..audio.pcm import Pcm


@click.command()
@endpoints
@click.option("-b", "--bandwidth", type=float, metavar="KBPS",
              help="One of the model's bandwidths; its highest up to 6 by default.")  # fmt: skip
@click.option("--format", "version", type=click.Choice(["0", "1"]), default="1", show_default=True,
              help="Version of the file format; 0 is that of Meta's tool.")  # fmt: skip
@click.option("--packet", "packet_s", type=float, default=4.0, show_default=True, metavar="SECONDS",
              help="Length of a packet. A live stream waits for one; short ones cost bytes.")  # fmt: skip
@click.option("--lm/--no-lm", default=True, show_default=True,
              help="Whether the model's language model, if it has one, makes the file smaller.")  # fmt: skip
@meta_lm_option
@raw_option("INPUT is")
@model_options
@output_options
def compress(
    source: Path,
    target: Path | None,
    bandwidth: float | None,
    version: str,
    packet_s: float,
    lm: bool,
    meta_lm: Path | None,
    raw: Pcm | None,
    model: str | None,
    engine: str,
    threads: int | None,
    force: bool,
    quiet: bool,
) -> None:
    """Compress INPUT, any audio file that libsndfile reads, to OUTPUT (INPUT with the suffix .ecdc by default).

    The audio is resampled and mixed to what the model takes. `-` is standard input or output; audio that
    comes in as a WAV or with --raw is compressed while it comes.
    """
    target = choose_output(source, target, ".ecdc", force)
    if meta_lm is not None and version != "0":
        raise click.UsageError("--meta-lm goes with --format 0")

    from ..codec import Codec

    codec = Codec.from_pretrained(model, engine=engine, threads=threads)
    rate, channels = codec.sampling_rate, codec.config.audio_channels
    theirs = None if meta_lm is None else codec.load_meta_lm(meta_lm)
    with open_recording(source, raw, rate, channels) as reader:
        total_s = None if reader.num_samples is None else reader.num_samples / rate
        # The reader's length is a promise of the file's header: what counts is what comes.
        with (
            open_target(target, force) as file,
            codec.writer(
                file, bandwidth, version=int(version), packet_s=packet_s, lm=lm if theirs is None else theirs
            ) as writer,
            progress(total_s, "compress", quiet) as advance,
        ):
            for piece in reader.pieces():
                writer.push(piece)
                advance(piece.shape[1] / rate)
