"""What a browser loads: the page, the model as the page takes it, and the runtime. All names are those of tables."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from .runtime import NAME, Runtime

PAGE = Path(__file__).parent / "page"
PAGE_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/call": ("call.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/call.js": ("call.js", "text/javascript; charset=utf-8"),
    "/worker.js": ("worker.js", "text/javascript; charset=utf-8"),
    "/queue.worklet.js": ("queue.worklet.js", "text/javascript; charset=utf-8"),
    "/capture.worklet.js": ("capture.worklet.js", "text/javascript; charset=utf-8"),
    "/tracks.worklet.js": ("tracks.worklet.js", "text/javascript; charset=utf-8"),
}
"""By path: the file, and what it is. `js/build.mjs` makes them of `js/src/serve/`."""

_REVALIDATE = {"cache-control": "no-cache"}


class WebModel:
    """The model as the page loads it, written into a temporary folder when it is first asked for.

    Args:
        write: writes what the npm package loads into a folder, and returns the files.
    """

    def __init__(self, write: Callable[[Path], list[Path]]) -> None:
        self._write, self._lock = write, threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: dict[str, Path] = {}

    def file(self, name: str) -> Path | None:
        """The file of a name; `None` if the model has no such file."""
        with self._lock:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="recodec-serve-")
                self._files = {path.name: path for path in self._write(Path(self._folder.name) / "model")}
            return self._files.get(name)

    def close(self) -> None:
        """Remove the folder."""
        with self._lock:
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = None


def page_routes() -> list[BaseRoute]:
    """One route for each file of the page, which is in memory: no path from outside names a file."""
    return [_page_route(path, name, media_type) for path, (name, media_type) in PAGE_FILES.items()]


def model_route(model: WebModel) -> BaseRoute:
    """Files of the model, by the names that its manifest has."""

    def serve(request: Request) -> Response:  # in a thread, for the first call takes seconds
        path = model.file(request.path_params["name"])
        if path is None:
            raise HTTPException(404)
        kind = "application/json" if path.suffix == ".json" else "application/octet-stream"
        return FileResponse(path, media_type=kind, headers=_REVALIDATE)

    return Route("/model/{name}", serve, methods=["GET"])


def runtime_route(runtime: Runtime) -> BaseRoute:
    """The runtime's one file."""

    def serve(_: Request) -> Response:  # in a thread, for it may be fetched
        return FileResponse(runtime.path(), media_type="application/wasm", headers=_REVALIDATE)

    return Route(f"/runtime/{NAME}", serve, methods=["GET"])


def _page_route(path: str, name: str, media_type: str) -> BaseRoute:
    data = (PAGE / name).read_bytes()

    async def serve(_: Request) -> Response:
        return Response(data, media_type=media_type, headers=_REVALIDATE)

    return Route(path, serve, methods=["GET"])
