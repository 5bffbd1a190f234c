"""A body that is read while it comes is read to its last byte."""

from __future__ import annotations

from contextlib import suppress

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

pytest.importorskip("starlette", reason="needs the extra recodec[serve]")


class Late:
    """An event that is set in the moment in which a thread asks for it."""

    def __init__(self, event: anyio.Event, bring_about: anyio.Event) -> None:
        self._event, self._bring_about = event, bring_about
        self.set, self.wait = event.set, event.wait

    def is_set(self) -> bool:
        with suppress(RuntimeError):  # where the loop itself asks
            anyio.from_thread.run(self._come)
        return self._event.is_set()

    async def _come(self) -> None:
        self._bring_about.set()
        await self._event.wait()


def test_the_last_bytes_that_come_while_a_thread_reads_are_not_lost() -> None:
    from recodec.serve import Limits
    from recodec.serve.body import Body
    from recodec.serve.turns import Turn

    found: list[bytes] = []

    async def main() -> None:
        comes = anyio.Event()

        async def receive() -> dict:
            await comes.wait()
            if body.ended.is_set():
                await anyio.sleep_forever()
            return {"type": "http.request", "body": b"the end", "more_body": False}

        with anyio.fail_after(20), Body({"headers": []}, receive, Limits()) as body:
            turn = Turn(anyio.CapacityLimiter(1))
            await turn.take()
            pipe = body.open(turn)
            body.ended = Late(body.ended, comes)  # pyright: ignore[reportAttributeAccessIssue]
            async with anyio.create_task_group() as group:
                group.start_soon(body.keep)
                found.append(await anyio.to_thread.run_sync(pipe.read))
                group.cancel_scope.cancel()

    anyio.run(main)
    assert found == [b"the end"]
