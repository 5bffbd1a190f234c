"""Muon: what the direction of a step is, and torch's own Muon as a peer."""

from __future__ import annotations

import pytest
import torch

from recodec.training.muon import Muon, orthogonalize


@pytest.mark.parametrize("shape", [(8, 8), (5, 12), (12, 5), (3, 12, 5)])
def test_singular_values_come_near_one(shape: tuple[int, ...]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, s, v = torch.linalg.svd(matrix, full_matrices=False)
    assert float(s.max() / s.min()) > 2
    found = orthogonalize(matrix)
    values = torch.linalg.svdvals(found)
    assert float(values.min()) > 0.65
    assert float(values.max()) < 1.25
    # The same singular vectors: what is left in their basis is diagonal.
    inside = u.mT @ found @ v.mT
    assert float((inside - torch.diag_embed(inside.diagonal(dim1=-2, dim2=-1))).abs().max()) < 1e-4


def test_the_size_of_the_gradient_does_not_matter() -> None:
    matrix = torch.randn(6, 9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(orthogonalize(matrix), orthogonalize(1e-6 * matrix), rtol=1e-3, atol=1e-5)
    assert not orthogonalize(torch.zeros(4, 4)).any()


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon")
@pytest.mark.parametrize("shape", [(16, 40), (40, 16)])
def test_steps_as_torchs_own_does(shape: tuple[int, ...]) -> None:
    """Which works in bfloat16: three digits."""
    random = torch.Generator().manual_seed(2)
    start = torch.randn(shape, generator=random)
    ours, peer = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    optimizers = (
        Muon([ours], 1e-2, momentum=0.9),
        torch.optim.Muon([peer], lr=1e-2, momentum=0.9, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
    )
    for _ in range(4):
        ours.grad = torch.randn(shape, generator=random)
        peer.grad = ours.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    moved, expected = ours.detach() - start, peer.detach() - start
    assert float((moved - expected).norm() / expected.norm()) < 0.03


def test_stacks_and_query_key_value_are_taken_apart() -> None:
    random = torch.Generator().manual_seed(3)
    gradients = torch.randn(3, 8, 8, generator=random)
    stack, beside = torch.nn.Parameter(torch.zeros(3, 8, 8)), torch.nn.Parameter(torch.zeros(8, 24))
    stack.grad, beside.grad = gradients, torch.cat(list(gradients), dim=1)
    Muon([stack, beside], 0.1).step()
    torch.testing.assert_close(torch.cat(list(stack.detach()), dim=1), beside.detach())
    alone = torch.nn.Parameter(torch.zeros(8, 8))
    alone.grad = gradients[1]
    Muon([alone], 0.1).step()
    torch.testing.assert_close(stack.detach()[1], alone.detach())


def test_vectors_are_refused_and_parameters_without_gradient_stay() -> None:
    with pytest.raises(ValueError, match="shape"):
        Muon([torch.nn.Parameter(torch.zeros(3))], 0.1)
    still = torch.nn.Parameter(torch.ones(3, 3))
    Muon([still], 0.1).step()
    assert torch.equal(still.detach(), torch.ones(3, 3))
