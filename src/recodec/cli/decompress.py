"""`recodec decompress`: `.ecdc` to audio, file or stream."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .endpoints import has_audio_suffix, open_audio_target, open_source
from .options import choose_output, endpoints, model_options, output_options, progress, raw_option

if TYPE_CHECKING:
    from ..audio.pcm import Pcm


@click.command()
@endpoints
@raw_option("OUTPUT is")
@model_options
@output_options
def decompress(
    source: Path,
    target: Path | None,
    raw: Pcm | None,
    model: str | None,
    engine: str,
    threads: int | None,
    force: bool,
    quiet: bool,
) -> None:
    """Decompress INPUT, an .ecdc file, to OUTPUT: .wav, .flac or .ogg (INPUT with the suffix .wav by default).

    It takes the model that wrote the file: the shipped one, and Meta's, are found by the name that the file
    tells; of others give the --model. `-` is standard input or output, which gets a WAV, or samples with
    --raw; a stream is played while it comes.
    """
    target = choose_output(source, target, ".raw" if raw else ".wav", force)
    if raw is not None and has_audio_suffix(target):
        raise click.UsageError(f"--raw writes samples without a header: {target} would be no {target.suffix[1:]}")

    from ..codec.blocks import FILE_GRID_FRAMES
    from ..codec.codec import Codec
    from ..codec.container import open_decompressor
    from ..codec.loading import model_called

    with open_source(source) as file:
        recording = open_decompressor(file)
        found = model_called(recording.model) if model is None else model
        codec = Codec.from_pretrained(found, engine=engine, threads=threads)
        rate, channels = codec.sampling_rate, codec.config.audio_channels
        total_s = None if recording.num_samples is None else recording.num_samples / rate
        with (
            open_audio_target(target, raw, rate, channels, recording.num_samples, force) as sink,
            progress(total_s, "decompress", quiet) as advance,
        ):
            for piece in recording.pieces(codec.engine, FILE_GRID_FRAMES):
                sink.write(piece)
                advance(piece.shape[1] / rate)
