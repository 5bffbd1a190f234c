"""The spectral decoder as a torch module: ConvNeXt blocks at the frame rate and an inverse STFT.

Parameter names are those of Vocos's checkpoints. Inside, shapes are (B, F, C), frames before channels: everything but
the depthwise convolutions is a product at each frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional as F

from .. import spectral as arch
from ..spectral import SpectralConfig
from .layers import Layer, NetworkState
from .streamable import select_streams, stack_streams

PastFrames = torch.Tensor | None
"""Frames that later outputs still see, (B, n, C); `None` at the start of a stream, whose past is zeros."""
OverlapState = tuple[torch.Tensor, int] | None
"""The last windows (B, parts - 1, n_fft), zeros before the stream's first, and how many of them are windows."""


class FrameConv(nn.Conv1d):
    """Convolution over frames. With groups, as many as channels, it is computed as shifted products: on a CPU that is
    faster than torch's depthwise convolution, forward and back."""

    def __init__(self, spec: arch.FrameConv, *, depthwise: bool) -> None:
        super().__init__(
            spec.in_channels, spec.out_channels, spec.kernel_size, groups=spec.in_channels if depthwise else 1
        )
        self.spec, self.depthwise = spec, depthwise

    def push(self, x: torch.Tensor, past: PastFrames, *, last: bool) -> tuple[torch.Tensor, torch.Tensor, PastFrames]:
        """(B, F, C) to outputs (B, F', C'), the inputs (B, F', C) of the same frames, and the next past."""
        spec, reach = self.spec, self.spec.kernel_size - 1
        x = F.pad(x, (0, 0, spec.past if past is None else 0, spec.look_ahead if last else 0))
        if past is not None:
            x = torch.cat([past, x], dim=1)
        count = max(0, x.shape[1] - reach)
        after = None if last else x[:, count:].clone()
        same = x[:, spec.past : spec.past + count]
        if not count:
            return x.new_zeros(x.shape[0], 0, self.out_channels), same, after
        if not self.depthwise:
            return self(x.transpose(1, 2)).transpose(1, 2), same, after
        y = cast("torch.Tensor", self.bias)
        for i in range(spec.kernel_size):
            y = y + x[:, i : i + count] * self.weight[:, 0, i]
        return y, same, after


class FrameNorm(nn.Module):
    """Layer norm, adapted to the bandwidth where its record says so."""

    def __init__(self, spec: arch.FrameNorm) -> None:
        super().__init__()
        self.spec = spec
        if spec.conditions:
            self.scale = nn.Embedding(spec.conditions, spec.size)
            self.shift = nn.Embedding(spec.conditions, spec.size)
            nn.init.ones_(self.scale.weight)
            nn.init.zeros_(self.shift.weight)
        else:
            self.weight = nn.Parameter(torch.ones(spec.size))
            self.bias = nn.Parameter(torch.zeros(spec.size))

    def forward(self, x: torch.Tensor, condition: int) -> torch.Tensor:
        """(B, F, C) to (B, F, C), `condition` being the number of a table."""
        if not self.spec.conditions:
            return F.layer_norm(x, (self.spec.size,), self.weight, self.bias, self.spec.eps)
        x = F.layer_norm(x, (self.spec.size,), eps=self.spec.eps)
        return x * self.scale.weight[condition] + self.shift.weight[condition]


class ConvNext(nn.Module):
    """One block; the state is that of its depthwise convolution."""

    def __init__(self, spec: arch.ConvNext, num_layers: int) -> None:
        super().__init__()
        size = spec.norm.size
        self.dwconv, self.norm = FrameConv(spec.depthwise, depthwise=True), FrameNorm(spec.norm)
        self.pwconv1, self.pwconv2 = nn.Linear(size, spec.hidden_size), nn.Linear(spec.hidden_size, size)
        # Vocos starts its layer scale with this value.
        self.gamma = nn.Parameter(torch.full((size,), 1 / num_layers))

    def push(self, x: torch.Tensor, past: PastFrames, condition: int, *, last: bool) -> tuple[torch.Tensor, PastFrames]:
        """(B, F, C) to (B, F', C) and the next past."""
        y, same, past = self.dwconv.push(x, past, last=last)
        return same + self.gamma * self.pwconv2(F.gelu(self.pwconv1(self.norm(y, condition)))), past


class Backbone(nn.Module):
    """Latents to what the spectra are computed from."""

    def __init__(self, config: SpectralConfig) -> None:
        super().__init__()
        embed, norm, *blocks, final, _ = arch.spectral_layers(config)
        self.embed = FrameConv(cast("arch.FrameConv", embed), depthwise=False)
        self.norm = FrameNorm(cast("arch.FrameNorm", norm))
        self.convnext = nn.ModuleList(ConvNext(cast("arch.ConvNext", block), len(blocks)) for block in blocks)
        self.final_layer_norm = FrameNorm(cast("arch.FrameNorm", final))

    def push(
        self, x: torch.Tensor, state: Sequence[PastFrames], condition: int, *, last: bool
    ) -> tuple[torch.Tensor, list[PastFrames]]:
        """(B, F, D) to (B, F', C), and the next state of each convolution."""
        x, _, past = self.embed.push(x, state[0], last=last)
        x, after = self.norm(x, condition), [past]
        for block, past in zip(self.convnext, state[1:], strict=True):
            x, past = cast("ConvNext", block).push(x, past, condition, last=last)
            after.append(past)
        return self.final_layer_norm(x, condition), after


class InverseStft(nn.Module):
    """Frames to samples; windows that overlap are added, and divided by the sum of their squares."""

    def __init__(self, spec: arch.InverseStft) -> None:
        super().__init__()
        self.spec = spec
        self.out = nn.Linear(spec.in_channels, spec.n_fft + 2)

    def push(self, x: torch.Tensor, state: OverlapState, *, last: bool) -> tuple[torch.Tensor, OverlapState]:
        """(B, F, C) to samples (B, T) that no later frame reaches, and the next state."""
        spec, batch = self.spec, x.shape[0]
        hop, reach = spec.hop_length, spec.n_fft // spec.hop_length - 1
        window = self._window(x)
        windows = self._windows(x, window)
        past, seen = (windows.new_zeros(batch, reach, spec.n_fft), 0) if state is None else state
        total = seen + windows.shape[1]
        windows = torch.cat([past, windows], dim=1)
        present = windows.new_zeros(windows.shape[1])
        # Before the stream's first window there are zeros, which must not count in the sum that is divided by.
        present[reach - seen :] = 1
        after = None if last else (windows[:, windows.shape[1] - reach :].clone(), min(total, reach))
        if last:
            windows, present = F.pad(windows, (0, 0, 0, reach)), F.pad(present, (0, reach))
        audio, weight = self._overlap_add(windows), self._overlap_add(present[:, None] * window.square())
        trim = (spec.n_fft - hop) // 2
        begin = max(0, trim - seen * hop)  # the first window begins before the first sample
        end = (audio.shape[1] - (trim if last else 0)) if total else begin
        # Cut first, then divide: what is cut off has a weight of 0, whose quotient has no gradient.
        return audio[:, begin:end] / weight[begin:end], after

    def _windows(self, x: torch.Tensor, window: torch.Tensor) -> torch.Tensor:
        """(B, F, C) to windowed samples (B, F, n_fft) in the window's precision."""
        if x.shape[1] == 0:  # no transform takes nothing
            return window.new_zeros(x.shape[0], 0, self.spec.n_fft)
        log_magnitude, phase = self.out(x).to(window.dtype).chunk(2, dim=-1)
        # As in Vocos: for unusual latents the exponential would be far too loud.
        magnitude = log_magnitude.exp().clamp(max=self.spec.max_magnitude)
        samples = torch.fft.irfft(torch.polar(magnitude, phase), n=self.spec.n_fft, dim=-1)
        return samples * window

    def _window(self, x: torch.Tensor) -> torch.Tensor:
        """Hann's, float32 at least: no complex numbers are narrower.

        It is not a buffer, because a model in half precision must not round it.
        """
        dtype = torch.promote_types(x.dtype, torch.float32)
        return torch.hann_window(self.spec.n_fft, dtype=dtype, device=x.device)

    def _overlap_add(self, windows: torch.Tensor) -> torch.Tensor:
        """(..., F, n_fft) to (..., (F - parts + 1) * hop): from where all windows that can be there are there."""
        hop, parts = self.spec.hop_length, self.spec.n_fft // self.spec.hop_length
        count = max(0, windows.shape[-2] - parts + 1)
        pieces = windows.unflatten(-1, (parts, hop))
        first = parts - 1
        audio = pieces[..., first : first + count, 0, :]
        for i in range(1, parts):
            audio = audio + pieces[..., first - i : first - i + count, i, :]
        return audio.flatten(-2)


class SpectralDecoder(Layer[NetworkState]):
    """Latents (B, D, F) to audio (B, 1, F * hop_length).

    Args:
        config: its shape.
    """

    def __init__(self, config: SpectralConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.head = InverseStft(cast("arch.InverseStft", arch.spectral_layers(config)[-1]))

    def init_state(self, batch: int) -> NetworkState:
        return (*(None for _ in range(1 + self.config.num_layers)), None)

    def step(
        self, x: torch.Tensor, state: NetworkState, *, last: bool = False, condition: int = 0
    ) -> tuple[torch.Tensor, NetworkState]:
        """Push latents (B, D, F), F >= 0; see `Streamable`. `condition` is that of `SpectralConfig.condition`."""
        frames, after = self.backbone.push(x.transpose(1, 2), state[:-1], condition, last=last)
        audio, overlap = self.head.push(frames, state[-1], last=last)
        return audio[:, None].to(x.dtype), (*after, overlap)

    def forward(self, x: torch.Tensor, condition: int = 0) -> torch.Tensor:
        """Whole streams: (B, D, F) to (B, 1, F * hop_length)."""
        return self.step(x, self.init_state(x.shape[0]), last=True, condition=condition)[0]

    def select(self, state: NetworkState, rows: torch.Tensor) -> NetworkState:
        """As `Network.select`."""
        return tuple(select_streams(part, rows) for part in state)

    def stack(self, states: Sequence[NetworkState]) -> NetworkState:
        """As `Network.stack`."""
        columns: Any = zip(*states, strict=True)
        return tuple(stack_streams(parts) for parts in columns)
