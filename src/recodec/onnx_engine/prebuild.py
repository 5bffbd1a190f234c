"""Make the graphs that come with the package (`make graphs`), so that the usual models need no package `onnx`.

    python -m recodec.onnx_engine.prebuild

Run it after a change to what graphs look like, or to a model that ships. A test compares the files with its results.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from .. import presets
from ..config import CONFIG_NAME, EncodecConfig
from ..hub import resolve_file
from ..spectral import SPECTRAL_CONFIG_NAME, SpectralConfig
from .build import build
from .cache import PREBUILT, GraphCache, write_graph
from .plan import phases_by_network, spectral_plan
from .spectral_decoder import network_name
from .spectral_graph import spectral_graph

_README = """# Graphs of the usual models

ONNX graphs without weights, made by `make graphs` from `recodec.onnx_engine.build`. Each folder is a network, named by
a hash of the settings that its graphs depend on (`cache.graph_settings`); each file has its digest in its name.

| folder | network |
| --- | --- |
"""


def usual_networks() -> dict[str, EncodecConfig | SpectralConfig]:
    """The networks whose graphs come with the package, by name: the shipped model's, and those of Meta's models."""
    return {
        "recodec_24khz": EncodecConfig.from_json_file(resolve_file(None, CONFIG_NAME)),
        "recodec_24khz, spectral decoder": SpectralConfig.from_json_file(resolve_file(None, SPECTRAL_CONFIG_NAME)),
        "facebook/encodec_24khz": presets.encodec_24khz(),
        "facebook/encodec_48khz": presets.encodec_48khz(),
        "facebook/encodec_32khz": presets.encodec_32khz(),
    }


def graphs_of(config: EncodecConfig | SpectralConfig) -> Iterator[tuple[str, bytes]]:
    """Names and bytes of all graphs that the engine may ask for, for a network with its own bandwidths."""
    if isinstance(config, SpectralConfig):
        for int8 in (False, True):
            for phase in spectral_plan(config).phases:
                graph = spectral_graph(config, phase, int8=int8)
                yield f"{network_name(int8=int8)}.{phase.value}", graph.SerializeToString(deterministic=True)
        return
    # The bytes must be the same each time: their digest is the file's name, and a test compares them.
    names = [f"quantizer.{count}" for count in config.quantizer_counts]
    names += [f"{part}.{phase.value}" for part, phases in phases_by_network(config).items() for phase in phases]
    for name in names:
        yield name, build(config, name).SerializeToString(deterministic=True)


def write(folder: Path = PREBUILT) -> None:
    """Write the graphs of all usual networks, in place of what the folder had."""
    shutil.rmtree(folder, ignore_errors=True)
    table = _README
    for name, config in usual_networks().items():
        own = folder / GraphCache(config).prebuilt_folder.name
        for graph_name, graph in graphs_of(config):
            write_graph(own, graph_name, graph)
        table += f"| `{own.name}` | {name} |\n"
    (folder / "README.md").write_text(table, encoding="utf-8")


if __name__ == "__main__":
    write()
