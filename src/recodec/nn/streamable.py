"""Streaming state as a value.

A layer remembers nothing. Its state goes into `step` and a new one comes out, so a stream can be
copied, forked, saved or batched by handling values, and no reset can be forgotten.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch

State = Any
"""What a layer carries from push to push: `None` (nothing), a tensor, or a tuple of states."""


class Streamable(Protocol):
    """A map over time that can be fed in pieces.

    `step(x, state, last)` takes (B, C, T) with any T of 0 or more and returns what has become
    final, of length 0 if nothing has, with the next state. `last=True` adds the padding of the end;
    after it the stream is over. One push with `last=True` from a fresh state is the offline result.
    """

    def init_state(self, batch: int) -> State: ...

    def step(self, x: torch.Tensor, state: State, *, last: bool = False) -> tuple[torch.Tensor, State]: ...
