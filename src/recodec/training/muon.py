"""Muon: steps of momentum made orthogonal, for the matrices inside a network (Jordan et al., 2024).

`torch.optim.Muon` takes single matrices and works in bfloat16, which a CPU without it makes 20 times slower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

# Of the quintic that drives singular values from (0, 1] to about 1 in five steps (Jordan et al., 2024).
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_STEPS = 5


class Muon(torch.optim.Optimizer):
    """Each step goes along the nearest semi-orthogonal matrix to the gradient's momentum: all directions count alike.

    The step of a (..., m, n) parameter is `learning_rate * 0.2 * sqrt(max(m, n))` times that matrix, which makes its
    root mean square as large as Adam's steps commonly are (Liu et al., arXiv 2502.16982), whatever the shape.

    Args:
        parameters: matrices, or stacks of matrices (..., m, n), each of which is taken by itself. A parameter whose
            n is three times m holds three matrices side by side (query, key and value).
        learning_rate: of a step.
        momentum: share of the old momentum in the new, with Nesterov's look ahead.

    Raises:
        ValueError: for a parameter that is not a matrix.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], learning_rate: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": learning_rate, "momentum": momentum})
        for parameter in self.param_groups[0]["params"]:
            if parameter.ndim < 2:
                raise ValueError(f"Muon takes matrices, got a parameter of shape {tuple(parameter.shape)}")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One step; parameters without a gradient stay."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                mean = state.setdefault("momentum", torch.zeros_like(parameter))
                mean.lerp_(parameter.grad, 1 - group["momentum"])
                ahead = parameter.grad.lerp(mean, group["momentum"])
                parameter.add_(_direction(ahead), alpha=-group["lr"])
        return loss


def orthogonalize(matrix: torch.Tensor) -> torch.Tensor:
    """(..., m, n) to about the nearest semi-orthogonal matrices: U S V^T to U V^T, singular values in 0.7 to 1.2.

    Newton-Schulz iteration; directions far below the largest singular value stay smaller.
    """
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if tall else matrix
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-12)
    a, b, c = _COEFFICIENTS
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


def _direction(momentum: torch.Tensor) -> torch.Tensor:
    rows, columns = momentum.shape[-2:]
    parts = momentum.chunk(3, -1) if columns == 3 * rows else (momentum,)
    return torch.cat([0.2 * max(part.shape[-2:]) ** 0.5 * orthogonalize(part) for part in parts], dim=-1)
