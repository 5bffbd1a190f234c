"""Calls: two in a room, nobody else, and no more than is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from recodec.serve.relay import Bucket


def join(client: Any, room: str, **headers: str) -> Any:
    """A connection of a member, to be used in `with`."""
    return client.websocket_connect(f"ws://127.0.0.1:8765/call/{room}", headers=headers)


def end_of(socket: Any) -> int:
    """The code with which the server ends a connection."""
    message = socket.receive()
    while message["type"] != "websocket.close":
        message = socket.receive()
    return message["code"]


def test_messages_go_to_the_other_member_alone(make_client: Callable) -> None:
    client = make_client()
    with join(client, "one") as first, join(client, "elsewhere") as stranger:
        assert first.receive_json() == {"event": "alone"}
        assert stranger.receive_json() == {"event": "alone"}
        with join(client, "one") as second:
            assert first.receive_json() == {"event": "together", "first": True}
            assert second.receive_json() == {"event": "together", "first": False}
            first.send_bytes(b"to the second")
            second.send_bytes(b"to the first")
            assert second.receive_bytes() == b"to the second"
            assert first.receive_bytes() == b"to the first"
            with join(client, "one") as third:
                assert end_of(third) == 4001
        assert first.receive_json() == {"event": "left"}
        stranger.send_bytes(b"x")  # reaches nobody
        with join(client, "one") as again:
            assert first.receive_json() == {"event": "together", "first": True}
            assert again.receive_json() == {"event": "together", "first": False}
            first.send_bytes(b"again")
            assert again.receive_bytes() == b"again"


@pytest.mark.parametrize("name", ["a" * 65, "a b", "ä", "a.b", "%00"])
def test_names_that_are_not_valid(make_client: Callable, name: str) -> None:
    with join(make_client(), name) as socket:
        assert end_of(socket) == 4003


def test_rooms_are_bounded(make_client: Callable) -> None:
    client = make_client(rooms=1)
    with join(client, "one"), join(client, "two") as other:
        assert end_of(other) == 4002
    with join(client, "two") as other:
        assert other.receive_json() == {"event": "alone"}


def test_messages_that_are_large_or_text_or_many_end_the_call(make_client: Callable) -> None:
    client = make_client(message_bytes=100, messages_per_s=1.0)
    with join(client, "one") as socket:
        socket.send_bytes(bytes(101))
        assert end_of(socket) == 1009
    with join(client, "one") as socket:
        socket.send_text("hello")
        assert end_of(socket) == 1009
    with join(client, "one") as socket:
        for _ in range(20):
            socket.send_bytes(bytes(100))
        assert end_of(socket) == 4004


def test_a_page_of_another_site_cannot_join(make_client: Callable) -> None:
    from starlette.websockets import WebSocketDisconnect

    client = make_client()
    for headers in ({"origin": "http://evil.example"}, {"host": "evil.example"}):
        with pytest.raises(WebSocketDisconnect) as caught, join(client, "one", **headers):
            pass
        assert caught.value.code == 1008
    with join(client, "one", origin="http://127.0.0.1:8765") as socket:
        assert socket.receive_json() == {"event": "alone"}


def test_the_rate_is_an_average() -> None:
    bucket = Bucket(10.0, now=0.0)
    assert all(bucket.take(1, 0.0) for _ in range(40))  # 4 s of it at once
    assert not bucket.take(1, 0.0)
    assert bucket.take(1, 0.1)
    assert not bucket.take(1, 0.1)
    assert all(bucket.take(1, 100 + i / 10) for i in range(200))
