"""`recodec detokenize`: shards of codes to audio files."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(exists=True, path_type=Path))
@click.argument("target", metavar="OUTPUT", type=click.Path(file_okay=False, path_type=Path))
@click.option("--suffix", type=click.Choice([".wav", ".flac", ".ogg"]), default=".wav", show_default=True,
              help="Of the files.")  # fmt: skip
@click.option("--model", metavar="NAME_OR_PATH", help="A folder or a hub id; the one that INPUT names by default.")
@click.option("--backend", type=click.Choice(["auto", "onnx", "torch"]), default="auto", show_default=True,
              help="What runs the model; auto is onnx on a CPU.")  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda or cuda:N.")
@click.option("-j", "--processes", type=click.IntRange(min=1), help="Decoders at once; one a core by default.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads of each; its share by default.")
@click.option("-f", "--force", is_flag=True, help="Replace files that are there already.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
def detokenize(
    source: Path, target: Path, suffix: str, model: str | None, backend: str, device: str, processes: int | None,
    threads: int | None, force: bool, quiet: bool,
) -> None:  # fmt: skip
    """Decode what `recodec tokenize` wrote to INPUT, or one of its shards, to audio files in the folder OUTPUT.

    Files that are there already are kept, so that the same command goes on where it was interrupted.
    """
    if find_spec("pyarrow") is None:
        raise click.UsageError("this verb needs more packages: pip install 'recodec[scale]'")
    from ..tokenize.back import detokenize as run
    from ..tokenize.job import ModelChoice

    def watch(shards: Any, total: int) -> Any:
        if quiet or not sys.stderr.isatty():
            return shards
        from tqdm import tqdm

        return tqdm(shards, total=total, unit="shard", desc="detokenize", leave=False)

    choice = ModelChoice(model, backend, device, threads=threads)
    done = run(source, target, suffix=suffix, model=choice, processes=processes, force=force, watch=watch)
    present = f", {done.present} were there already" if done.present else ""
    click.echo(f"{done.files} files, {done.seconds / 3600:.2f} h of audio, in {target}{present}")
    for id, reason in done.failed:
        click.echo(f"Failed: {id}: {reason}", err=True)
    if done.failed:
        click.get_current_context().exit(1)
