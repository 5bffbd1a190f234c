"""The multi-scale STFT discriminator (paper section 3.4, figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

WINDOWS = (2048, 1024, 512, 256, 128)
"""Samples of each scale at 24 kHz; at 48 kHz they are twice as long."""

_KERNEL = (3, 9)
_DILATIONS = (1, 2, 4)
_SLOPE = 0.2


class Judgement(NamedTuple):
    """What one scale says: `logits` (B, 1, frames, bands), and its `features`, each (B, width, frames, bands)."""

    logits: torch.Tensor
    features: list[torch.Tensor]


class StftDiscriminator(nn.Module):
    """One scale: 2-D convolutions over the complex STFT, real and imaginary part as channels.

    Kernels of 3 frames by 9 bands, then three with dilations 1, 2, 4 in time and stride 2 over the bands, then two of
    3 by 3; weight norm but for the first, LeakyReLU with slope 0.2. Modules have the names of Meta's released one.

    Args:
        window: of the STFT in samples; its hop is a quarter.
        width: channels of all layers.
    """

    window: torch.Tensor

    def __init__(self, window: int, width: int) -> None:
        super().__init__()
        self.size = window
        shape = torch.hann_window(window)
        self.register_buffer("window", shape / shape.square().sum().sqrt(), persistent=False)
        layers = [_Conv(2, width, _KERNEL, normed=False)]
        layers += [_Conv(width, width, _KERNEL, stride=(1, 2), dilation=(d, 1)) for d in _DILATIONS]
        layers.append(_Conv(width, width, (3, 3)))
        self.convs = nn.ModuleList(layers)
        self.conv_post = _Conv(width, 1, (3, 3))

    def forward(self, audio: torch.Tensor) -> Judgement:
        """(B, T) audio, T of a window or more."""
        spectrum = torch.stft(
            audio, self.size, self.size // 4, window=self.window, center=False, return_complex=True
        ).transpose(1, 2)
        x = torch.stack([spectrum.real, spectrum.imag], dim=1)
        features = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), _SLOPE)
            features.append(x)
        return Judgement(self.conv_post(x), features)


class MultiScaleStftDiscriminator(nn.Module):
    """`StftDiscriminator` at several windows. Stereo channels are judged separately.

    Args:
        windows: in samples.
        width: channels of all layers (paper: 32).
    """

    def __init__(self, windows: Sequence[int] = WINDOWS, width: int = 32) -> None:
        super().__init__()
        self.discriminators = nn.ModuleList(StftDiscriminator(window, width) for window in windows)

    def forward(self, audio: torch.Tensor) -> list[Judgement]:
        """(B, C, T) audio, T of the longest window or more, to the judgement of each scale on B * C signals."""
        flat = audio.flatten(0, 1)
        return [scale(flat) for scale in self.discriminators]


class _Conv(nn.Module):
    """A convolution, with weight norm if `normed`, padded to keep its size where there is no stride."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int],
        stride: tuple[int, int] = (1, 1),
        dilation: tuple[int, int] = (1, 1),
        *,
        normed: bool = True,
    ) -> None:
        super().__init__()
        padding = ((kernel[0] - 1) * dilation[0] // 2, (kernel[1] - 1) * dilation[1] // 2)
        conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation)
        self.conv = weight_norm(conv) if normed else conv

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)
