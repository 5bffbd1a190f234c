"""`recodec export`: a model's graphs for use elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import FileName, need, options

if TYPE_CHECKING:
    import numpy as np

    from ..checkpoint import Spectral
    from ..config import EncodecConfig
    from ..onnx_engine.export_web import WebLM


@click.command()
@click.argument("out_dir", metavar="DIR", type=FileName(file_okay=False, path_type=Path))
@options("model", "bandwidth", "decoder", "int8", "force", bandwidth="Of the encoder; the model's highest by default.",
         decoder="auto also writes the model's spectral decoder, if it has one; encodec does not; spectral insists on "
         "it. A folder or hub id with a spectral decoder also does.")  # fmt: skip
@click.option("--web", is_flag=True, help="Write what the npm package recodec loads, the language model included.")
def export(
    out_dir: Path, model: str | None, bandwidth: float | None, decoder: str, int8: bool, force: bool, web: bool
) -> None:
    """Write encoder.onnx and decoder.onnx to DIR, for streams, with a README of their inputs and outputs.

    They run on ONNX Runtime in C++, on phones and in browsers, without this package. With --web, DIR is what the npm
    package recodec loads from a server.
    """
    need("onnx", "onnx")
    from ..errors import ConfigError
    from ..onnx_engine.export import export_tensors

    if web and bandwidth is not None:
        raise click.UsageError("--web writes all bandwidths of the model: leave --bandwidth out")
    if web and int8:
        raise click.UsageError("--web writes float32 only: leave --int8 out")
    config, tensors, spectral = _read(model, decoder)
    if int8 and spectral is None:
        raise click.UsageError("--int8 takes a spectral decoder, and none is written")
    try:
        if web:
            paths = _export_web(model, config, tensors, out_dir, spectral, force)
        else:
            paths = export_tensors(
                config, tensors, out_dir, bandwidth=bandwidth, overwrite=force, spectral=spectral, int8=int8
            )
    except (ConfigError, FileExistsError) as error:
        raise click.UsageError(str(error)) from error
    for path in paths:
        click.echo(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


def write_web(model: str | None, folder: Path) -> list[Path]:
    """Write what the npm package loads, with the spectral decoder if the model has one; the files.

    Raises:
        CheckpointError: if the model is not found or not valid.
        FileExistsError: if a file is there already.
    """
    config, tensors, spectral = _read(model, "auto")
    return _export_web(model, config, tensors, folder, spectral, False)


def _read(model: str | None, decoder: str) -> tuple[EncodecConfig, Mapping[str, np.ndarray], Spectral | None]:
    """A model, and its spectral decoder if that is wanted and there."""
    from ..checkpoint import codebooks_of, read_model
    from ..codec import ModelChoice, read_spectral

    config, tensors = read_model(model)
    spectral = None
    if decoder != "encodec":
        spectral = read_spectral(ModelChoice(model, decoder=decoder), config, codebooks_of(tensors, config))
    if decoder == "spectral" and spectral is None:
        raise click.UsageError("the model has no spectral decoder")
    return config, tensors, spectral


def _export_web(
    model: str | None,
    config: EncodecConfig,
    tensors: Mapping[str, np.ndarray],
    out_dir: Path,
    spectral: Spectral | None,
    force: bool,
) -> list[Path]:
    from ..hub import model_name
    from ..onnx_engine.export_web import export_web

    lm = _web_lm(model)
    return export_web(model_name(model), config, tensors, out_dir, spectral=spectral, lm=lm, overwrite=force)


def _web_lm(model: str | None) -> WebLM | None:
    from ..codec import load_language_model
    from ..hub import resolve_file
    from ..lm.native_kernel import named_sizes
    from ..lm.weights import WEIGHTS_NAME
    from ..onnx_engine.export_web import WebLM

    lm = load_language_model(model)
    if lm is None:
        return None
    facts = {"sizes": named_sizes(lm.config), "fingerprint": lm.fingerprint, "table_rule": lm.table_rule}
    return WebLM(facts, resolve_file(model, WEIGHTS_NAME).read_bytes())
