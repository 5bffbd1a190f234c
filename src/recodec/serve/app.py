"""The application: endpoints, pages and calls behind one guard."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute

from ..codec import Codec
from ..errors import RecodecError
from .answers import error_response, on_http_error
from .api import Api
from .body import Body
from .coding import Coder
from .files import WebModel, model_route, page_routes, runtime_route
from .guard import Guard
from .limits import Limits
from .relay import Relay
from .runtime import Runtime
from .turns import Turns


def create_app(
    codec: Codec,
    *,
    write_model: Callable[[Path], list[Path]],
    runtime: Runtime,
    limits: Limits | None = None,
    host: str = "127.0.0.1",
) -> Starlette:
    """The application, for any ASGI server. Its `state.stop()` stops all requests that are being coded.

    Args:
        codec: that the endpoints use.
        write_model: writes the model as the npm package loads it into a folder, and returns the files.
        runtime: of the page's own codec.
        limits: those of `Limits` by default.
        host: that the server is bound to. On a loopback address, only names of this machine are answered.
    """
    limits = limits or Limits()
    model, relay, turns = WebModel(write_model), Relay(limits), Turns(limits)

    async def on_error(request: Request, error: Exception) -> Response:
        if request.method == "POST":
            with Body(request.scope, request.receive, limits) as body:
                await body.drain()
        return error_response(error)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        model.close()

    app = Starlette(
        routes=[
            *page_routes(),
            *Api(Coder(codec, limits), turns).routes(),
            model_route(model),
            runtime_route(runtime),
            WebSocketRoute("/call/{room}", relay.endpoint),
        ],
        middleware=[Middleware(Guard, host=host)],
        exception_handlers={RecodecError: on_error, HTTPException: on_http_error, Exception: on_error},
        lifespan=lifespan,
    )
    app.state.stop = turns.stop
    return app
