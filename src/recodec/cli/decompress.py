"""`recodec decompress`: `.ecdc` to audio, files or streams."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from ..memory import return_freed_arrays
from .batch import JOBS_HELP, Done, Task, plan, run, shared_out, split_output
from .endpoints import STANDARD, check_bits, has_header_suffix, label, open_audio_target, open_source
from .options import FileName, Number, Suffix, error_of, model_options, options, progress

if TYPE_CHECKING:
    from ..codec import Codec, EcdcReader, ModelChoice

T = TypeVar("T")

_ADVICE = "; --damaged plays what can be played"


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="INPUT... [OUTPUT]",
                type=FileName(path_type=Path, allow_dash=True))  # fmt: skip
@options("out", "out_dir", out="The output, of one input; its suffix says the format.")
@click.option("--suffix", type=Suffix(), default=".wav", show_default=True, help="Of outputs that are not named.")
@click.option("--bits", type=click.Choice(["16", "24", "32"]), help="Of a sample in .wav, .flac, .aiff and .caf; 32 is "
              "floating point, which keeps what is beyond full scale. 16 by default.")  # fmt: skip
@click.option("--gain", "gain_db", type=Number(-120, 120), default=0.0, metavar="DB",
              help="Make the audio louder or quieter.")  # fmt: skip
@click.option("--rescale", is_flag=True, help="Make audio that goes beyond full scale just quiet enough.")
@options("start", "stop", "damaged", "meta_lm", "raw", start="From there: 90, 1:30 or 0:01:30.5. Little before it is "
         "read.", damaged="Go on after damage, and conceal what is lost.", raw="OUTPUT is samples without a header, "
         "for example 48000:2:s16le or 24000:1:f32le.")  # fmt: skip
@options("decoder", "int8")
@model_options
@options("jobs", "force", "quiet", model="The model that wrote the file; by default the one that the file names.",
         jobs=JOBS_HELP)  # fmt: skip
def decompress(
    paths: tuple[Path, ...], out: Path | None, out_dir: Path | None, suffix: str, jobs: int | None, quiet: bool,
    model: str | None, backend: str, device: str, threads: int | None, decoder: str, int8: bool,
    **settings: Any,
) -> None:  # fmt: skip
    """Decompress .ecdc files, folders of them, or `-` for standard input.

    The output is INPUT with the suffix .wav, or what -o or a second argument names, or goes to --out-dir. The model
    that wrote the file is needed: the shipped one, and Meta's, are found by the name that the file tells; of others
    give the --model. Standard output gets a WAV, or samples with --raw; a stream is played while it comes.
    """
    raw = settings["raw"]
    sources, target = split_output(paths, out, out_dir, lambda path: path == STANDARD or path.suffix != ".ecdc")
    for source in sources:
        if source != STANDARD and not source.exists():
            raise click.UsageError(f"INPUT {str(source)!r} does not exist")
    suffix_is_given = click.get_current_context().get_parameter_source("suffix") == ParameterSource.COMMANDLINE
    if target is not None and suffix_is_given:
        raise click.UsageError(f"--suffix is of outputs that are not named, and {target} is")
    if target is not None and target.suffix == ".ecdc":
        raise click.UsageError(f"{target} would be an audio file, and has the suffix of a compressed one")
    tasks = plan(sources, target, out_dir, ".raw" if raw else suffix, _coded_files, settings["force"])
    for task in tasks:
        if raw is not None and has_header_suffix(task.target):
            kind = task.target.suffix[1:]
            raise click.UsageError(f"--raw writes samples without a header: {task.target} would not be a {kind} file")
        check_bits(task.target, settings["bits"])

    from ..codec import ModelChoice

    inside, threads = shared_out(jobs, len(tasks), threads)
    choice = ModelChoice.of(model, backend, device, "int8" if int8 else None, threads, decoder)
    settings |= {"choice": choice, "quiet": quiet, "jobs": inside}
    run(tasks, decompress_one, settings, jobs, quiet, "decompressed")


def decompress_one(task: Task, settings: dict[str, Any], *, alone: bool) -> Done:
    """Decompress one input."""
    return_freed_arrays()
    with _errors_named(label(task.source, "standard input")):
        return _decompressed(task, settings, alone)


@contextmanager
def _errors_named(name: str) -> Iterator[None]:
    """What is wrong with a file, said with its name."""
    from ..errors import BitstreamError

    try:
        yield
    except BitstreamError as error:
        raise type(error)(error_of(name, error)) from error


def _decompressed(task: Task, settings: dict[str, Any], alone: bool) -> Done:
    from ..errors import CorruptError
    from ..text import counted

    begin, quiet = time.perf_counter(), settings["quiet"] or not alone
    damaged, raw = settings["damaged"], settings["raw"]
    with open_source(task.source) as file:
        recording = _opened(file, damaged)
        codec = _codec(settings["choice"], recording.model)
        rate, channels = codec.sampling_rate, codec.config.audio_channels
        first, last = _range(settings, rate)
        length = _length(settings, first, last, recording.num_samples, rate)
        pieces = _pieces(codec, recording, settings, first)
        pieces = _within(pieces if damaged else _with_advice(pieces), last, first)
        pieces = _louder(pieces, settings["gain_db"])
        if settings["rescale"]:
            pieces = _rescaled(pieces)
        with (
            # After damage the end may be another than the header promised.
            open_audio_target(task.target, raw, rate, channels, None if damaged else length, settings["force"],
                              bits=settings["bits"]) as sink,
            progress(None if length is None else length / rate, "decompress", quiet) as advance,
        ):  # fmt: skip
            count = 0
            for piece in pieces:
                sink.write(piece)
                advance(piece.shape[1] / rate)
                count += piece.shape[1]
            if not count:
                name = label(task.source, "the input")
                after = f" after {first / rate:g} s" if first else ""
                raise CorruptError(f"{name} has no audio{after} in what is left of it")
    seconds = time.perf_counter() - begin
    lines = [
        f"{label(task.target, 'standard output')}: {count / rate:.1f} s, {count / rate / seconds:.0f} times real time"
    ]
    if lost_samples := recording.lost_within(first, first + count):
        lost = f"{lost_samples / rate:.3f} s were lost, and are concealed"
        lines.insert(0, f"{label(task.source, 'standard input')}: {lost}")
    if recording.lacks_end and (length is None or count < length):
        there = f"{count / rate:.1f} s{'' if length is None else f' of {length / rate:.1f} s'} are there"
        lines.insert(0, f"the end of {label(task.source, 'the input')} is missing: {there}")
    if sink.clipped:
        beyond = counted(sink.clipped, "sample goes beyond full scale and is", "samples go beyond full scale and are")
        lines.insert(0, f"{beyond} clipped; --rescale or --gain keeps {'it' if sink.clipped == 1 else 'them'}")
    size = task.source.stat().st_size if task.source.is_file() else 0
    return Done(task, tuple(lines), size, count / rate, seconds)


def _opened(file: IO[bytes], damaged: bool) -> EcdcReader:
    """The recording, or an error that says what may still be done."""
    from ..codec import open_reader
    from ..errors import CorruptError

    try:
        return open_reader(file, tolerant=damaged)
    except CorruptError as error:
        if damaged or not file.seekable():
            raise
        file.seek(0)
        try:
            open_reader(file, tolerant=True)
        except CorruptError:
            raise error from None
        raise CorruptError(f"{error}{_ADVICE}") from error


@lru_cache(maxsize=2)
def _codec(choice: ModelChoice, called: str) -> Codec:
    from dataclasses import replace

    from ..codec import Codec
    from ..hub import model_called

    return Codec.of_choice(choice if choice.name is not None else replace(choice, name=model_called(called)))


def _pieces(codec: Codec, recording: EcdcReader, settings: dict[str, Any], first: int) -> Iterator[Any]:
    path = settings["meta_lm"]
    theirs = codec.load_meta_lm(path) if path is not None and recording.version == 0 else None
    return codec.play(recording, lm=theirs, start=first, jobs=settings["jobs"])


def _range(settings: dict[str, Any], rate: int) -> tuple[int, int | None]:
    stop = settings["stop"]
    return round(settings["start"] * rate), None if stop is None else round(stop * rate)


def _within(pieces: Iterator[Any], last: int | None, first: int) -> Iterator[Any]:
    """Pieces up to a sample."""
    left = sys.maxsize if last is None else last - first
    for piece in pieces:
        yield piece[:, :left]
        left -= piece.shape[1]
        if left <= 0:
            return


def _louder(pieces: Iterator[Any], gain_db: float) -> Iterator[Any]:
    for piece in pieces:
        yield piece * piece.dtype.type(10 ** (gain_db / 20)) if gain_db else piece


def _rescaled(pieces: Iterator[Any]) -> Iterator[Any]:
    """All pieces, made quiet enough together that none goes beyond full scale. They are kept in memory until then."""
    import numpy as np

    whole = np.concatenate(list(pieces), axis=1)
    peak = float(np.abs(whole).max(initial=0.0))
    yield whole / whole.dtype.type(peak) if peak > 1 else whole


def _with_advice(pieces: Iterator[T]) -> Iterator[T]:
    """The same, with an error that says what may still be done."""
    from ..errors import CorruptError, TruncatedError

    try:
        yield from pieces
    except (CorruptError, TruncatedError) as error:
        raise type(error)(f"{error}{_ADVICE}") from error


def _length(settings: dict[str, Any], first: int, last: int | None, num_samples: int | None, rate: int) -> int | None:
    """Samples from the first to below the last, if that is known.

    Raises:
        click.UsageError: if there are none.
    """
    if last is not None and last <= first:
        raise click.UsageError(f"--stop ({settings['stop']:g} s) must be after --start ({settings['start']:g} s)")
    if num_samples is None:
        return None
    if first >= num_samples > 0:
        raise click.UsageError(
            f"--start ({settings['start']:g} s) is after the end of the recording ({num_samples / rate:.3f} s)"
        )
    return min(num_samples, num_samples if last is None else last) - first


def _coded_files(folder: Path) -> Sequence[Path]:
    return sorted(path for path in folder.rglob("*.ecdc") if path.is_file())
