"""Reconstruction losses (paper section 3.4, equations 1 and 2)."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F


def mel_filters(sampling_rate_hz: int, fft_size: int, num_bins: int) -> torch.Tensor:
    """(fft_size // 2 + 1, M) triangular filters, evenly spaced on the mel scale from 0 to Nyquist.

    Mel scale of O'Shaughnessy, 2595 log10(1 + f / 700); each triangle peaks at 1.
    """

    def to_mel(hz: float) -> float:
        return 2595.0 * math.log10(1.0 + hz / 700.0)

    mels = torch.linspace(0.0, to_mel(sampling_rate_hz / 2), num_bins + 2, dtype=torch.float64)
    edges = 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    bins = torch.linspace(0.0, sampling_rate_hz / 2, fft_size // 2 + 1, dtype=torch.float64)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    return torch.minimum(rising, falling).clamp(min=0.0).float()


class MelScale(nn.Module):
    """Mel spectrogram at one window: (B, T) to (B, M, frames), of a normalized STFT with hop window / 4."""

    def __init__(self, sampling_rate_hz: int, window: int, num_bins: int) -> None:
        super().__init__()
        filters = mel_filters(sampling_rate_hz, window, num_bins)
        # A short window has fewer frequency bins than mel bands: bands that see no bin say nothing.
        filters = filters[:, filters.sum(0) > 0]
        self.window_size = window
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hop = self.window_size // 4
        assert isinstance(self.window, torch.Tensor)
        assert isinstance(self.filters, torch.Tensor)
        spectrum = torch.stft(
            x, self.window_size, hop, window=self.window, normalized=True, return_complex=True, pad_mode="reflect"
        )
        # The square root is steep at 0; the floor keeps its gradient finite.
        magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-10).sqrt()
        return magnitude.transpose(1, 2) @ self.filters


class MultiScaleMelLoss(nn.Module):
    """L1 and L2 distances of mel spectrograms at windows 2^5 to 2^11 with hops of a quarter (equation 2).

    The paper's S_i is applied as Meta's released training code applies it: the L1 term on the linear
    spectrogram, the L2 term on its logarithm, so that quiet bands count too. alpha_i = 1.

    Magnitudes below `floor` (about -70 dB of full scale) count as silence: without it the empty top of
    band-limited recordings, where two inaudible levels are decades apart, outweighs what is heard.

    `forward(reference, estimate)`, both (B, C, T), gives the mean over scales of
    |S(x) - S(y)|_1 + alpha * rms(log10(S(x) + floor) - log10(S(y) + floor)).
    """

    def __init__(
        self,
        sampling_rate_hz: int,
        *,
        exponents: tuple[int, ...] = (5, 6, 7, 8, 9, 10, 11),
        num_bins: int = 64,
        log_weight: float = 1.0,
        floor: float = 3e-4,
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList(MelScale(sampling_rate_hz, 2**e, num_bins) for e in exponents)
        self.log_weight = log_weight
        self.floor = floor

    def forward(self, reference: torch.Tensor, estimate: torch.Tensor) -> torch.Tensor:
        reference, estimate = reference.flatten(0, 1), estimate.flatten(0, 1)
        total = estimate.new_zeros(())
        for scale in self.scales:
            with torch.no_grad():
                target = scale(reference)
            guess = scale(estimate)
            linear = F.l1_loss(guess, target)
            ratio = (guess + self.floor).log10() - (target + self.floor).log10()
            # Per item, so that a batch is the mean of its items: the L2 norm over bands and frames.
            log_l2 = (ratio.square().mean((1, 2)) + 1e-8).sqrt().mean()
            total = total + linear + self.log_weight * log_l2
        return total / len(self.scales)
