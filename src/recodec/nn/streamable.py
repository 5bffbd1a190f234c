"""Streaming state as a value.

A layer remembers nothing. Its state goes into `step` and a new one comes out, so a stream can be
copied, forked, saved or batched by handling values, and no reset can be forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from ..errors import ConfigError

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


def select_streams(state: State, rows: torch.Tensor, axis: int = 0) -> State:
    """The state of some streams of a batch: row i of the result is stream `rows[i]`.

    Args:
        state: of one layer.
        rows: (B',) int64.
        axis: where the batch is in the layer's tensors (1 in an LSTM's, 0 in all others).
    """
    if isinstance(state, torch.Tensor):
        return state.index_select(axis, rows)
    if isinstance(state, tuple):
        return tuple(select_streams(part, rows, axis) for part in state)
    return state


def stack_streams(states: Sequence[State], axis: int = 0) -> State:
    """One state for the batch of all streams of several states, in their order. The reverse of `select_streams`.

    Raises:
        ConfigError: for streams that are not equally far: one waits for its start or holds other samples than
            another, so no single step could serve both.
    """
    first = states[0]
    if all(isinstance(state, torch.Tensor) for state in states):
        if len({state.shape[-1] for state in states}) > 1:
            raise ConfigError("streams can be batched only where they hold equally many samples")
        return torch.cat(list(states), dim=axis)
    if all(isinstance(state, tuple) and len(state) == len(first) for state in states):
        return tuple(stack_streams(parts, axis) for parts in zip(*states, strict=True))
    if any(state is not first and state != first for state in states):
        raise ConfigError("streams can be batched only where all are at their start, or all beyond it")
    return first
