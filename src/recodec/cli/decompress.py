"""`recodec decompress`: `.ecdc` file to audio file."""

from __future__ import annotations

from pathlib import Path

import click

from .options import choose_output, model_options, output_options, progress


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", metavar="[OUTPUT]", required=False, type=click.Path(path_type=Path))
@model_options
@output_options
def decompress(
    source: Path,
    target: Path | None,
    model: str | None,
    engine: str,
    threads: int | None,
    force: bool,
    quiet: bool,
) -> None:
    """Decompress INPUT, an .ecdc file, to OUTPUT: .wav, .flac or .ogg (INPUT with the suffix .wav by default).

    It takes the model that wrote the file: give its --model if it was not the shipped one.
    """
    target = choose_output(source, target, ".wav", force)

    from ..audio.files import AudioWriter
    from ..codec.blocks import FILE_GRID_FRAMES
    from ..codec.codec import Codec
    from ..codec.container import open_decompressor

    with open(source, "rb") as file:
        recording = open_decompressor(file)
        codec = Codec.from_pretrained(model, engine=engine, threads=threads)
        rate, channels = codec.sampling_rate, codec.config.audio_channels
        total_s = None if recording.num_samples is None else recording.num_samples / rate
        with (
            AudioWriter(target, rate, channels, overwrite=force) as writer,
            progress(total_s, "decompress", quiet) as advance,
        ):
            for piece in recording.pieces(codec.engine, FILE_GRID_FRAMES):
                writer.write(piece)
                advance(piece.shape[1] / rate)
