"""`recodec export`: a model's graphs for use elsewhere."""

from __future__ import annotations

from pathlib import Path

import click

from .options import options


@click.command()
@click.argument("out_dir", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@options("model", "bandwidth", "force", bandwidth="Of the encoder; the model's highest by default.")
def export(out_dir: Path, model: str | None, bandwidth: float | None, force: bool) -> None:
    """Write encoder.onnx and decoder.onnx to DIR, for streams, with a README of their inputs and outputs.

    They run on ONNX Runtime in C++, on phones and in browsers, without this package.
    """
    from ..errors import ConfigError
    from ..onnx_engine.export import export_model

    try:
        paths = export_model(model, out_dir, bandwidth=bandwidth, overwrite=force)
    except (ConfigError, FileExistsError) as error:
        raise click.UsageError(str(error)) from error
    for path in paths:
        click.echo(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
