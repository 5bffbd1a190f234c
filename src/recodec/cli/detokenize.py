"""`recodec detokenize`: shards of codes to audio files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from .options import FileName, Suffix, need, options, say


@click.command()
@click.argument("source", metavar="INPUT", type=FileName(exists=True, path_type=Path))
@click.argument("target", metavar="OUTPUT", type=FileName(file_okay=False, path_type=Path))
@click.option("--suffix", type=Suffix(), default=".wav", show_default=True, help="Of the files.")
@options(
    "model",
    "backend",
    "device",
    "jobs",
    "threads",
    "decoder",
    "force",
    "quiet",
    model="A folder or a hub id; by default the one that INPUT names.",
    jobs="Decoders at once, a process each; one a core by default.",
    threads="CPU threads of each; its share by default.",
)
def detokenize(
    source: Path, target: Path, suffix: str, model: str | None, backend: str, device: str, jobs: int | None,
    threads: int | None, decoder: str, force: bool, quiet: bool,
) -> None:  # fmt: skip
    """Decode what `recodec tokenize` wrote to INPUT, or one of its shards, to audio files in the folder OUTPUT.

    Files that are there already are kept, so that the same command goes on where it was interrupted.
    """
    need("scale", "pyarrow")

    from ..codec import ModelChoice
    from ..text import counted
    from ..tokenize.back import detokenize as run

    def watch(shards: Any, total: int) -> Any:
        if quiet or not sys.stderr.isatty():
            return shards
        from tqdm import tqdm

        return tqdm(shards, total=total, unit="shard", desc="detokenize", leave=False)

    choice = ModelChoice(model, backend, device, threads=threads, decoder=decoder)
    done = run(source, target, suffix=suffix, model=choice, processes=jobs, force=force, watch=watch)
    present = f", {done.present} were there already" if done.present else ""
    say(f"{counted(done.files, 'file')}, {done.seconds / 3600:.2f} h of audio, in {target}{present}")
    for id, reason in done.failed:
        say(f"Failed: {id}: {reason}", err=True)
    if done.failed:
        click.get_current_context().exit(1)
