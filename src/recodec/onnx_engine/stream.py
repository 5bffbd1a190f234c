"""A network fed in pieces of any size, by graphs that take whole units only. State is a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from .plan import Phase, StreamPlan
from .sessions import Session, Sessions

_FEWEST_UNITS = 8  # below that, what each node of a graph costs by itself outweighs what smaller arrays save


@dataclass(frozen=True)
class StreamState:
    """State of a batch of streams.

    Attributes:
        held: (B, C, T) input that no push has consumed yet.
        past: what the graph carries from push to push; `None` before the first push into it.
    """

    held: np.ndarray
    past: tuple[np.ndarray, ...] | None = None


class StreamedNetwork:
    """Encoder or decoder of a model.

    Args:
        sessions: of the model.
        part: the first part of its graphs' names.
        plan: how its streams are cut.
        ends: names of what it takes and what it makes.
        empty: (1, C, 0), what it makes of nothing.
        at_once: the most units of all streams of a batch that the graphs take at once, for speed; `None` for any.
    """

    def __init__(
        self, sessions: Sessions, part: str, plan: StreamPlan, ends: tuple[str, str], empty: np.ndarray,
        at_once: int | None = None,
    ) -> None:  # fmt: skip
        self._sessions = sessions
        self._part = part
        self._plan = plan
        self._input, self._output = ends
        self._empty = empty
        self._at_once = at_once

    def whole(self, x: np.ndarray, **others: np.ndarray) -> np.ndarray:
        """The result for an input that is all of its stream; `others` are further inputs by name."""
        session = self._session(Phase.WHOLE)
        return session.run([self._output], {self._input: x, **others})[0]

    def step(
        self, x: np.ndarray, state: StreamState, *, last: bool, **others: np.ndarray
    ) -> tuple[np.ndarray, StreamState]:
        """Push a piece of any size; returns what has become final, and the next state."""
        past = state.past
        if state.held.shape[-1]:
            x = _join(state.held, x)
        most, parts = self._most_steps(x.shape[0]), []
        while most is not None and x.shape[-1] > most:
            y, past, taken = self._advance(x[..., :most], past, others)
            parts.append(y)
            x = x[..., taken:]
        if last:
            y, taken = self._finish(x, past, others), x.shape[-1]
        else:
            y, past, taken = self._advance(x, past, others)
        parts.append(y)
        whole = np.concatenate(parts, axis=-1) if len(parts) > 1 else y
        return whole, StreamState(x[..., taken:].copy(), past)  # a copy: the caller's array may change

    def _most_steps(self, batch: int) -> int | None:
        """Input steps of one push of a batch; `None` for any number."""
        if self._at_once is None:
            return None
        # Fewer units than a first push needs would never be taken, and the loop in `step` would not end.
        return self._plan.unit * max(self._plan.first + self._plan.tail, _FEWEST_UNITS, self._at_once // batch)

    def _advance(
        self, x: np.ndarray, past: tuple[np.ndarray, ...] | None, others: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...] | None, int]:
        """Push the whole units of an input, if there are enough; returns the output, what is past now, and the steps
        that were taken."""
        units = x.shape[-1] // self._plan.unit - self._plan.tail
        if units < (self._plan.first if past is None else 1):
            return self._nothing(x), past, 0
        taken = units * self._plan.unit
        return *self._run(x[..., :taken], past, others), taken

    def _finish(
        self, x: np.ndarray, past: tuple[np.ndarray, ...] | None, others: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        plan, size = self._plan, x.shape[-1]
        if size == 0 and (past is None or not plan.flush):
            return self._nothing(x)
        if past is None:
            return self.whole(x, **others)
        # Whole units need nothing at their end, so the graph of the middle serves, which is loaded already.
        if size % plan.unit == 0 and not plan.tail and not plan.flush:
            return self._run(x, past, others)[0]
        session = self._session(Phase.END)
        return session.run([self._output], self._feed(session, x, past, others))[0]

    def _run(
        self, x: np.ndarray, past: tuple[np.ndarray, ...] | None, others: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """Push whole units into a stream that goes on."""
        states = self._session(Phase.STEP).states
        if past is None and self._plan.start is Phase.STEP:
            past = tuple(spec.zeros(x.shape[0]) for spec in states)
        session = self._session(self._plan.start if past is None else Phase.STEP)
        # States are named and ordered alike in all graphs of a stream, so those of one graph feed the next.
        names = [self._output, *(f"{spec.name}.next" for spec in states)]
        y, *after = session.run(names, self._feed(session, x, past or (), others))
        return y, tuple(after)

    def _feed(
        self, session: Session, x: np.ndarray, past: tuple[np.ndarray, ...], others: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        feed = {spec.name: array for spec, array in zip(session.states, past, strict=True)}
        return {**feed, **others, self._input: x}

    def select(self, state: StreamState, rows: Sequence[int]) -> StreamState:
        """State of some of the batch's streams."""
        index = np.asarray(rows, np.intp)
        past = state.past
        if past is not None:
            states = self._session(Phase.STEP).states
            past = tuple(a.take(index, spec.batch_axis) for spec, a in zip(states, past, strict=True))
        return StreamState(state.held[index], past)

    def stack(self, states: Sequence[StreamState]) -> StreamState:
        """State of several batches of streams as that of one batch.

        Raises:
            ConfigError: if there are none, or they are not equally far: some before their first output and
                others after it, or with inputs of different lengths held.
        """
        phases = {(state.past is None, state.held.shape[1:]) for state in states}
        if len(phases) != 1:
            raise ConfigError("only streams that are equally far within a frame can be stacked")
        held = np.concatenate([state.held for state in states])
        if states[0].past is None:
            return StreamState(held)
        pasts = zip(*(state.past for state in states if state.past is not None), strict=True)
        specs = self._session(Phase.STEP).states
        return StreamState(held, tuple(np.concatenate(p, s.batch_axis) for s, p in zip(specs, pasts, strict=True)))

    def _session(self, phase: Phase) -> Session:
        return self._sessions.get(f"{self._part}.{phase.value}")

    def _nothing(self, x: np.ndarray) -> np.ndarray:
        return np.repeat(self._empty, x.shape[0], axis=0)


def _join(held: np.ndarray, x: np.ndarray) -> np.ndarray:
    if held.shape[1] != x.shape[1]:
        raise ConfigError(f"a stream of {held.shape[1]} codebooks goes on with {x.shape[1]} before its first output")
    return np.concatenate([held, x], axis=-1)
