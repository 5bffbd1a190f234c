"""Graphs on disk: those that come with the package, and those that this machine has built before."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from ..atomic import write_bytes
from ..config import EncodecConfig
from ..hub import cache_folder
from ..spectral import SpectralConfig

_HERE = Path(__file__).parent
PREBUILT = _HERE / "graphs"
"""Graphs of the usual models, made by `make graphs`; a folder for each network."""

# What no graph depends on. All other settings count, so that a new one cannot be forgotten.
_ELSEWHERE = {"sampling_rate", "target_bandwidths", "return_dict", "extra", "codebook_dim", "overlap", "codebooks"}
_BUILDERS = (
    _HERE.parent / "architecture.py",
    _HERE.parent / "spectral.py",
    _HERE / "build.py",
    _HERE / "graph.py",
    _HERE / "layers.py",
    _HERE / "plan.py",
    _HERE / "spectral_graph.py",
)


def graph_settings(config: EncodecConfig | SpectralConfig) -> str:
    """All that the graphs of a network depend on, as text: two networks of equal text have equal graphs."""
    settings: dict[str, Any] = {
        field.name: getattr(config, field.name) for field in dataclasses.fields(config) if field.name not in _ELSEWHERE
    }
    if isinstance(config, EncodecConfig):
        settings["num_quantizers"] = config.num_quantizers
    return json.dumps(settings, sort_keys=True)


class GraphCache:
    """Graphs of one network, each a file of some ten kilobytes: weights are not part of them.

    A file has the digest of its graph in its name, since a wrong bit in a graph changes codes silently.

    Graphs that come with the package lie in a folder named by a hash of the settings. Those that were built here lie
    in the user's cache, in a folder named by a hash of the settings and of the source code that builds graphs, so that
    a cached graph is never an outdated one. A folder that cannot be read or written is not an error: graphs are then
    built each time.

    Args:
        config: of the network.
        folder: of all caches; this user's by default.
    """

    def __init__(self, config: EncodecConfig | SpectralConfig, folder: Path | None = None) -> None:
        self._settings = graph_settings(config)
        self._folder = folder

    @property
    def prebuilt_folder(self) -> Path:
        """Where graphs of this network lie in the package, if it has some."""
        return PREBUILT / hashlib.sha256(self._settings.encode()).hexdigest()[:32]

    @cached_property
    def own_folder(self) -> Path | None:
        """Where graphs are kept that were built here; `None` if there is no such place."""
        with suppress(OSError, RuntimeError):  # no source files, or no home folder
            return (self._folder or cache_folder()) / "graphs" / _fingerprint(self._settings)
        return None

    def load(self, name: str) -> bytes | None:
        """The graph of that name, or `None` if there is none, or a damaged one."""
        graph = _read(self.prebuilt_folder, name)
        if graph is None and self.own_folder is not None:
            graph = _read(self.own_folder, name)
        return graph

    def save(self, name: str, graph: bytes) -> None:
        """Keep a graph, if the folder can be written to."""
        if self.own_folder is not None:
            with suppress(OSError):
                write_graph(self.own_folder, name, graph)


def write_graph(folder: Path, name: str, graph: bytes) -> None:
    """Write a graph to a folder, which is made if need be, as `GraphCache` looks for it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / _file_name(name, graph), graph)


def _read(folder: Path, name: str) -> bytes | None:
    with suppress(OSError):
        for path in sorted(folder.glob(f"{name}-*.onnx")):
            graph = path.read_bytes()
            if path.name == _file_name(name, graph):
                return graph
    return None


def _file_name(name: str, graph: bytes) -> str:
    return f"{name}-{hashlib.sha256(graph).hexdigest()[:32]}.onnx"


def _fingerprint(settings: str) -> str:
    digest = hashlib.sha256()
    for source in _BUILDERS:
        digest.update(source.read_bytes())
    digest.update(settings.encode())
    return digest.hexdigest()[:32]
