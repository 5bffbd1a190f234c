"""When two results count as the same."""

from __future__ import annotations

import torch

from recodec.model.encodec import EncodecModel

TOLERANCE = 1e-5  # of the largest value; float32 sums in another order differ by less
TIE = 1e-4  # of a distance: how near two entries must be for either to be right


def relative_error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Largest difference as a fraction of the largest value."""
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    if ours.numel() == 0:
        return 0.0
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-12))


def assert_close(ours: torch.Tensor, theirs: torch.Tensor, tolerance: float = TOLERANCE) -> None:
    """Equal but for rounding."""
    error = relative_error(ours, theirs)
    assert error <= tolerance, f"{error:.2e} off"


def assert_same_codes(model: EncodecModel, latents: torch.Tensor, ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """Equal but for ties: (B, K, F) codes of (B, D, F) latents.

    Where two codes differ for the first time in a frame, both entries must be as near as each other
    to what is left of the latent. The levels after it quantize different remainders and do not count.
    """
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    residual = latents.transpose(1, 2).double()
    decided = torch.ones(ours.shape[0], ours.shape[2], dtype=torch.bool)
    for book, a, b in zip(model.quantizer.codebooks, ours.unbind(1), theirs.unbind(1), strict=False):
        embed = book.embed.double()
        to_a, to_b = ((residual - embed[index]).square().sum(-1) for index in (a, b))
        tied = (to_a - to_b).abs() <= TIE * to_a.clamp(min=1e-12)
        assert bool((tied | ~decided | (a == b)).all()), "codes differ, and not by a tie"
        decided &= a == b
        residual = residual - embed[b]
