"""The endpoints for programs."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ..codec import DECODERS, DEFAULT_PACKET_S
from ..errors import ConfigError
from .answers import check_names, choice, number
from .coding import BIT_FORMS, Coder
from .jobs import StreamedJob, Work
from .turns import Turns

ECDC = "application/octet-stream"
WAV = "audio/wav"


class Api:
    """Routes under `/api/`.

    Args:
        coder: does the work.
        turns: whose turn it is.
    """

    def __init__(self, coder: Coder, turns: Turns) -> None:
        self._coder, self._turns = coder, turns

    def routes(self) -> list[BaseRoute]:
        """For starlette."""
        return [
            Route("/api/model", self._model, methods=["GET"]),
            Route("/api/compress", self._compress, methods=["POST"]),
            Route("/api/decompress", self._decompress, methods=["POST"]),
            Route("/api/wav", self._wav, methods=["POST"]),
            Route("/api/info", self._info, methods=["POST"]),
        ]

    def _model(self, request: Request) -> Response:
        check_names(request)
        return JSONResponse(self._coder.model(), headers={"cache-control": "no-store"})

    async def _compress(self, request: Request) -> StreamedJob:
        check_names(request, "bandwidth", "packet", "lm", "partial")
        packet_s = number(request, "packet")
        work = partial(
            self._coder.compress,
            bandwidth=number(request, "bandwidth"),
            packet_s=DEFAULT_PACKET_S if packet_s is None else packet_s,
            lm=choice(request, "lm", ("1", "0")) == "1",
            partial=_switch(request, "partial"),
        )
        return self._job(request, work, ECDC, hold=True)

    async def _decompress(self, request: Request) -> StreamedJob:
        check_names(request, "decoder", "tolerant", "bits")
        work = partial(
            self._coder.decompress,
            decoder=choice(request, "decoder", DECODERS),
            tolerant=_switch(request, "tolerant"),
            bits=choice(request, "bits", tuple(BIT_FORMS)),
        )
        return self._job(request, work, WAV)

    async def _wav(self, request: Request) -> StreamedJob:
        check_names(request, "bits", "partial")
        work = partial(
            self._coder.wav,
            bits=choice(request, "bits", tuple(BIT_FORMS)),
            partial=_switch(request, "partial"),
        )
        return self._job(request, work, WAV, hold=True)

    async def _info(self, request: Request) -> StreamedJob:
        check_names(request)
        return self._job(request, self._coder.info, "application/json")

    def _job(self, request: Request, work: Work, media_type: str, *, hold: bool = False) -> StreamedJob:
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise ConfigError("the body must be the file itself, not a form: curl --data-binary @FILE sends it so")
        return StreamedJob(work, self._turns, self._coder.limits, media_type, hold=hold)


def _switch(request: Request, name: str) -> bool:
    return choice(request, name, ("0", "1")) == "1"
