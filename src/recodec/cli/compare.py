"""`recodec compare`: how far one file is from another."""

from __future__ import annotations

from pathlib import Path

import click

from .options import FileName, need, options


@click.command()
@click.argument("reference", type=FileName(exists=True, dir_okay=False))
@click.argument("degraded", type=FileName(exists=True, dir_okay=False))
@options("kind")
@click.option("--picture", type=FileName(dir_okay=False), help="Write waveforms and spectrograms: .png, .svg or .pdf.")
@options("force")
def compare(reference: str, degraded: str, kind: str, picture: str | None, force: bool) -> None:
    """Measure DEGRADED against REFERENCE, and draw a picture of both if asked for."""
    need("eval", "matplotlib", "scipy")

    from ..errors import RecodecError
    from ..evaluation.compare import compare as run
    from ..evaluation.compare import comparison_picture, comparison_text

    if picture is not None and Path(picture).exists() and not force:
        raise click.UsageError(f"{picture} exists already; use --force to replace it")
    try:
        comparison = run(reference, degraded, kind=kind)
        click.echo(comparison_text(comparison))
        if picture is not None:
            comparison_picture(comparison, picture, (Path(reference).name, Path(degraded).name))
            click.echo(f"Written: {picture}")
    except RecodecError as error:
        raise click.ClickException(str(error)) from error
