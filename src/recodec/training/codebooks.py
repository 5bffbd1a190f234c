"""How codebooks learn (paper section 3.2): k-means start, moving averages, revival of dead codes.

The model's `Codebook` only looks things up; everything here acts on its buffers from outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from ..model.quantizer import Codebook, ResidualVectorQuantizer
from . import parallel


@dataclass(frozen=True)
class CodebookLearning:
    """Settings of the codebook updates.

    Attributes:
        decay: of the moving averages of counts and sums.
        epsilon: Laplace smoothing of the counts.
        kmeans_iterations: at the start.
        dead_below: a code is replaced when its moving count falls below this many vectors a batch of
            `dead_batch_vectors`. The paper's 2 is for its batches of 64 one-second crops; a smaller
            batch has a proportionally smaller threshold, or every code of it would count as dead.
        dead_batch_vectors: the batch, in vectors, that `dead_below` is meant for.
    """

    decay: float = 0.99
    epsilon: float = 1e-5
    kmeans_iterations: int = 50
    dead_below: float = 2.0
    dead_batch_vectors: int = 64 * 75


@torch.no_grad()
def kmeans(
    vectors: torch.Tensor, size: int, iterations: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Lloyd's algorithm from randomly drawn vectors.

    Args:
        vectors: (M, D), M of `size` or more.
        size: number N of centres.
        iterations: Lloyd steps.
        generator: draws the first centres, and new places for centres that lose all their vectors.

    Returns:
        (N, D) centres and (N,) counts.

    Raises:
        ValueError: with fewer vectors than centres.
    """
    if vectors.shape[0] < size:
        raise ValueError(f"k-means of {size} centres needs as many vectors, got {vectors.shape[0]}")
    centres = vectors[_draw(vectors.shape[0], size, generator)].clone()
    counts = vectors.new_zeros(size)
    for _ in range(iterations):
        nearest = _nearest(vectors, centres)
        counts, sums = _count_and_sum(nearest, vectors, size)
        lost = counts == 0
        centres = torch.where(lost[:, None], centres, sums / counts.clamp(min=1)[:, None])
        if bool(lost.any()):
            number = int(lost.sum())
            centres[lost] = vectors[_draw(vectors.shape[0], number, generator)]
    return centres, counts


class CodebookLearner:
    """Applies the updates of `CodebookLearning` to a quantizer's codebooks."""

    def __init__(
        self, quantizer: ResidualVectorQuantizer, settings: CodebookLearning, generator: torch.Generator
    ) -> None:
        self.quantizer = quantizer
        self.settings = settings
        self.generator = generator

    @torch.no_grad()
    def start(self, latents: torch.Tensor) -> None:
        """Set every codebook by k-means over what the ones before leave of (M, D) vectors, those of all processes."""
        residual = latents
        for codebook in self.quantizer.codebooks:
            size = codebook.embed.shape[0]
            centres, counts = kmeans(residual, size, self.settings.kmeans_iterations, self.generator)
            # Counts as they will stand after many batches of the usual size, not of this large one.
            counts = counts * (self.settings.dead_batch_vectors / latents.shape[0])
            codebook.embed.copy_(centres)
            codebook.cluster_size.copy_(counts)
            codebook.embed_avg.copy_(centres * counts[:, None])
            codebook.inited.fill_(1)
            residual = residual - codebook.lookup(codebook.nearest(residual))

    @torch.no_grad()
    def update(self, codebook: Codebook, vectors: torch.Tensor, codes: torch.Tensor) -> int:
        """Move one codebook towards the (M, D) vectors that chose its (M,) codes.

        Counts are kept per batch of `dead_batch_vectors`, so that a checkpoint's `cluster_size` means
        the same whatever batch it was trained with.

        Returns:
            the number of dead codes that were replaced by vectors of the batch.
        """
        s = self.settings
        scale = s.dead_batch_vectors / (vectors.shape[0] * parallel.size())
        counts, sums = map(parallel.all_reduce, _count_and_sum(codes, vectors, codebook.embed.shape[0]))
        codebook.cluster_size.mul_(s.decay).add_(counts, alpha=(1 - s.decay) * scale)
        codebook.embed_avg.mul_(s.decay).add_(sums, alpha=(1 - s.decay) * scale)
        total = codebook.cluster_size.sum()
        # Laplace smoothing: a code that no vector chose has a count above 0, so the division below is safe.
        smooth = (codebook.cluster_size + s.epsilon) / (total + codebook.embed.shape[0] * s.epsilon) * total
        codebook.embed.copy_(codebook.embed_avg / smooth[:, None])
        return self._revive(codebook, vectors)

    def _revive(self, codebook: Codebook, vectors: torch.Tensor) -> int:
        dead = codebook.cluster_size < self.settings.dead_below
        number = int(dead.sum())
        if number == 0:
            return 0
        vectors = parallel.all_gather(vectors)
        chosen = vectors[_draw(vectors.shape[0], number, self.generator)]
        # A revived code starts with an average share. Unless its averages are set as well as its
        # entry, the next update would put the old entry back.
        share = float(self.settings.dead_batch_vectors) / codebook.embed.shape[0]
        share = max(share, 2 * self.settings.dead_below)
        codebook.embed[dead] = chosen
        codebook.cluster_size[dead] = share
        codebook.embed_avg[dead] = chosen * share
        return number


def quantize_for_training(
    quantizer: ResidualVectorQuantizer, latents: torch.Tensor, num_quantizers: int, *, commit_all: bool = True
) -> tuple[torch.Tensor, torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
    """Quantize (B, D, F) with gradients (paper section 3.2).

    Args:
        quantizer: whose codebooks are taken as they are.
        latents: (B, D, F).
        num_quantizers: levels K to use.
        commit_all: whether every level has a commitment loss, or the first alone.

    Returns:
        the quantized latents, whose gradient passes straight through to `latents`; the commitment
        loss, mean over levels of |residual - entry|^2 with gradient to the residual only; and for each
        level the (M, D) residuals and (M,) codes that its codebook is updated from.
    """
    latents = latents.to(torch.promote_types(latents.dtype, torch.float32))  # half precision ends at the encoder
    residual = latents.transpose(1, 2)
    total = torch.zeros_like(residual)
    commitment = latents.new_zeros(())
    used = []
    for codebook in quantizer.codebooks[:num_quantizers]:
        codes = codebook.nearest(residual.detach())
        entry = codebook.lookup(codes)
        used.append((residual.detach().flatten(0, 1), codes.flatten()))
        # `used` has this level already, so at the first level it has one entry.
        if commit_all or not used[1:]:
            commitment = commitment + F.mse_loss(residual, entry)
        residual = residual - entry
        total = total + entry
    straight = latents + (total.transpose(1, 2) - latents).detach()
    return straight, commitment / (num_quantizers if commit_all else 1), used


def _nearest(vectors: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    return (vectors @ centres.t() - centres.square().sum(1) / 2).argmax(1)


def _count_and_sum(codes: torch.Tensor, vectors: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    counts = torch.bincount(codes, minlength=size).to(vectors.dtype)
    sums = vectors.new_zeros(size, vectors.shape[1]).index_add_(0, codes, vectors)
    return counts, sums


def _draw(total: int, number: int, generator: torch.Generator) -> torch.Tensor:
    """`number` indices below `total`, without repetition where there are enough."""
    if number <= total:
        return torch.randperm(total, generator=generator)[:number]
    return torch.randint(total, (number,), generator=generator)
