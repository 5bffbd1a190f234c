"""A model's graphs as files that stand alone, for ONNX Runtime in C++, on phones and in browsers."""

from __future__ import annotations

from pathlib import Path

from onnx import ModelProto

from ..atomic import write_bytes, write_text
from ..checkpoint import Spectral, fold, read_model
from ..config import EncodecConfig
from ..errors import ConfigError
from ..spectral import SpectralConfig
from .build import decoder_graph, encoder_graph
from .export_readme import readme
from .graph import embed
from .plan import Phase, decoder_plan, encoder_plan
from .spectral_graph import spectral_graph
from .spectral_weights import spectral_weights
from .weights import Tensors, graph_weights

README_NAME = "README.md"


def export_model(
    name_or_path: str | Path | None,
    out_dir: str | Path,
    *,
    bandwidth: float | None = None,
    overwrite: bool = False,
    spectral: Spectral | None = None,
) -> list[Path]:
    """Write the graphs of a model in a folder or on the hub; arguments as in `export_tensors`.

    Raises:
        CheckpointError: if the model is not found or not valid.
        ConfigError, FileExistsError: as there.
    """
    config, tensors = read_model(name_or_path)
    return export_tensors(config, tensors, out_dir, bandwidth=bandwidth, overwrite=overwrite, spectral=spectral)


def export_tensors(
    config: EncodecConfig,
    tensors: Tensors,
    out_dir: str | Path,
    *,
    bandwidth: float | None = None,
    overwrite: bool = False,
    spectral: Spectral | None = None,
    int8: bool = False,
) -> list[Path]:
    """Write `encoder.onnx`, `decoder.onnx`, what else the ends of a stream need, and a README of them all.

    Of a streamable model the two are for the middle of a stream, with states as inputs and outputs. Where a
    stream begins differently (mirrored padding) there are `encoder_start.onnx` and `decoder_start.onnx`
    too, and for a last partial frame `encoder_end.onnx`. Of another model the two take whole segments.

    Args:
        config: of the model.
        tensors: of its checkpoint in our layout, weight norm folded or not.
        out_dir: is made if need be.
        bandwidth: in kbps, of the codes that the encoder gives; the model's highest by default.
        overwrite: whether files of those names may be replaced.
        spectral: configuration and tensors of a spectral decoder, which is written as `spectral.onnx`,
            `spectral_start.onnx` and `spectral_end.onnx`.
        int8: whether the products of its blocks are of 8-bit integers.

    Returns:
        the files written.

    Raises:
        ConfigError: if the model does not have the bandwidth.
        FileExistsError: if one of the files is there already and may not be replaced.
    """
    if bandwidth is not None and bandwidth not in config.target_bandwidths:
        raise ConfigError(f"the model's bandwidths are {list(config.target_bandwidths)} kbps, got {bandwidth}")
    graphs = _graphs(config, config.quantizers_for(bandwidth))
    if spectral is not None:
        graphs |= _spectral_graphs(config, spectral[0], int8)
    folder = Path(out_dir)
    paths = [folder / name for name in (*graphs, README_NAME)]
    for path in paths:
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} exists already")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(
        folder / README_NAME, readme(config, graphs, None if spectral is None else spectral[0]), overwrite=overwrite
    )
    folded = fold(tensors, config)
    weights = {
        name: array
        for part in ("encoder", "decoder", "quantizer")
        for name, array in graph_weights(config, folded, part).items()
    }
    if spectral is not None:
        weights |= spectral_weights(*spectral, int8=int8)
    for name, graph in graphs.items():
        write_bytes(folder / name, embed(graph, weights).SerializeToString(), overwrite=overwrite)
    return paths


def _spectral_graphs(config: EncodecConfig, spectral: SpectralConfig, int8: bool) -> dict[str, ModelProto]:
    """The graphs of a spectral decoder, from codes."""
    phases = {"spectral.onnx": Phase.STEP, "spectral_start.onnx": Phase.START, "spectral_end.onnx": Phase.END}
    return {name: spectral_graph(spectral, phase, config, int8=int8) for name, phase in phases.items()}


def _graphs(config: EncodecConfig, num_quantizers: int) -> dict[str, ModelProto]:
    """The graphs to write by the names of their files."""
    if not config.is_streamable:
        return {
            "encoder.onnx": encoder_graph(config, Phase.WHOLE, num_quantizers),
            "decoder.onnx": decoder_graph(config, Phase.WHOLE),
        }
    encoder, decoder = encoder_plan(config), decoder_plan(config)
    graphs = {
        "encoder.onnx": encoder_graph(config, Phase.STEP, num_quantizers),
        "encoder_end.onnx": encoder_graph(config, Phase.END, num_quantizers),
        "decoder.onnx": decoder_graph(config, Phase.STEP),
    }
    if encoder.start is not Phase.STEP:
        graphs["encoder_start.onnx"] = encoder_graph(config, encoder.start, num_quantizers)
    if decoder.start is not Phase.STEP:
        graphs["decoder_start.onnx"] = decoder_graph(config, decoder.start)
    if decoder.tail:
        graphs["decoder_end.onnx"] = decoder_graph(config, Phase.END)
    return graphs
