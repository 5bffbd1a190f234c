"""Built graphs on disk, so that only the first run on a machine has to build them."""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path

from ..atomic import write_bytes

_HERE = Path(__file__).parent
_BUILDERS = (
    _HERE.parent / "architecture.py",
    _HERE.parent / "spectral.py",
    _HERE / "build.py",
    _HERE / "graph.py",
    _HERE / "layers.py",
    _HERE / "plan.py",
    _HERE / "spectral_graph.py",
)


def cache_folder() -> Path:
    """Where this user's caches are: `$RECODEC_CACHE`, else a folder `recodec` where the system wants caches."""
    if chosen := os.environ.get("RECODEC_CACHE"):
        return Path(chosen)
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "recodec"
    home = Path(os.path.expanduser("~"))
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "recodec"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "recodec" / "Cache"
    return home / ".cache" / "recodec"


class GraphCache:
    """Graphs of one network, each a file of some ten kilobytes: weights are not part of them.

    Args:
        config: all that the graphs depend on, as text: the JSON of a configuration, or of two.
        folder: of all caches; this user's by default.

    Its folder is named by a hash of the configuration and of the source code that builds graphs, so a
    cached graph is never an outdated one. A file has the digest of its graph in its name, since a wrong bit in a
    graph changes codes silently. A folder that cannot be read or written is not an error: graphs are then built
    each time.
    """

    def __init__(self, config: str, folder: Path | None = None) -> None:
        self._folder: Path | None = None
        with suppress(OSError, RuntimeError):  # no source files, or no home folder
            self._folder = (folder or cache_folder()) / "graphs" / _fingerprint(config)

    def load(self, name: str) -> bytes | None:
        """The graph of that name, or `None` if there is none, or a damaged one."""
        if self._folder is not None:
            with suppress(OSError):
                for path in sorted(self._folder.glob(f"{name}-*.onnx")):
                    graph = path.read_bytes()
                    if path.name == _file_name(name, graph):
                        return graph
        return None

    def save(self, name: str, graph: bytes) -> None:
        """Keep a graph, if the folder can be written to."""
        if self._folder is not None:
            with suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
                write_bytes(self._folder / _file_name(name, graph), graph)


def _file_name(name: str, graph: bytes) -> str:
    return f"{name}-{hashlib.sha256(graph).hexdigest()[:32]}.onnx"


def _fingerprint(config: str) -> str:
    digest = hashlib.sha256()
    for source in _BUILDERS:
        digest.update(source.read_bytes())
    digest.update(config.encode())
    return digest.hexdigest()[:32]
