"""`recodec evaluate`: how good codecs are on recordings, in figures, curves and players."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import click

from .options import FileName, Kbps, need, options, say

LINE_S = 60.0
T = TypeVar("T")


@click.command()
@click.argument("paths", nargs=-1, type=FileName(), metavar="[FILE|FOLDER]...")
@click.option("--manifest", "manifests", multiple=True, type=FileName(exists=True, dir_okay=False),
              help="CSV or TSV with the columns file and kind.")  # fmt: skip
@options("codec", "kind", codec="Codec and its bandwidths; may be repeated. Default: recodec@6 and opus@6,9,12.")
@click.option("-b", "--bandwidth", "bandwidths", multiple=True, type=Kbps(),
              help="For codecs named without bandwidths; may be repeated.")  # fmt: skip
@click.option("--metric", "metrics", multiple=True, metavar="NAME",
              help="Metric to take; may be repeated. By default all but dnsmos and word_errors, "
              "which take recodec[speech].")  # fmt: skip
@options(
    "out",
    out={
        "default": "evaluation",
        "show_default": True,
        "type": FileName(file_okay=False),
        "help": "Folder for results and report. A run there that was interrupted goes on.",
    },
)
@click.option("--format", "table", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True,
              help="Of the table with one row a file, codec and metric.")  # fmt: skip
@options("jobs", jobs="Processes at work at once; one a core by default.")
@click.option("--players", type=click.IntRange(min=0), default=2, show_default=True,
              help="Clips of each kind to hear in the report.")  # fmt: skip
@click.option("--report/--no-report", default=True, show_default=True, help="Write report.html.")
@click.option("--embed-ecdc", "live", metavar="URL",
              help="Let the report hold .ecdc files of the default model in place of FLACs, and decode them itself. "
              "URL is a folder on the report's server, with player.js and worker.js of the npm package, "
              "ort-wasm-simd-threaded.wasm of onnxruntime-web, and model/ of `recodec export --web`.")  # fmt: skip
@click.option("--title", default="Codec evaluation", help="Of the report.")
@options("quiet")
def evaluate(paths: tuple[str, ...], manifests: tuple[str, ...], codecs: tuple[str, ...],
             bandwidths: tuple[float, ...], kind: str, metrics: tuple[str, ...], out: str, table: str,
             jobs: int | None, players: int, report: bool, live: str | None, title: str,
             quiet: bool) -> None:  # fmt: skip
    """Send recordings through codecs and measure what comes back.

    Codecs are recodec, recodec-encodec (with EnCodec's own decoder), recodec-torch, opus, mp3, encodec,
    transformers, dac, snac, reference and lowpass, as in
    `-c recodec@6,12 -c opus@6,9,12 -c recodec:runs/a@6 -c lowpass`.

    OUT gets results.csv (or .parquet), codebooks.csv, report.html and a journal. The exit code is 1
    if any file could not be evaluated.
    """
    if live == "":
        raise click.UsageError("--embed-ecdc wants the URL of a folder, and got nothing")
    need("eval", "av", "jinja2", "matplotlib", "scipy")

    from ..errors import RecodecError
    from ..evaluation.campaign import Campaign
    from ..evaluation.campaign import evaluate as run
    from ..evaluation.clips import gather_clips
    from ..evaluation.codecs import parse_codecs
    from ..evaluation.metrics import USUAL_METRICS
    from ..evaluation.summary import summarize, text_table, time_table

    try:
        campaign = Campaign(
            gather_clips(paths, manifests=manifests, kind=kind),
            parse_codecs(codecs or ("recodec@6", "opus@6,9,12"), bandwidths),
            metrics or USUAL_METRICS,
            players,
            title,
            live,
        )
    except RecodecError as error:
        raise click.UsageError(str(error)) from error
    watch = None if quiet else _bar if sys.stderr.isatty() else _lines
    outcomes = run(campaign, out, workers=jobs, table=f"results.{table}", report=report, watch=watch)
    click.echo(text_table(summarize(outcomes), ["kbps", "kbps_entropy", *campaign.metrics]))
    click.echo(f"\nWhat took the time, over all processes:\n{time_table(outcomes)}\n")
    click.echo(f"Written to {out}: results.{table}" + (", report.html" if report else ""))
    failures = [outcome for outcome in outcomes if outcome.error is not None]
    for outcome in failures:
        say(f"Failed: {outcome.clip} with {outcome.label}: {outcome.error}", err=True)
    if failures:
        click.get_current_context().exit(1)


def _bar(outcomes: Any, total: int) -> Any:
    from tqdm import tqdm

    return tqdm(outcomes, total=total, unit="clip", desc="evaluate")


def _lines(outcomes: Iterable[T], total: int) -> Iterator[T]:
    """For logs, which take no bar: how far the work is, a line a minute."""
    said = time.monotonic()
    for count, outcome in enumerate(outcomes, 1):
        yield outcome
        if time.monotonic() - said >= LINE_S:
            said = time.monotonic()
            say(f"{count} of {total} clips and codecs are done", err=True)
