"""An LSTM that `torch.compile` can take into one graph.

Dynamo refuses `nn.LSTM` and its subclasses: it breaks the graph there, and with `fullgraph=True` it fails. This
module has the same parameters and numbers. Without gradients it shows the compiler a single operator, so that the
fast kernels (oneDNN, cuDNN) run in compiled models as well; with gradients the graph breaks as before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn

_Outputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class _LookedUpAsLstm(type):
    """Makes a class equal to `nn.LSTM` where a table of classes is asked for it.

    `torch.ao.quantization.quantize_dynamic(model, {nn.LSTM})` finds modules by their exact class. It leaves out, and
    does not say so, an LSTM that is only like `nn.LSTM`.
    """

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is nn.LSTM

    def __hash__(cls) -> int:
        return hash(nn.LSTM)


class LstmStack(nn.RNNBase, metaclass=_LookedUpAsLstm):
    """`nn.LSTM(size, size, num_layers)`."""

    def __init__(self, size: int, num_layers: int) -> None:
        super().__init__("LSTM", size, size, num_layers)

    def forward(
        self, frames: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Frames (F, B, C) and state, two of (layers, B, C) or `None` for zeros, to outputs and the next state."""
        if state is None:
            zeros = frames.new_zeros(self.num_layers, frames.shape[1], self.hidden_size)
            state = zeros, zeros
        run: Callable[..., _Outputs] = _lstm
        if torch.compiler.is_compiling():
            # `disable` is not called when this file is read: it would import the whole compiler.
            run = cast("Any", torch.compiler.disable(_lstm)) if torch.is_grad_enabled() else _operator
        y, h, c = run(frames, *state, list(self.parameters()))
        return y, (h, c)


def _lstm(frames: torch.Tensor, h: torch.Tensor, c: torch.Tensor, weights: list[torch.Tensor]) -> _Outputs:
    num_layers = len(weights) // 4  # and not of `h`: to an exporter the shape of a tensor is not a constant
    return torch.lstm(frames, (h, c), weights, True, num_layers, 0.0, False, False, False)


_operator = torch.library.custom_op(
    "recodec::lstm",
    _lstm,
    mutates_args=(),
    schema="(Tensor frames, Tensor h, Tensor c, Tensor[] weights) -> (Tensor, Tensor, Tensor)",
)


@_operator.register_fake
def _(frames: torch.Tensor, h: torch.Tensor, c: torch.Tensor, weights: list[torch.Tensor]) -> _Outputs:
    return frames.new_empty(frames.shape), h.new_empty(h.shape), c.new_empty(c.shape)
