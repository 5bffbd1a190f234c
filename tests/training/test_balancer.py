"""The balancer gives each loss its share of the output's gradient."""

import pytest
import torch

from recodec.training.balancer import Balancer


def _losses(output: torch.Tensor, scales: tuple[float, float]) -> dict[str, torch.Tensor]:
    # Two losses whose gradients point along different axes of each item.
    return {"t": scales[0] * output[:, 0].sum(), "f": scales[1] * output[:, 1].sum()}


@pytest.mark.parametrize("scales", [(10.0, 0.1), (1e-4, 1e4), (1.0, 1.0)])
def test_shares_do_not_depend_on_the_scale_of_the_losses(scales: tuple[float, float]) -> None:
    output = torch.zeros(3, 2, requires_grad=True)
    gradient = Balancer({"t": 1.0, "f": 3.0}).gradient(_losses(output, scales), output)
    torch.testing.assert_close(gradient, torch.tensor([[0.25, 0.75]]).expand(3, 2))


def test_reference_norm_scales_the_whole() -> None:
    output = torch.zeros(1, 2, requires_grad=True)
    gradient = Balancer({"t": 1.0, "f": 1.0}, reference_norm=4.0).gradient(_losses(output, (5.0, 7.0)), output)
    torch.testing.assert_close(gradient, torch.tensor([[2.0, 2.0]]))


def test_norms_are_moving_averages_corrected_for_their_start() -> None:
    balancer = Balancer({"t": 1.0}, decay=0.5)
    output = torch.zeros(1, 2, requires_grad=True)
    balancer.gradient({"t": 1.0 * output[:, 0].sum()}, output)
    gradient = balancer.gradient({"t": 4.0 * output[:, 0].sum()}, output)
    average = (0.5 * 1.0 + 4.0) / 1.5
    torch.testing.assert_close(gradient, torch.tensor([[4.0 / average, 0.0]]))


def test_state_survives_a_round_trip() -> None:
    first, second = Balancer({"t": 1.0}, decay=0.9), Balancer({"t": 1.0}, decay=0.9)
    output = torch.zeros(1, 2, requires_grad=True)
    for scale in (1.0, 3.0):
        first.gradient({"t": scale * output[:, 0].sum()}, output)
    second.load_state_dict(first.state_dict())
    losses = {"t": 2.0 * output[:, 0].sum()}
    assert torch.equal(first.gradient(losses, output), second.gradient(losses, output))
