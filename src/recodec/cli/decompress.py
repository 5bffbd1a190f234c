"""`recodec decompress`: `.ecdc` to audio, file or stream."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from .endpoints import has_audio_suffix, open_audio_target, open_source
from .options import Time, choose_output, endpoints, meta_lm_option, model_options, output_options, progress, raw_option

if TYPE_CHECKING:
    from ..audio.pcm import Pcm

T = TypeVar("T")


@click.command()
@endpoints
@click.option("--start", type=Time(), default=0.0, help="From there: 90, 1:30 or 0:01:30.5. Little before it is read.")
@click.option("--stop", type=Time(), help="Up to there; to the end if not given.")
@click.option("--damaged", is_flag=True, help="Go on after damage, and conceal what is lost.")
@meta_lm_option
@raw_option("OUTPUT is")
@model_options
@output_options
def decompress(
    source: Path,
    target: Path | None,
    start: float,
    stop: float | None,
    damaged: bool,
    meta_lm: Path | None,
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

    from ..codec import Codec, open_reader
    from ..hub import model_called

    with open_source(source) as file:
        recording = open_reader(file, tolerant=damaged)
        found = model_called(recording.model) if model is None else model
        codec = Codec.from_pretrained(found, engine=engine, threads=threads)
        rate, channels = codec.sampling_rate, codec.config.audio_channels
        first, last = round(start * rate), None if stop is None else round(stop * rate)
        length = _length(first, last, recording.num_samples)
        coded = meta_lm is not None and recording.version == 0
        theirs = codec.load_meta_lm(meta_lm) if coded and meta_lm is not None else None
        pieces = codec.play(recording, lm=theirs, start=first)
        with (
            # After damage the end may be another than the header promised.
            open_audio_target(target, raw, rate, channels, None if damaged else length, force) as sink,
            progress(None if length is None else length / rate, "decompress", quiet) as advance,
        ):
            left = sys.maxsize if last is None else last - first
            for piece in pieces if damaged else _with_advice(pieces):
                sink.write(piece[:, :left])
                advance(piece.shape[1] / rate)
                left -= piece.shape[1]
                if left <= 0:
                    break
    if recording.lost_samples and not quiet:
        click.echo(f"{recording.lost_samples / rate:.3f} s were lost, and are concealed", err=True)


def _with_advice(pieces: Iterator[T]) -> Iterator[T]:
    """The same, with an error that says what may still be done."""
    from ..errors import CorruptError, TruncatedError

    try:
        yield from pieces
    except (CorruptError, TruncatedError) as error:
        raise type(error)(f"{error}; --damaged plays what can be played") from error


def _length(first: int, last: int | None, num_samples: int | None) -> int | None:
    """Samples from the first to below the last, if that is known.

    Raises:
        click.UsageError: if there are none.
    """
    if last is not None and last <= first:
        raise click.UsageError("--stop must be behind --start")
    if num_samples is None:
        return None
    if first >= num_samples > 0:
        raise click.UsageError("--start lies behind the end of the recording")
    return min(num_samples, num_samples if last is None else last) - first
