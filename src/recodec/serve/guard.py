"""Who may ask: names of hosts and origins are checked, and every answer says what a browser may do with it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .answers import RequestError, error_response

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",  # onnxruntime-web compiles WebAssembly
        "worker-src 'self'",
        "connect-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": _POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(self)",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_POLICY_VIOLATION = 1008  # code of a WebSocket's end


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class Guard:
    """Refuses requests that another site's page could have made, and puts headers on every answer.

    A page of another site can send requests to this machine, and with a name of its own that points here
    (DNS rebinding) it could read the answers. So a server on the loopback address answers to names of this machine
    only; and where a browser says which site a request comes from, it must be this one.

    Args:
        app: that is guarded.
        host: that the server is bound to.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        bare = host.strip("[]")
        own = f"[{bare}]" if ":" in bare else bare
        self._names = (*_LOOPBACK_NAMES, own) if is_loopback(host) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                added = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in there]
                message = {**message, "headers": [*message["headers"], *added]}
            await send(message)

        error = self._fault(scope)
        if error is None:
            await self._app(scope, receive, send_with_headers)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": str(error)[:100]})
        else:
            await error_response(error)(scope, receive, send_with_headers)

    def _fault(self, scope: Scope) -> RequestError | None:
        headers = _headers(scope)
        host = headers.get("host", "")
        if self._names is not None and _name_of(host) not in self._names:
            return RequestError(400, "HostError", "this server answers to localhost and 127.0.0.1 only")
        if scope["type"] == "http" and scope["method"] in _SAFE_METHODS:
            return None
        origin = headers.get("origin")
        if origin is None:  # a program: browsers always say it
            crossed = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        else:
            crossed = not host or urlsplit(origin).netloc.lower() != host.lower()
        return RequestError(403, "OriginError", "the request comes from another site's page") if crossed else None


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _name_of(host: str) -> str:
    """A host without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
