"""Streaming state as a value.

A layer remembers nothing. Its state goes into `step` and a new one comes out, so a stream can be
copied, forked, saved or batched by handling values, and no reset can be forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, cast

import torch

from ..errors import ConfigError

StateT = TypeVar("StateT")
"""What a layer carries from push to push: nothing (`None`), a tensor, or a tuple of states."""


class Streamable(Protocol[StateT]):
    """A map over time that can be fed in pieces.

    `step(x, state, last)` takes (B, C, T) with any T of 0 or more and returns what has become
    final, of length 0 if nothing has, with the next state. `last=True` adds the padding of the end;
    after it the stream is over. One push with `last=True` from a fresh state is the offline result.
    """

    def init_state(self, batch: int) -> StateT: ...

    def step(self, x: torch.Tensor, state: StateT, *, last: bool = False) -> tuple[torch.Tensor, StateT]: ...


def select_streams(state: StateT, rows: torch.Tensor, axis: int = 0) -> StateT:
    """The state of some streams of a batch: row i of the result is stream `rows[i]`.

    Args:
        state: of one layer.
        rows: (B',) int64.
        axis: where the batch is in the layer's tensors (1 in an LSTM's, 0 in all others).
    """
    return cast("StateT", _select(state, rows, axis))


def stack_streams(states: Sequence[StateT], axis: int = 0) -> StateT:
    """One state for the batch of all streams of several states, in their order. The reverse of `select_streams`.

    Raises:
        ConfigError: for streams that are not equally far: one waits for its start or holds other samples than
            another, so no single step could serve both.
    """
    return cast("StateT", _stack(list(states), axis))


def _select(state: Any, rows: torch.Tensor, axis: int) -> Any:
    if isinstance(state, torch.Tensor):
        return state.index_select(axis, rows)
    if isinstance(state, tuple):
        return tuple(_select(part, rows, axis) for part in state)
    return state


def _stack(states: list[Any], axis: int) -> Any:
    first = states[0]
    if all(isinstance(state, torch.Tensor) for state in states):
        if len({(*state.shape[:axis], *state.shape[axis + 1 :]) for state in states}) > 1:
            raise ConfigError("streams can be batched only where they hold equally many samples")
        return torch.cat(states, dim=axis)
    if all(isinstance(state, tuple) and len(state) == len(first) for state in states):
        return tuple(_stack(list(parts), axis) for parts in zip(*states, strict=True))
    # What is left is `None`, flags and counts, which a batch holds once for all of its streams.
    if any(state is not first and state != first for state in states):
        raise ConfigError("streams can be batched only where all are at their start, or all beyond it")
    return first
