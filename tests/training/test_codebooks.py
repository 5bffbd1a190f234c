"""Codebook learning: k-means, moving averages, dead codes, and the gradients around them."""

from itertools import pairwise

import pytest
import torch

from recodec import presets
from recodec.model.quantizer import Codebook, ResidualVectorQuantizer
from recodec.training.codebooks import CodebookLearner, CodebookLearning, kmeans, quantize_for_training


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _quantizer() -> ResidualVectorQuantizer:
    torch.manual_seed(0)
    quantizer = ResidualVectorQuantizer(presets.tiny())
    for book in quantizer.codebooks:
        book.embed.normal_()
    return quantizer


def test_kmeans_finds_separate_clusters() -> None:
    torch.manual_seed(1)
    centres = torch.tensor([[10.0, 0.0], [0.0, 10.0], [-10.0, -10.0]])
    vectors = centres.repeat_interleave(50, 0) + 0.1 * torch.randn(150, 2)
    found, counts = kmeans(vectors, 3, 20, _generator())
    distance = torch.cdist(centres, found)
    assert sorted(distance.argmin(1).tolist()) == [0, 1, 2]
    assert float(distance.min(1).values.max()) < 0.1
    assert counts.tolist() == [50, 50, 50]


def test_kmeans_refuses_too_few_vectors() -> None:
    with pytest.raises(ValueError, match="needs as many vectors"):
        kmeans(torch.zeros(3, 2), 4, 1, _generator())


def test_start_lowers_the_error_level_by_level() -> None:
    quantizer = _quantizer()
    latents = torch.randn(512, 16)
    CodebookLearner(quantizer, CodebookLearning(kmeans_iterations=10), _generator()).start(latents)
    residual, errors = latents, [float(latents.square().mean())]
    for book in quantizer.codebooks:
        residual = residual - book.lookup(book.nearest(residual))
        errors.append(float(residual.square().mean()))
    assert all(later < earlier for earlier, later in pairwise(errors))
    assert errors[-1] < 0.3 * errors[0]


def test_update_is_the_moving_average_of_the_definition() -> None:
    settings = CodebookLearning(decay=0.9, dead_below=0.0, dead_batch_vectors=6)
    book = Codebook(2, 1)
    book.embed.copy_(torch.tensor([[0.0], [10.0]]))
    book.cluster_size.copy_(torch.tensor([2.0, 4.0]))
    book.embed_avg.copy_(torch.tensor([[0.0], [40.0]]))
    vectors = torch.tensor([[1.0], [9.0], [9.0]])
    codes = torch.tensor([0, 1, 1])
    CodebookLearner(_quantizer(), settings, _generator()).update(book, vectors, codes)
    # Three vectors stand for a batch of six: each counts twice.
    counts = 0.9 * torch.tensor([2.0, 4.0]) + 0.1 * torch.tensor([2.0, 4.0])
    sums = 0.9 * torch.tensor([0.0, 40.0]) + 0.1 * torch.tensor([2.0, 36.0])
    torch.testing.assert_close(book.cluster_size, counts)
    torch.testing.assert_close(book.embed[:, 0], sums / counts, atol=1e-4, rtol=1e-4)


def test_a_dead_code_moves_into_the_batch_and_stays_there() -> None:
    settings = CodebookLearning(dead_below=0.5, dead_batch_vectors=8)
    book = Codebook(2, 1)
    book.embed.copy_(torch.tensor([[5.0], [100.0]]))
    book.cluster_size.copy_(torch.tensor([8.0, 0.1]))
    book.embed_avg.copy_(torch.tensor([[40.0], [10.0]]))
    vectors = torch.full((8, 1), 5.0) + torch.arange(8.0)[:, None] / 10
    learner = CodebookLearner(_quantizer(), settings, _generator())
    assert learner.update(book, vectors, book.nearest(vectors)) == 1
    assert 5.0 <= float(book.embed[1]) <= 5.7
    assert learner.update(book, vectors, book.nearest(vectors)) == 0
    assert 4.9 <= float(book.embed[1]) <= 5.8


def test_straight_through_gradient_and_commitment() -> None:
    quantizer = _quantizer()
    latents = torch.randn(2, 16, 5, requires_grad=True)
    quantized, commitment, used = quantize_for_training(quantizer, latents, 3)
    codes = quantizer.quantize(latents.detach(), 3)
    torch.testing.assert_close(quantized, quantizer.dequantize(codes))
    assert torch.equal(torch.stack([c.view(2, 5) for _, c in used], 1), codes)
    (through,) = torch.autograd.grad(quantized.sum(), latents, retain_graph=True)
    assert torch.equal(through, torch.ones_like(latents))
    # d/dz of the mean over levels of mse(residual, entry): each level's residual is z minus constants.
    (pull,) = torch.autograd.grad(commitment, latents)
    residuals = torch.stack([r for r, _ in used])
    entries = torch.stack([book.lookup(c) for book, (_, c) in zip(quantizer.codebooks, used, strict=False)])
    expected = (2 * (residuals - entries) / latents.numel()).mean(0).view(2, 5, 16).transpose(1, 2)
    torch.testing.assert_close(pull, expected)
