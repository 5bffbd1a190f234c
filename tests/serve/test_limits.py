"""Limits hold, clients that go or stall are let go, and nothing from outside reaches the disk."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from recodec import Codec
from recodec.errors import ConfigError
from support.signals import as_file


def ask(app: Any, receive: Callable[[], Awaitable[dict]], path: str, **headers: str) -> list[dict]:
    """What an application sends for a POST whose body is received so; it must end within 30 s."""
    sent: list[dict] = []
    pairs = {"host": "127.0.0.1:8765", **headers}.items()
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8765), "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in pairs],
    }  # fmt: skip

    async def send(message: dict) -> None:
        sent.append(message)

    async def main() -> None:
        with anyio.fail_after(30):
            await app(scope, receive, send)

    anyio.run(main)
    return sent


def body_of(pieces: Iterable[bytes], then: str = "end") -> Callable[[], Awaitable[dict]]:
    """A body in pieces, and then its end, nothing at all, or the client's leave."""
    left = iter(pieces)
    state = {"done": False}

    async def receive() -> dict:
        piece = next(left, None)
        if piece is not None:
            return {"type": "http.request", "body": piece, "more_body": True}
        if then == "end" and not state["done"]:
            state["done"] = True
            return {"type": "http.request", "body": b"", "more_body": False}
        if then != "leave":
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    return receive


def status_and_error(sent: list[dict]) -> tuple[int, str]:
    return sent[0]["status"], json.loads(b"".join(m.get("body", b"") for m in sent))["error"]


def endless() -> Iterable[bytes]:
    """Megabytes without end."""
    while True:
        yield bytes(1 << 20)


@pytest.mark.parametrize("path", ["/api/compress", "/api/decompress", "/api/wav", "/api/info"])
def test_an_endless_body_is_refused(make_app: Callable, path: str) -> None:
    pieces = (
        piece for part in ([b"ECDC\x01" if "de" in path or "info" in path else b"RIFF"], endless()) for piece in part
    )
    status, name = status_and_error(ask(make_app(max_bytes=5_000_000), body_of(pieces), path))
    assert (status, name) in ((413, "TooLargeError"), (400, "CorruptError"))


def test_a_body_that_says_it_is_too_large_is_not_read(make_app: Callable) -> None:
    sent = ask(make_app(max_bytes=1000), body_of([], then="stall"), "/api/compress", content_length="1001")
    assert status_and_error(sent) == (413, "TooLargeError")


def test_a_body_that_stalls_is_let_go(make_app: Callable, wav: bytes) -> None:
    sent = ask(make_app(stall_s=0.2), body_of([wav[:1000]], then="stall"), "/api/info")
    assert status_and_error(sent) == (408, "StalledError")


def test_a_client_that_goes_ends_the_work(make_app: Callable, codec: Codec) -> None:
    long = as_file(np.zeros((1, 600 * codec.sampling_rate), np.float32), codec.sampling_rate)
    sent = ask(make_app(), body_of([long[:1000]], then="leave"), "/api/compress")
    assert not any(message.get("more_body") is False for message in sent)
    state = {"count": 0}

    async def receive() -> dict:
        state["count"] += 1
        return {"type": "http.request", "body": long} if state["count"] == 1 else {"type": "http.disconnect"}

    sent = ask(make_app(), receive, "/api/compress")  # coding ten minutes takes longer than `ask` waits
    assert not any(message.get("more_body") is False for message in sent)


def test_audio_that_is_too_long(make_client: Callable, codec: Codec, wav: bytes) -> None:
    client = make_client(max_audio_s=0.1)
    assert client.post("/api/compress", content=wav).status_code == 413
    assert client.post("/api/wav", content=wav).status_code == 413
    unknown = b"RIFF\xff\xff\xff\xff" + wav[8:40] + b"\xff\xff\xff\xff" + wav[44:]  # does not tell its length
    answer = client.post("/api/compress", content=unknown)
    assert (answer.status_code, answer.json()["error"]) == (413, "TooLargeError")
    file = codec.pack(np.zeros((1, 8), np.int64), num_samples=8 * 320)
    assert client.post("/api/decompress", content=file).status_code == 413


def test_work_that_takes_too_long(make_client: Callable, wav: bytes) -> None:
    answer = make_client(max_job_s=1e-6).post("/api/compress", content=wav)
    assert (answer.status_code, answer.json()["error"]) == (503, "OutOfTimeError")
    assert "retry-after" in answer.headers


class Calls:
    """Requests of `/api/info` to an application with one job and one place to wait; the work lasts until `release`."""

    def __init__(self, app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app, self.found, self._gate = app, [], threading.Event()
        monkeypatch.setattr("recodec.serve.coding.ecdc.facts", self._work)

    def release(self) -> None:
        self._gate.set()

    def _work(self, file: Any) -> dict:
        assert self._gate.wait(30)
        return {}

    async def call(self, receive: Callable[[], Awaitable[dict]], **headers: str) -> None:
        """Note the status of the answer; nothing if there is none."""
        sent: list[dict] = []

        async def send(message: dict) -> None:
            sent.append(message)

        pairs = [(b"host", b"localhost"), *((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items())]
        scope = {"type": "http", "method": "POST", "path": "/api/info", "query_string": b"", "root_path": "",
                 "headers": pairs, "http_version": "1.1", "scheme": "http"}  # fmt: skip
        await self.app(scope, receive, send)
        self.found += [message["status"] for message in sent if "status" in message]


def test_too_many_at_once_are_refused(make_app: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is being coded, one waits, the third is refused."""
    calls = Calls(make_app(jobs=1, waiting=1), monkeypatch)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(calls.call, body_of([b"x"]))
            await settled()
            group.start_soon(calls.call, body_of([b"x"]))
            await settled()
            await calls.call(body_of([b"x"]))
            assert calls.found == [429]
            calls.release()
        assert calls.found == [429, 200, 200]

    anyio.run(main)


def test_a_client_that_goes_while_it_waits_gives_its_place_back(
    make_app: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = Calls(make_app(jobs=1, waiting=1), monkeypatch)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            leaves = anyio.Event()

            async def leaving() -> dict:
                await leaves.wait()
                return {"type": "http.disconnect"}

            group.start_soon(calls.call, body_of([b"x"]))
            await settled()
            group.start_soon(calls.call, then(body_of([b"x"]), leaving))
            await settled()
            leaves.set()
            await settled()
            group.start_soon(calls.call, body_of([b"x"]))  # there is a place for it
            await settled()
            assert calls.found == []
            calls.release()
        assert calls.found == [200, 200]

    anyio.run(main)


@pytest.mark.parametrize("headers", [{}, {"content_length": "1000"}])
def test_bodies_that_do_not_come_keep_nobody_from_working(
    make_app: Callable, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    calls = Calls(make_app(jobs=4, waiting=4, requests=5), monkeypatch)
    calls.release()

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(partial(calls.call, body_of([b"x"], then="stall"), **headers))
            await settled()
            await calls.call(body_of([b"x"]))
            assert calls.found == [200]
            group.start_soon(partial(calls.call, body_of([b"x"], then="stall"), **headers))
            await settled()
            await calls.call(body_of([b"x"]))
            assert calls.found == [200, 429]
            group.cancel_scope.cancel()

    anyio.run(main)


async def settled() -> None:
    """Until all tasks wait, those included that wait for threads to begin."""
    for _ in range(50):
        await anyio.sleep(0)
        await anyio.wait_all_tasks_blocked()


def then(first: Callable[[], Awaitable[dict]], second: Callable[[], Awaitable[dict]]) -> Callable[[], Awaitable[dict]]:
    """What comes first, to the end of the body, and what comes after it."""
    over = {"is": False}

    async def receive() -> dict:
        message = await (second if over["is"] else first)()
        over["is"] = message["type"] == "http.request" and not message["more_body"]
        return message

    return receive


@pytest.mark.parametrize("path", ["/api/info", "/api/decompress"])
def test_a_long_step_is_stopped_where_it_reads(
    make_client: Callable, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def read_for_ever(file: Any, **_: object) -> None:
        while True:
            file.seek(0)
            file.read(1)

    monkeypatch.setattr("recodec.serve.coding.ecdc.facts", read_for_ever)
    monkeypatch.setattr("recodec.serve.coding.open_reader", read_for_ever)
    answer = make_client(max_job_s=0.3).post(path, content=b"ECDC\x01")
    assert (answer.status_code, answer.json()["error"]) == (503, "OutOfTimeError")


def test_limits_are_checked() -> None:
    from recodec.serve import Limits

    assert Limits(waiting=0, rooms=0).rooms == 0
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ConfigError, match="max_audio_s must be positive"):
            Limits(max_audio_s=wrong)


@pytest.mark.parametrize(
    "path",
    [
        "/model/../../../etc/passwd", "/model/..%2f..%2f..%2fetc%2fpasswd", "/model/%2fetc%2fpasswd",
        "/model/..%5c..%5csecret", "/runtime/../app.py", "/runtime/other.wasm", "/page/app.py", "/app.py",
        "/model/", "/model/recodec.json%00", "//etc/passwd", "/model//etc/passwd",
    ],
)  # fmt: skip
def test_no_path_reaches_the_disk(make_client: Callable, path: str) -> None:
    client = make_client()
    assert client.get("/model/recodec.json").text == "recodec.json"
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]) == (404, "NotFound")


def test_nothing_that_is_sent_stays(make_client: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                    codec: Codec, recording: np.ndarray) -> None:  # fmt: skip
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    client = make_client()
    flac = as_file(recording, codec.sampling_rate, "FLAC")  # is copied to a file without a name, for it has to seek
    file = client.post("/api/compress", content=flac).content
    assert client.post("/api/decompress", content=file).status_code == 200
    assert client.post("/api/info", content=file).status_code == 200
    assert client.post("/api/compress", content=flac[:100]).status_code == 400
    assert list(tmp_path.iterdir()) == []
    assert io.BytesIO(file).read(4) == b"ECDC"
