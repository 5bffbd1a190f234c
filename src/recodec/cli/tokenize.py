"""`recodec tokenize`: data sets to codes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import FileName, Number, need, options, say

if TYPE_CHECKING:
    from ..tokenize import Report

_SHOWN_BROKEN = 20


class Allowance(click.ParamType):
    """A number of clips, a share of them as `5%`, or `all`; gives (count, share), one of them `None`."""

    name = "N|P%|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse, or fail as usage."""
        if isinstance(value, tuple):
            return value
        if value == "all":
            return None, 1.0
        found = re.fullmatch(r"(\d+)|(\d+\.?\d*|\.\d+)%", str(value))
        if found is None or float(found[2] or 0) > 100:
            self.fail(f"{value!r} is not a number of clips; write 10, 0.5% or all", param, ctx)
        return (int(found[1]), None) if found[1] else (None, float(found[2]) / 100)


@click.command()
@click.argument("source", metavar="INPUT")
@click.argument("target", metavar="OUTPUT", type=FileName(file_okay=False, path_type=Path))
@options("bandwidth")
@click.option("--codebooks", type=click.IntRange(min=1), help="Codebooks to use, in place of --bandwidth.")
@click.option("--format", "form", type=click.Choice(["parquet", "tar", "ecdc"]), default="parquet", show_default=True,
              help="Parquet shards, WebDataset tars, or a file a clip with Parquet tables of them.")  # fmt: skip
@click.option("--codes", type=click.Choice(["lists", "binary"]), default="lists", show_default=True,
              help="In Parquet: K lists, or K x F 16-bit integers in one piece.")  # fmt: skip
@click.option("--shard-clips", type=click.IntRange(min=1), default=1000, show_default=True, help="Clips of a shard.")
@click.option("--audio-column", metavar="NAME", help="Column of audio in a table, if it does not show itself.")
@options(
    "lm",
    "model",
    "backend",
    "device",
    device="cpu, cuda for all GPUs, or cuda:N.",
    lm="Whether .ecdc files are coded with the model's language model, if it has one.",
)
@click.option("--dtype", type=click.Choice(["fp32", "fp16", "bf16"]), default="fp32", show_default=True,
              help="Precision; below fp32 the codes that differ are counted first.")  # fmt: skip
@click.option("--runner", type=click.Choice(["local", "ray"]), default="local", show_default=True,
              help="This machine, or a cluster with Ray Data.")  # fmt: skip
@options(
    "jobs",
    "threads",
    jobs="Encoders at once, a process each; one a core or GPU by default.",
    threads="CPU threads of each encoder; its share by default.",
)
@click.option("--decoders", type=click.IntRange(min=0), help="Processes that decode ahead of each encoder.")
@click.option("--batch", type=click.IntRange(min=1), help="Clips at once; 1 on CPUs, 32 on GPUs by default.")
@click.option("--stream-above", type=Number(min=1), default=60.0, show_default=True, metavar="SECONDS",
              help="Longer clips are never in memory as a whole.")  # fmt: skip
@click.option("--max-broken", type=Allowance(), default="0", show_default=True,
              help="Broken clips with which the exit code is still 0.")  # fmt: skip
@options("quiet")
def tokenize(
    source: str, target: Path, bandwidth: float | None, codebooks: int | None, form: str, codes: str,
    shard_clips: int, audio_column: str | None, lm: bool, model: str | None, backend: str, device: str, dtype: str,
    runner: str, jobs: int | None, decoders: int | None, threads: int | None, batch: int | None,
    stream_above: float, max_broken: tuple[int | None, float | None], quiet: bool,
) -> None:  # fmt: skip
    """Turn the clips of INPUT into codes in the folder OUTPUT.

    INPUT is a folder of audio files, of WebDataset tars, of Parquet files with audio, or of a data set that
    was saved to disk; one such file; a manifest (.csv, .tsv, .jsonl); or a pattern such as 'x/*.flac' or
    'x-{000..099}.tar'. Other columns are kept.

    A run that was interrupted goes on with the same command, and the result is the same. Clips that cannot
    be read are listed in OUTPUT/_tokenize/broken.tsv.
    """
    need("scale", "pyarrow")

    from ..codec import ModelChoice
    from ..tokenize.progress import progress_stream
    from ..tokenize.run import tokenize as run

    report = run(
        source, target, bandwidth=bandwidth, num_quantizers=codebooks,
        model=ModelChoice(model, backend, device, dtype, threads), format=form, codes=codes, shard_clips=shard_clips,
        column=audio_column, lm=lm, engine=runner, processes=jobs, workers=decoders, batch=batch,
        long_s=stream_above, show=progress_stream(quiet),
    )  # fmt: skip
    _print(report, target)
    count, share = max_broken
    allowed = count if count is not None else (share or 0) * (report.clips + len(report.broken))
    if len(report.broken) > allowed:
        click.get_current_context().exit(1)


def _print(report: Report, target: Path) -> None:
    from ..text import counted

    hours = report.seconds / 3600
    speed = f", {report.speed:.4f} h a second" if report.speed else ""
    clips, shards = counted(report.clips, "clip"), counted(report.shards, "shard")
    say(f"{clips}, {hours:.2f} h of audio, in {shards} of {target}{speed}")
    if report.mismatch is not None:
        say(f"Half precision: {report.mismatch}")
    if not report.broken:
        return
    broken = counted(len(report.broken), "clip is broken", "clips are broken")
    say(f"{broken}; {target / '_tokenize' / 'broken.tsv'} lists all:", err=True)
    for _, path, reason in report.broken[:_SHOWN_BROKEN]:
        say(f"  {reason if path in reason else f'{path}: {reason}'}", err=True)
    if len(report.broken) > _SHOWN_BROKEN:
        say(f"  and {len(report.broken) - _SHOWN_BROKEN} more", err=True)
