"""Errors as clients see them: a status, a name, and one sentence."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..errors import AudioError, ConfigError, RecodecError
from ..text import shown

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_MAX_MESSAGE = 500  # characters: messages quote names from files


class RequestError(RecodecError):
    """A request that is refused.

    Args:
        status: of HTTP.
        name: of the error, for programs.
        message: one sentence, for people.
    """

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.status, self.name = status, name


def too_large(what: str) -> RequestError:
    """A body or a recording that is beyond a limit."""
    return RequestError(413, "TooLargeError", what)


def error_response(error: Exception) -> Response:
    """The answer to a request that failed.

    Errors of this package are the client's (400), but for those of requests, which say their status. Of others only
    their kind is told: their words may hold paths of this machine. Advice that a page could not follow is told apart.
    """
    if isinstance(error, RequestError):
        return _json(error.status, error.name, str(error))
    if isinstance(error, AudioError) and error.advice:
        return _json(400, type(error).__name__, str(error), reason=error.reason)
    if isinstance(error, RecodecError):
        return _json(400, type(error).__name__, str(error))
    return _json(500, "InternalError", f"the server failed ({type(error).__name__}); its terminal may say more")


async def on_error(_: Request, error: Exception) -> Response:
    """For starlette: the answer to an error of an endpoint."""
    return error_response(error)


async def on_http_error(_: Request, error: Exception) -> Response:
    """For starlette: a path or a method that is not there."""
    status = getattr(error, "status_code", 500)
    if status == 405:
        return _json(405, "MethodNotAllowed", "this address takes another method: see docs/serve.md")
    return _json(status, "NotFound", "there is nothing at this address: see docs/serve.md")


def number(request: Request, name: str) -> float | None:
    """A number among the parameters of a request; `None` if it is not there.

    Raises:
        ConfigError: if it is not one.
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    if _NUMBER.fullmatch(text) is None:
        raise ConfigError(f"{name} must be a plain number such as 6 or 1.5, got {text[:40]!r}")
    return float(text)


def choice(request: Request, name: str, values: tuple[str, ...]) -> str:
    """One of some values among the parameters of a request; the first by default.

    Raises:
        ConfigError: if it is none of them.
    """
    text = request.query_params.get(name, values[0])
    if text not in values:
        raise ConfigError(f"{name} must be one of {', '.join(values)}, got {text[:40]!r}")
    return text


def check_names(request: Request, *known: str) -> None:
    """Make sure that a request has no parameters but these, each once: others would be left out without a word.

    Raises:
        ConfigError: if it has others.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{name[:40]!r} is given twice")
    for name in request.query_params:
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "it takes none"
            raise ConfigError(f"there is no parameter {name[:40]!r} at {request.url.path}; {there}")


def _json(status: int, name: str, message: str, **more: str) -> Response:
    said = {key: _short(shown(text)) for key, text in {"message": message, **more}.items()}
    headers = {"retry-after": "2"} if status in (429, 503) else None
    return JSONResponse({"error": name, **said}, status, headers)


def _short(text: str) -> str:
    return text if len(text) <= _MAX_MESSAGE else text[: _MAX_MESSAGE - 3] + "..."
