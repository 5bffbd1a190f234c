"""Built graphs on disk, so that only the first run on a machine has to build them."""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path

from ..atomic import write_bytes
from ..config import EncodecConfig

_HERE = Path(__file__).parent
_BUILDERS = (
    _HERE.parent / "architecture.py",
    _HERE / "build.py",
    _HERE / "graph.py",
    _HERE / "layers.py",
    _HERE / "plan.py",
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
    """Graphs of one configuration, each a file of some ten kilobytes: weights are no part of them.

    The folder is named by a hash of the configuration and of the source code that builds graphs, so a
    cached graph is never an outdated one. A folder that cannot be read or written is no error: the
    graphs are then built each time.
    """

    def __init__(self, config: EncodecConfig, folder: Path | None = None) -> None:
        self._folder: Path | None = None
        with suppress(OSError, RuntimeError):  # no source files, or no home folder
            self._folder = (folder or cache_folder()) / "graphs" / _fingerprint(config)

    def load(self, name: str) -> bytes | None:
        """The graph of that name, or `None` if there is none."""
        if self._folder is not None:
            with suppress(OSError):
                return (self._folder / f"{name}.onnx").read_bytes()
        return None

    def save(self, name: str, graph: bytes) -> None:
        """Keep a graph, if the folder can be written to."""
        if self._folder is not None:
            with suppress(OSError):
                self._folder.mkdir(parents=True, exist_ok=True)
                write_bytes(self._folder / f"{name}.onnx", graph)


def _fingerprint(config: EncodecConfig) -> str:
    digest = hashlib.sha256()
    for source in _BUILDERS:
        digest.update(source.read_bytes())
    digest.update(config.to_json_string().encode())
    return digest.hexdigest()[:32]
