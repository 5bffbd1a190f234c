"""Losses of a spectral decoder: distances of magnitudes, and one of phases that does not depend on the level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from .losses import MelScale

_TINY = 1e-10
_NUM_BINS = 64
_SILENCE = 1e-2


class SpectralLosses(nn.Module):
    """Mean over some windows of the distances of two signals, all from one transform of each at a window.

    With X and Y the spectra of target and estimate, S their mel spectrograms, f the floor, and means over bins, frames
    and items:

    - `mel`: |S(x) - S(y)|, and `log_mel`: the root of the mean square of log10(S(y) + f) - log10(S(x) + f) (paper
      section 3.4, equation 2, as `MultiScaleMelLoss`);
    - `magnitude`: |log10(|Y| + f) - log10(|X| + f)|;
    - `phase`: sum |X| (1 - cos(arg Y - arg X)) / sum |X|, of each item. A distance of waveforms or of complex spectra
      gets smaller where Y gets quieter, and so pulls the level down wherever the phase cannot be known. This one does
      not depend on |Y|.

    Args:
        sampling_rate_hz: of the audio.
        windows: of the transforms in samples; hops are a quarter of them.
        floor: magnitudes below it count as silence.
    """

    def __init__(self, sampling_rate_hz: int, windows: Sequence[int], *, floor: float = 3e-4) -> None:
        super().__init__()
        self.scales = nn.ModuleList(MelScale(sampling_rate_hz, window, _NUM_BINS) for window in windows)
        self.floor = floor

    def forward(self, target: torch.Tensor, estimate: torch.Tensor, drawn: Sequence[int]) -> dict[str, torch.Tensor]:
        """(B, C, T) of each, and the numbers of the windows to take, to scalars by name."""
        pair = torch.cat([target.flatten(0, 1), estimate.flatten(0, 1)])
        found = [self._at(cast("MelScale", self.scales[number]), pair) for number in drawn]
        return {name: torch.stack([terms[name] for terms in found]).mean() for name in found[0]}

    def _at(self, scale: MelScale, pair: torch.Tensor) -> dict[str, torch.Tensor]:
        """The terms at one window; `pair` (2 B, T) holds all targets, and then all estimates."""
        size, floor = scale.window_size, self.floor
        window, filters = cast("torch.Tensor", scale.window), cast("torch.Tensor", scale.filters)
        spectra = torch.stft(pair, size, size // 4, window=window, normalized=True, return_complex=True)
        parts = torch.view_as_real(spectra)
        # The square root is steep at 0; the floor below it keeps its gradient finite.
        magnitudes = (parts.square().sum(-1) + _TINY).sqrt()
        (x, y), (mx, my) = parts.chunk(2), magnitudes.chunk(2)
        sx, sy = (magnitudes.transpose(1, 2) @ filters).chunk(2)
        log_mel = (sy + floor).log10() - (sx + floor).log10()
        cosine = (x * y).sum(-1) / (mx * my)
        return {
            "mel": F.l1_loss(sy, sx),
            # Per item, so that a batch is the mean of its items.
            "log_mel": (log_mel.square().mean((1, 2)) + 1e-8).sqrt().mean(),
            "magnitude": ((my + floor).log10() - (mx + floor).log10()).abs().mean(),
            "phase": ((mx * (1 - cosine)).sum((1, 2)) / (mx.sum((1, 2)) + _SILENCE)).mean(),
        }
