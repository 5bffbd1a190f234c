"""Moving average of a model's weights: what is evaluated and kept, smoother than the weights of any one update."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class WeightAverage:
    """w' = d w' + (1 - d) w after each update, d being the smaller of `decay` and (1 + n) / (10 + n) at update n.

    Buffers, such as codebooks, which are moving averages already, are not averaged.

    Args:
        model: whose parameters are followed.
        decay: of the average; 0 to follow the weights as they are.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model, self._decay = model, decay
        self._updates = 0
        self._average = [parameter.detach().clone() for parameter in model.parameters()]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the model's weights."""
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates)) if self._decay else 0.0
        self._updates += 1
        for average, parameter in zip(self._average, self._model.parameters(), strict=True):
            average.lerp_(parameter.detach(), 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[nn.Module]:
        """The model with the averaged weights, for the time of a `with` block."""
        parameters = [p.data for p in self._model.parameters()]
        own = [data.clone() for data in parameters]
        try:
            for data, average in zip(parameters, self._average, strict=True):
                data.copy_(average)
            yield self._model
        finally:
            for data, mine in zip(parameters, own, strict=True):
                data.copy_(mine)

    def state_dict(self) -> dict[str, object]:
        """The averages, in the order of the model's parameters."""
        return {"updates": self._updates, "average": self._average}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on."""
        self._updates = int(state["updates"])  # type: ignore[call-overload]
        for mine, saved in zip(self._average, state["average"], strict=True):  # type: ignore[call-overload]
            mine.copy_(saved)
