"""Limits hold, clients that go or stall are let go, and nothing from outside reaches the disk."""

from __future__ import annotations

import io
import json
from collections.abc import Awaitable, Callable, Iterable
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


def test_too_many_at_once_are_refused(make_app: Callable, wav: bytes) -> None:
    """One is being coded, one waits, the third is refused."""
    app = make_app(jobs=1, waiting=1, stall_s=5)
    found: list[tuple[int, str]] = []

    async def call(receive: Callable) -> None:
        sent: list[dict] = []

        async def send(message: dict) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": "/api/info", "query_string": b"", "root_path": "",
                 "headers": [(b"host", b"localhost")], "http_version": "1.1", "scheme": "http"}  # fmt: skip
        await app(scope, receive, send)
        found.append((sent[0]["status"], json.loads(b"".join(m.get("body", b"") for m in sent))["error"]))

    async def main() -> None:
        gate = anyio.Event()

        def slow() -> Callable[[], Awaitable[dict]]:
            body = body_of([b"garbage"])

            async def receive() -> dict:
                await gate.wait()
                return await body()

            return receive

        async with anyio.create_task_group() as group:
            group.start_soon(call, slow())
            group.start_soon(call, slow())
            await anyio.wait_all_tasks_blocked()
            await call(body_of([]))
            assert found == [(429, "BusyError")]
            gate.set()
        assert found[1:] == [(400, "CorruptError")] * 2

    anyio.run(main)


def test_a_client_that_goes_while_it_waits_gives_its_place_back(make_app: Callable, wav: bytes) -> None:
    app = make_app(jobs=1, waiting=1, stall_s=20)
    scope = {"type": "http", "method": "POST", "path": "/api/info", "query_string": b"", "root_path": "",
             "headers": [(b"host", b"localhost")], "http_version": "1.1", "scheme": "http"}  # fmt: skip

    async def main() -> None:
        leave, end = anyio.Event(), anyio.Event()
        sent: list[dict] = []

        async def send(message: dict) -> None:
            sent.append(message)

        async def call(then: anyio.Event, last: dict) -> None:
            pieces = iter([b"garbage"])

            async def receive() -> dict:
                piece = next(pieces, None)
                if piece is not None:
                    return {"type": "http.request", "body": piece, "more_body": True}
                await then.wait()
                return last

            await app(scope, receive, send)

        over = {"type": "http.request", "body": b"", "more_body": False}
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                group.start_soon(call, end, over)
                await anyio.wait_all_tasks_blocked()
                group.start_soon(call, leave, {"type": "http.disconnect"})
                await anyio.wait_all_tasks_blocked()
                leave.set()
                await anyio.wait_all_tasks_blocked()
                assert sent == []
                group.start_soon(call, end, over)  # there is a place for it
                await anyio.wait_all_tasks_blocked()
                assert sent == []
                end.set()
        assert [message["status"] for message in sent if "status" in message] == [400, 400]

    anyio.run(main)


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
