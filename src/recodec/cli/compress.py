"""`recodec compress`: audio to `.ecdc`, files or streams."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .batch import JOBS_HELP, Done, Task, check_coded_name, plan, run, shared_out, split_output
from .endpoints import STANDARD, is_audio_name, is_plain, label, open_recording, open_target
from .options import FileName, Number, model_options, options, progress, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..codec import Codec, ModelChoice


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="INPUT... [OUTPUT]",
                type=FileName(path_type=Path, allow_dash=True))  # fmt: skip
@options("out", "out_dir", "bandwidth", out="The output, of one input.")
@click.option("--format", "version", type=click.Choice(["0", "1"]), default="1", show_default=True,
              help="Version of the file format; 0 is that of Meta's tool.")  # fmt: skip
@click.option("--packet", "packet_s", type=Number(0, min_open=True), default=4.0, show_default=True, metavar="SECONDS",
              help="Length of a packet. A live stream waits for one; short ones cost bytes.")  # fmt: skip
@options("lm", "meta_lm", "raw", "channels", "partial", raw="INPUT is samples without a header, for example "
         "48000:2:s16le or 24000:1:f32le.")  # fmt: skip
@model_options
@options("jobs", "force", "quiet", jobs=JOBS_HELP)
def compress(
    paths: tuple[Path, ...], out: Path | None, out_dir: Path | None, meta_lm: Path | None, version: str,
    jobs: int | None, quiet: bool, model: str | None, backend: str, device: str, threads: int | None, **settings: Any,
) -> None:  # fmt: skip
    """Compress audio: files of any format that can be read here, folders of them, or `-` for standard input.

    The output is INPUT with the suffix .ecdc, or what -o or a second argument names, or goes to --out-dir. The audio
    is resampled and mixed to what the model takes. What comes through a pipe as a WAV or with --raw is compressed
    while it comes.
    """
    if meta_lm is not None and version != "0":
        raise click.UsageError("--meta-lm goes with --format 0")
    if version == "0":
        _refuse_version1_options(settings["lm"])
    sources, target = split_output(paths, out, out_dir, _is_output)
    _check_inputs(sources, target)
    tasks = plan(sources, target, out_dir, ".ecdc", lambda folder: _audio_files(folder, quiet), settings["force"])

    from ..codec import ModelChoice

    inside, threads = shared_out(jobs, len(tasks), threads)
    choice = ModelChoice.of(model, backend, device, None, threads)
    settings |= {"choice": choice, "version": int(version), "meta_lm": meta_lm, "quiet": quiet, "jobs": inside}
    if len(tasks) > 1:
        _codec(choice).choose_quantizers(settings["bandwidth"])  # what is wrong for all fails before the first
    run(tasks, compress_one, settings, jobs, quiet, "compressed")


def compress_one(task: Task, settings: dict[str, Any], *, alone: bool) -> Done:
    """Compress one input."""
    begin = time.perf_counter()
    codec, quiet = _codec(settings["choice"]), settings["quiet"] or not alone
    codec.choose_quantizers(settings["bandwidth"])
    rate, channels = codec.sampling_rate, codec.config.audio_channels
    lm = settings["lm"] if settings["meta_lm"] is None else codec.load_meta_lm(settings["meta_lm"])
    with open_recording(
        task.source, settings["raw"], rate, channels, select=settings["channels"], partial=settings["partial"]
    ) as reader:
        total_s = None if reader.num_samples is None else reader.num_samples / rate
        # The reader's length is a promise of the file's header: what counts is what comes.
        with (
            open_target(task.target, settings["force"]) as file,
            codec.writer(
                file, settings["bandwidth"], lm=lm, **{key: settings[key] for key in ("version", "packet_s", "jobs")}
            ) as writer,
            progress(total_s, "compress", quiet) as advance,
        ):
            for piece in reader.pieces():
                writer.push(piece)
                advance(piece.shape[1] / rate)
    audio_s, seconds = writer.num_samples / rate, time.perf_counter() - begin
    size = task.target.stat().st_size if is_plain(task.target) else 0
    name = label(task.target, "standard output")
    sizes = f"{size:,} bytes, {8 * size / 1000 / audio_s:.2f} kbps, " if size else ""
    lines = [f"{name}: {sizes}{audio_s:.1f} s, {audio_s / seconds:.0f} times real time"]
    return Done(task, (*reader.notes, *lines), size, audio_s, seconds)


@lru_cache(maxsize=1)
def _codec(choice: ModelChoice) -> Codec:
    from ..codec import Codec

    return Codec.of_choice(choice)


def _refuse_version1_options(lm: bool) -> None:
    """Files of version 0 have neither packets nor the model's own language model."""
    source_of = click.get_current_context().get_parameter_source
    if source_of("packet_s") == click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--packet goes with --format 1: files of version 0 have no packets")
    if lm and source_of("lm") == click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--lm goes with --format 1; files of version 0 take --meta-lm")


def _is_output(path: Path) -> bool:
    """Whether a second argument is an output: a name of ours, `-`, or one that nothing has and no audio would."""
    return path == STANDARD or path.suffix == ".ecdc" or not (is_audio_name(path) or path.is_file())


def _check_inputs(sources: Sequence[Path], target: Path | None) -> None:
    """Make sure that inputs are there, and that no recording is written over."""
    for source in sources:
        if source != STANDARD and not source.exists():
            raise click.UsageError(f"INPUT {str(source)!r} does not exist")
    if target is not None:
        check_coded_name(target)


def _audio_files(folder: Path, quiet: bool) -> Sequence[Path]:
    from ..corpus import list_input
    from ..errors import ConfigError

    try:
        listing = list_input(str(folder))
    except ConfigError as error:
        raise click.UsageError(str(error)) from error
    if not quiet and (line := listing.passed_over()) is not None:
        say(f"{folder}: {line}", err=True)
    return [Path(entry.path) for entry in listing.entries if entry.kind == "file"]
