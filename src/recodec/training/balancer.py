"""The loss balancer (paper section 3.4, equation 4)."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from . import parallel


class Balancer:
    """Give each loss a chosen share of the gradient at the model's output, whatever the loss's own scale.

    With g_i the gradient of loss i with respect to the output and <|g_i|> the moving average of its
    norm, the model receives the sum of

        R * lambda_i / sum(lambda) * g_i / <|g_i|>

    so a weight lambda_i is the share of loss i in the gradient, and R its norm. The norm is taken for
    each item of the batch and averaged, over all processes. Precondition: each loss depends on the
    parameters through the output alone (a commitment loss does not, and stays outside).

    Example: weights {"t": 1, "f": 3}, losses whose gradients have norms 10 and 0.1. The output receives
    0.25 in the direction of the first and 0.75 in the direction of the second.

    Args:
        weights: lambda_i by the name of the loss.
        reference_norm: R.
        decay: of the moving average; the average is corrected for its start.
        anchor: name of a loss whose gradient stays as it is. R is then such that the gradient of another loss has
            lambda_i / lambda_anchor of its average norm. `None` for the paper's rule.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        *,
        reference_norm: float = 1.0,
        decay: float = 0.999,
        anchor: str | None = None,
    ) -> None:
        self.weights = dict(weights)
        self.anchor = anchor
        self.reference_norm = reference_norm
        self.decay = decay
        self._sums = dict.fromkeys(self.weights, 0.0)
        self._counts = dict.fromkeys(self.weights, 0.0)

    def gradient(self, losses: Mapping[str, torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        """The balanced gradient with respect to `output` (B, ...), to be fed to `output.backward`.

        Args:
            losses: scalars by name; names without a weight are an error. The anchor, if there is one, comes first.
            output: the tensor that they were computed from.
        """
        # Over the losses at hand: those of a discriminator join later, and shares are then of all of them.
        total = sum(self.weights[name] for name in losses)
        reference = self.reference_norm
        balanced = torch.zeros_like(output)
        for name, loss in losses.items():
            (gradient,) = torch.autograd.grad(loss, output, retain_graph=True)
            norm = self._average(
                name, float(parallel.mean(gradient.float().reshape(len(gradient), -1).norm(dim=1).mean()))
            )
            if name == self.anchor:
                # With this R the anchor's own factor, R * share / norm, is 1.
                reference = norm * total / self.weights[name]
                balanced += gradient
                continue
            share = self.weights[name] / total
            balanced += gradient * (reference * share / (norm + 1e-12))
        return balanced

    def _average(self, name: str, norm: float) -> float:
        # Sum and count decay alike, so their quotient is a mean from the first update on.
        self._sums[name] = self.decay * self._sums[name] + norm
        self._counts[name] = self.decay * self._counts[name] + 1.0
        return self._sums[name] / self._counts[name]

    @property
    def ratios(self) -> dict[str, float]:
        """The average norm of each loss's gradient, by its name: what the balancer divides by."""
        return {name: self._sums[name] / self._counts[name] for name in self.weights if self._counts[name]}

    def state_dict(self) -> dict[str, dict[str, float]]:
        """The moving averages."""
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state_dict(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Continue from saved averages."""
        self._sums.update(state["sums"])
        self._counts.update(state["counts"])
