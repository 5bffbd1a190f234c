"""Live calls: messages of one page go to the other in the same room, and nowhere else.

A member sends binary messages, which the relay does not look into. What the relay itself has to say is text: JSON
objects with `event`, which is `alone`, `together` (whoever has `first` true was there before), or `left`.
"""

from __future__ import annotations

import json
import re
from collections import deque
from contextlib import suppress

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..text import counted
from .limits import Limits

ROOM = re.compile(r"[A-Za-z0-9_-]{1,64}")
FULL, NO_ROOM, BAD_NAME, TOO_MUCH, TOO_LARGE = 4001, 4002, 4003, 4004, 1009
"""Codes with which a connection ends: the room has two members; there are too many rooms; the room's name is not valid;
messages came too fast; a message was too large, or was text."""

_QUEUE = 64  # messages that wait for a member; more are dropped, oldest first, and the codec conceals that
_BURST_S = 4.0  # seconds of the allowed rates that may come at once


class Bucket:
    """Says whether something comes too fast, on average.

    Args:
        per_s: what is allowed each second.
        now: the time in seconds.
    """

    def __init__(self, per_s: float, now: float) -> None:
        self._per_s, self._full = per_s, per_s * _BURST_S
        self._left, self._then = self._full, now

    def take(self, amount: float, now: float) -> bool:
        """Whether so much more is allowed."""
        self._left = min(self._full, self._left + (now - self._then) * self._per_s)
        self._then = now
        if amount > self._left:
            return False
        self._left -= amount
        return True


class _Member:
    """One side of a call: what waits to be sent to it."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket = socket
        self._waiting: deque[bytes | str] = deque(maxlen=_QUEUE)
        self._some = anyio.Event()

    def put(self, message: bytes | str) -> None:
        """Send it when the member takes it."""
        self._waiting.append(message)
        self._some.set()

    def tell(self, event: str, **facts: object) -> None:
        """Say what has happened. It is said after all else that waits, which nobody needs any more."""
        self._waiting.clear()
        self.put(json.dumps({"event": event, **facts}))

    async def send_all(self) -> None:
        """Send what comes, until the connection ends."""
        with suppress(WebSocketDisconnect, RuntimeError, OSError):
            while True:
                await self._some.wait()
                self._some = anyio.Event()
                while self._waiting:
                    message = self._waiting.popleft()
                    if isinstance(message, str):
                        await self.socket.send_text(message)
                    else:
                        await self.socket.send_bytes(message)


class Relay:
    """All rooms of a server.

    Args:
        limits: of rooms, messages and rates.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rooms: dict[str, list[_Member]] = {}

    async def endpoint(self, socket: WebSocket) -> None:
        """For starlette: a page that wants into the room that the path names."""
        name = socket.path_params["room"]
        await socket.accept()
        refusal = self._refusal(name)
        if refusal is not None:
            await socket.close(*refusal)
            return
        member = _Member(socket)
        members = self._rooms.setdefault(name, [])
        members.append(member)
        if len(members) == 2:
            members[0].tell("together", first=True)
            member.tell("together", first=False)
        else:
            member.tell("alone")
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(member.send_all)
                await self._relay(name, member)
                group.cancel_scope.cancel()
        finally:
            self._leave(name, member)

    def _refusal(self, name: str) -> tuple[int, str] | None:
        if ROOM.fullmatch(name) is None:
            return BAD_NAME, "a room's name has 1 to 64 letters, digits, hyphens and underscores"
        if len(self._rooms.get(name, [])) >= 2:
            return FULL, "two are in this room already: choose another name"
        if name not in self._rooms and len(self._rooms) >= self._limits.rooms:
            return NO_ROOM, f"{counted(self._limits.rooms, 'call is', 'calls are')} here already: try again later"
        return None

    async def _relay(self, name: str, member: _Member) -> None:
        """Pass on what a member sends, until it leaves or is sent away."""
        limits, socket, now = self._limits, member.socket, anyio.current_time()
        messages, volume = Bucket(limits.messages_per_s, now), Bucket(limits.bytes_per_s, now)
        with suppress(WebSocketDisconnect, RuntimeError):
            while True:
                message = await socket.receive()
                if message["type"] == "websocket.disconnect":
                    return
                data, now = message.get("bytes"), anyio.current_time()
                if data is None or len(data) > limits.message_bytes:
                    await socket.close(TOO_LARGE, f"messages are binary, of {limits.message_bytes} bytes at most")
                    return
                if not (messages.take(1, now) and volume.take(len(data), now)):
                    await socket.close(TOO_MUCH, "messages come too fast for a call")
                    return
                for other in self._rooms[name]:
                    if other is not member:
                        other.put(data)

    def _leave(self, name: str, member: _Member) -> None:
        members = self._rooms[name]
        members.remove(member)
        if not members:
            del self._rooms[name]
        for other in members:
            other.tell("left")
