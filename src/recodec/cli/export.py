"""`recodec export`: a model's graphs for use elsewhere."""

from __future__ import annotations

from pathlib import Path

import click

from .options import need, options


@click.command()
@click.argument("out_dir", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@options("model", "bandwidth", "decoder", "force", bandwidth="Of the encoder; the model's highest by default.",
         decoder="auto also writes the model's spectral decoder, if it has one; encodec does not; spectral insists on "
         "it. A folder or hub id with a spectral decoder also does.")  # fmt: skip
def export(out_dir: Path, model: str | None, bandwidth: float | None, decoder: str, force: bool) -> None:
    """Write encoder.onnx and decoder.onnx to DIR, for streams, with a README of their inputs and outputs.

    They run on ONNX Runtime in C++, on phones and in browsers, without this package.
    """
    need("onnx", "onnx")
    from ..checkpoint import codebooks_of, read_model
    from ..codec import ModelChoice, read_spectral
    from ..errors import ConfigError
    from ..onnx_engine.export import export_tensors

    config, tensors = read_model(model)
    spectral = None
    if decoder != "encodec":
        spectral = read_spectral(ModelChoice(model, decoder=decoder), config, codebooks_of(tensors, config))
    if decoder == "spectral" and spectral is None:
        raise click.UsageError("the model has no spectral decoder")
    try:
        paths = export_tensors(config, tensors, out_dir, bandwidth=bandwidth, overwrite=force, spectral=spectral)
    except (ConfigError, FileExistsError) as error:
        raise click.UsageError(str(error)) from error
    for path in paths:
        click.echo(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
