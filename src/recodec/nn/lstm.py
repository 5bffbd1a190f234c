"""An LSTM that `torch.compile` can take into one graph.

Dynamo refuses `nn.LSTM`: it breaks the graph there, and with `fullgraph=True` it fails. This module has
the same parameters and numbers. Without gradients it shows the compiler a single operator, so that the
fast kernels (oneDNN, cuDNN) run in compiled models as well; with gradients the graph breaks as before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn

_Outputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class LstmStack(nn.RNNBase):
    """`nn.LSTM(size, size, num_layers)`, with a state that is always given."""

    def __init__(self, size: int, num_layers: int) -> None:
        super().__init__("LSTM", size, size, num_layers)

    def init_state(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Zeros for the batch, precision and device of frames (F, B, C): two of (layers, B, C)."""
        zeros = like.new_zeros(self.num_layers, like.shape[1], self.hidden_size)
        return zeros, zeros

    def forward(
        self, frames: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Frames (F, B, C) and state to outputs (F, B, C) and the next state."""
        run: Callable[..., _Outputs] = _lstm
        if torch.compiler.is_compiling():
            # `disable` is not called when this file is read: it would import the whole compiler.
            run = cast("Any", torch.compiler.disable(_lstm)) if torch.is_grad_enabled() else _operator
        y, h, c = run(frames, *state, list(self.parameters()))
        return y, (h, c)


def _lstm(frames: torch.Tensor, h: torch.Tensor, c: torch.Tensor, weights: list[torch.Tensor]) -> _Outputs:
    return torch.lstm(frames, (h, c), weights, True, h.shape[0], 0.0, False, False, False)


_operator = torch.library.custom_op(
    "recodec::lstm",
    _lstm,
    mutates_args=(),
    schema="(Tensor frames, Tensor h, Tensor c, Tensor[] weights) -> (Tensor, Tensor, Tensor)",
)


@_operator.register_fake
def _(frames: torch.Tensor, h: torch.Tensor, c: torch.Tensor, weights: list[torch.Tensor]) -> _Outputs:
    return frames.new_empty(frames.shape), h.new_empty(h.shape), c.new_empty(c.shape)
