"""The WebAssembly runtime for the page's own codec: one file of the npm package onnxruntime-web.

With its 14 MB it is no part of this package. It is taken from a folder, from the user's cache, or once, when a page
first asks for it, from the npm registry; what comes from there is checked by the digest of `js/package-lock.json`.
"""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import tarfile
import threading
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

from ..atomic import write_bytes
from ..errors import ConfigError
from ..hub import cache_folder
from .answers import RequestError

NAME = "ort-wasm-simd-threaded.wasm"
VERSION = "1.30.0"
INTEGRITY = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Base64 of the SHA-512 of the package's tarball, as npm writes it."""
URL = f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"

_MEMBER = f"package/dist/{NAME}"
_MAX_PACKAGE_BYTES, _MAX_FILE_BYTES = 1 << 28, 1 << 26
_TIMEOUT_S = 30.0
_log = logging.getLogger("recodec.serve")


def download() -> bytes:
    """The package's tarball from the npm registry.

    Raises:
        OSError: if it cannot be had.
    """
    with urllib.request.urlopen(URL, timeout=_TIMEOUT_S) as response:
        return response.read(_MAX_PACKAGE_BYTES)


class Runtime:
    """Finds the runtime's file when it is first asked for.

    Args:
        folder: that has the file, given by the user; without it, the cache and then the registry are asked.
        offline: whether to leave the registry out.
        cache: folder where it is kept.
        fetch: gives the tarball.

    Raises:
        ConfigError: if a folder is given, and the file is not in it.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        offline: bool = False,
        cache: Path | None = None,
        fetch: Callable[[], bytes] = download,
    ) -> None:
        if folder is not None and not (folder / NAME).is_file():
            raise ConfigError(f"{folder} has no {NAME}: give the folder dist/ of onnxruntime-web {VERSION}")
        kept = (cache_folder() if cache is None else cache) / f"onnxruntime-web-{VERSION}" / NAME
        self._path = kept if folder is None else folder / NAME
        self._fetch = None if offline else fetch
        self._lock = threading.Lock()

    def path(self) -> Path:
        """Where the file is; it is fetched if need be, which takes a while.

        Raises:
            RequestError: if it is not there and cannot be had, with what to do.
        """
        with self._lock:
            if not self._path.is_file():
                self._get()
        return self._path

    def _get(self) -> None:
        advice = f"download {URL} elsewhere, unpack it, and start with --runtime package/dist"
        if self._fetch is None:
            raise _missing(f"it is not here, and --offline forbids to fetch it: {advice}")
        _log.warning("Fetching the runtime for live calls, onnxruntime-web %s, from registry.npmjs.org", VERSION)
        try:
            package = self._fetch()
        except (OSError, HTTPException) as error:
            raise _missing(f"registry.npmjs.org cannot be reached ({error}): {advice}") from error
        if base64.b64encode(hashlib.sha512(package).digest()).decode() != INTEGRITY:
            raise _missing(f"what registry.npmjs.org sent is not onnxruntime-web {VERSION}: {advice}")
        data = _member(package)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(self._path, data, overwrite=True)
        _log.warning("Kept in %s", self._path)


def _member(package: bytes) -> bytes:
    """The one file of the tarball. Its digest was right, so that its layout is known."""
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as tar:
        file = tar.extractfile(_MEMBER)
        assert file is not None
        return file.read(_MAX_FILE_BYTES)


def _missing(reason: str) -> RequestError:
    return RequestError(503, "RuntimeMissingError", f"live calls need the runtime onnxruntime-web {VERSION}: {reason}")
