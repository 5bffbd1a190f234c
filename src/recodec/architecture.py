"""The one description of the network (paper section 3.1): a config becomes plain layer records.

`nn/` turns the records into torch modules and the ONNX runtime turns them into graph nodes, so
that the two can never disagree about a size, a padding or a name. Nothing here needs torch.

`name` is the path of a layer's tensors inside `encoder.` or `decoder.` in a Hugging Face
checkpoint, for example `layers.1.block.1.conv`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from .config import EncodecConfig


@dataclass(frozen=True)
class Elu:
    """x for x > 0, exp(x) - 1 below."""

    name: str


@dataclass(frozen=True)
class Conv:
    """Padded convolution over time: T samples in, ceil(T / stride) out."""

    name: str
    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int
    dilation: int
    causal: bool
    pad_mode: str
    norm: str

    @property
    def span(self) -> int:
        """Samples that one output sees: the kernel with its dilation."""
        return (self.kernel_size - 1) * self.dilation + 1

    @property
    def padding(self) -> tuple[int, int]:
        """Fixed padding (left, right) in samples, without what a last partial stride needs."""
        total = self.span - self.stride
        right = 0 if self.causal else total // 2
        return total - right, right


@dataclass(frozen=True)
class TransposedConv:
    """Upsampling convolution: F frames in, F * stride out, the surplus trimmed."""

    name: str
    in_channels: int
    out_channels: int
    kernel_size: int
    stride: int
    causal: bool
    trim_right_ratio: float
    norm: str

    @property
    def trim(self) -> tuple[int, int]:
        """Samples cut from the (left, right) of the full output."""
        total = self.kernel_size - self.stride
        right = math.ceil(total * self.trim_right_ratio) if self.causal else total // 2
        return total - right, right


@dataclass(frozen=True)
class Lstm:
    """Unidirectional LSTM with a skip connection around it."""

    name: str
    size: int
    num_layers: int


@dataclass(frozen=True)
class Residual:
    """shortcut(x) + branch(x), the shortcut being a 1x1 convolution or nothing."""

    name: str
    branch: tuple[Elu | Conv, ...]
    shortcut: Conv | None


Layer = Elu | Conv | TransposedConv | Lstm | Residual


def encoder_layers(config: EncodecConfig) -> tuple[Layer, ...]:
    """Records of the encoder: (B, C, T) samples to (B, D, F) latents."""
    build = _Builder(config)
    width = config.num_filters
    build.conv(config.audio_channels, width, config.kernel_size)
    for stride in reversed(config.upsampling_ratios):
        build.residuals(width)
        build.elu()
        build.conv(width, 2 * width, 2 * stride, stride=stride)
        width *= 2
    build.lstm(width)
    build.elu()
    build.conv(width, config.hidden_size, config.last_kernel_size)
    return tuple(build.layers)


def decoder_layers(config: EncodecConfig) -> tuple[Layer, ...]:
    """Records of the decoder: (B, D, F) latents to (B, C, F * hop_length) samples."""
    build = _Builder(config)
    width = config.num_filters * 2 ** len(config.upsampling_ratios)
    build.conv(config.hidden_size, width, config.kernel_size)
    build.lstm(width)
    for stride in config.upsampling_ratios:
        build.elu()
        build.transposed_conv(width, width // 2, stride)
        width //= 2
        build.residuals(width)
    build.elu()
    build.conv(width, config.audio_channels, config.last_kernel_size)
    return tuple(build.layers)


class _Builder:
    """Collects records and numbers them as Hugging Face's `layers` list does."""

    def __init__(self, config: EncodecConfig) -> None:
        self.config = config
        self.layers: list[Layer] = []

    @property
    def _next(self) -> str:
        return f"layers.{len(self.layers)}"

    def elu(self) -> None:
        self.layers.append(Elu(self._next))

    def conv(self, in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1) -> None:
        self.layers.append(self._conv(self._next, in_channels, out_channels, kernel_size, stride=stride))

    def _conv(
        self, name: str, in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, dilation: int = 1
    ) -> Conv:
        c = self.config
        return Conv(name, in_channels, out_channels, kernel_size, stride, dilation, c.use_causal_conv, c.pad_mode,
                    c.norm_type)  # fmt: skip

    def transposed_conv(self, in_channels: int, out_channels: int, stride: int) -> None:
        c = self.config
        self.layers.append(
            TransposedConv(
                self._next,
                in_channels,
                out_channels,
                2 * stride,
                stride,
                c.use_causal_conv,
                c.trim_right_ratio,
                c.norm_type,
            )
        )

    def lstm(self, size: int) -> None:
        # The reference builds an LSTM of zero layers as an error; we leave the layer out, but
        # keep its place in the numbering by never numbering what is not there.
        if self.config.num_lstm_layers:
            self.layers.append(Lstm(self._next, size, self.config.num_lstm_layers))

    def residuals(self, width: int) -> None:
        config = self.config
        for j in range(config.num_residual_layers):
            name, hidden = self._next, width // config.compress
            branch = (
                Elu(f"{name}.block.0"),
                self._conv(
                    f"{name}.block.1",
                    width,
                    hidden,
                    config.residual_kernel_size,
                    dilation=config.dilation_growth_rate**j,
                ),
                Elu(f"{name}.block.2"),
                self._conv(f"{name}.block.3", hidden, width, 1),
            )
            shortcut = self._conv(f"{name}.shortcut", width, width, 1) if config.use_conv_shortcut else None
            self.layers.append(Residual(name, branch, shortcut))


# ---- figures that follow from the records --------------------------------------------------


def weighted_layers(layers: tuple[Layer, ...]) -> Iterator[Conv | TransposedConv | Lstm]:
    for layer in layers:
        if isinstance(layer, Residual):
            yield from (sub for sub in layer.branch if isinstance(sub, Conv))
            if layer.shortcut is not None:
                yield layer.shortcut
        elif not isinstance(layer, Elu):
            yield layer


def parameter_count(layers: tuple[Layer, ...]) -> int:
    """Trainable numbers, counted as the checkpoint stores them (weight norm adds its gains)."""
    total = 0
    for layer in weighted_layers(layers):
        if isinstance(layer, Lstm):
            total += layer.num_layers * (8 * layer.size**2 + 8 * layer.size)
            continue
        total += layer.in_channels * layer.out_channels * layer.kernel_size + layer.out_channels
        if layer.norm == "weight_norm":
            total += layer.in_channels if isinstance(layer, TransposedConv) else layer.out_channels
        else:
            total += 2 * layer.out_channels
    return total


def macs_per_second(config: EncodecConfig) -> tuple[int, int]:
    """Multiply-accumulates per second of audio, of the (encoder, decoder)."""

    def count(layers: tuple[Layer, ...], rate: float) -> int:
        total = 0.0
        for layer in weighted_layers(layers):
            if isinstance(layer, Lstm):
                total += rate * layer.num_layers * 8 * layer.size**2
            elif isinstance(layer, Conv):
                rate /= layer.stride
                total += rate * layer.in_channels * layer.out_channels * layer.kernel_size
            else:
                total += rate * layer.in_channels * layer.out_channels * layer.kernel_size
                rate *= layer.stride
        return round(total)

    rate = float(config.sampling_rate)
    return count(encoder_layers(config), rate), count(decoder_layers(config), rate / config.hop_length)


def encoder_receptive_field(config: EncodecConfig) -> int:
    """Samples that one latent sees through the convolutions (the LSTM sees all of the past)."""
    field, step = 1, 1
    for layer in encoder_layers(config):
        # A shortcut's 1x1 kernel sees one sample, so the branch alone sets a block's span.
        convs = [sub for sub in layer.branch if isinstance(sub, Conv)] if isinstance(layer, Residual) else [layer]
        for conv in convs:
            if isinstance(conv, Conv):
                field += (conv.span - 1) * step
                step *= conv.stride
    return field
