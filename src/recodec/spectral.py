"""The one description of a spectral decoder: its configuration, as `spectral_config.json` holds it, and layer records.

A spectral decoder is a second decoder for a model's codes. It computes frames of a short-time Fourier transform at
the rate of the codes and inverts them, as Vocos does (arXiv 2306.00814), in place of EnCodec's upsampling
convolutions. As with `architecture.py`, `nn/` turns the records into torch modules and `onnx_engine/` into graph nodes.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from .json_config import JsonConfig

SPECTRAL_CONFIG_NAME = "spectral_config.json"
SPECTRAL_WEIGHTS_NAME = "spectral.safetensors"
_MAX_SIZE = 1 << 14


@dataclass(frozen=True)
class SpectralConfig(JsonConfig):
    """Shape of a spectral decoder. Sizes have the names that Vocos gives them.

    Attributes:
        input_channels: D, of the latents.
        dim, intermediate_dim, num_layers, kernel_size: of the ConvNeXt blocks.
        n_fft: samples of a window of the transform; a multiple of `hop_length`.
        hop_length: samples of a frame.
        look_ahead: later frames that the first convolution sees.
        block_look_ahead: later frames that each block sees; 0 for causal blocks.
        norm_eps: of the layer norms.
        max_magnitude: the largest magnitude of a bin.
        condition_codebooks: numbers of codebooks that the layer norms are adapted to, in the order of their tables;
            empty where they are not.
        codebooks: SHA-256 of the codebooks that it was made for (`checkpoint.codebook_digest`), or empty.

    Raises:
        ConfigError: naming the field, if no decoder can be built from the values.
    """

    model_type = "recodec_spectral_decoder"

    input_channels: int = 128
    dim: int = 256
    intermediate_dim: int = 768
    num_layers: int = 8
    kernel_size: int = 7
    n_fft: int = 1280
    hop_length: int = 320
    look_ahead: int = 3
    block_look_ahead: int = 0
    norm_eps: float = 1e-6
    max_magnitude: float = 100.0
    condition_codebooks: tuple[int, ...] = ()
    codebooks: str = ""

    def __post_init__(self) -> None:
        good = _are_counts(self.condition_codebooks)
        self._require(good, "condition_codebooks", "a list of up to 256 integers above 0")
        object.__setattr__(self, "condition_codebooks", tuple(self.condition_codebooks))
        for field in dataclasses.fields(self):
            if field.type == "int":
                self._require_integer(field.name, 0 if field.name.endswith("look_ahead") else 1, _MAX_SIZE)
            elif field.type == "float":
                value = getattr(self, field.name)
                good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
                self._require(good and value > 0, field.name, "a number above 0")
        self._require(isinstance(self.codebooks, str), "codebooks", "a text")
        self._require(self.n_fft % 4 == 0, "n_fft", "a multiple of 4")
        parts, rest = divmod(self.n_fft, self.hop_length)
        # Below two hops, the windows would leave gaps; with `n_fft - hop_length` odd, the frames could not be centred.
        good = rest == 0 and 2 <= parts <= 16 and (self.n_fft - self.hop_length) % 2 == 0
        self._require(good, "n_fft", f"2 to 16 times hop_length ({self.hop_length})")
        for name in ("look_ahead", "block_look_ahead"):
            self._require(getattr(self, name) < self.kernel_size, name, "less than kernel_size")

    @property
    def parts(self) -> int:
        """Hops in a window, and so the windows that a sample is in."""
        return self.n_fft // self.hop_length

    @property
    def trim(self) -> int:
        """Samples by which a window reaches beyond its frame on either side."""
        return (self.n_fft - self.hop_length) // 2

    @property
    def look_ahead_frames(self) -> int:
        """Later frames that a frame's spectrum depends on."""
        return self.look_ahead + self.num_layers * self.block_look_ahead

    def condition(self, num_codebooks: int) -> int:
        """Which table of the layer norms serves codes of so many codebooks: that of the most, up to them."""
        known = [i for i, count in enumerate(self.condition_codebooks) if count <= num_codebooks]
        return max(known, key=lambda i: self.condition_codebooks[i], default=0)


def _are_counts(values: Any) -> bool:
    """Whether a value is a list of up to 256 integers above 0."""
    listed = isinstance(values, (list, tuple)) and len(values) <= 256
    return listed and all(type(value) is int and value > 0 for value in values)


# ---- layer records ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class FrameConv:
    """Convolution over frames, padded with zeros; it sees `look_ahead` later frames. As many frames as went in."""

    name: str
    in_channels: int
    out_channels: int
    kernel_size: int
    look_ahead: int

    @property
    def past(self) -> int:
        """Earlier frames that an output sees."""
        return self.kernel_size - 1 - self.look_ahead


@dataclass(frozen=True)
class FrameNorm:
    """Layer norm over the channels of a frame; with `conditions`, one of that many scales and shifts."""

    name: str
    size: int
    eps: float
    conditions: int


@dataclass(frozen=True)
class ConvNext:
    """x + gamma * W2 gelu(W1 norm(depthwise convolution of x)) (arXiv 2306.00814, section 3.2)."""

    name: str
    depthwise: FrameConv
    norm: FrameNorm
    hidden_size: int


@dataclass(frozen=True)
class InverseStft:
    """A frame to log magnitude and phase of a spectrum, then to windowed samples, which are added up."""

    name: str
    in_channels: int
    n_fft: int
    hop_length: int
    max_magnitude: float


SpectralLayer = FrameConv | FrameNorm | ConvNext | InverseStft


def spectral_layers(config: SpectralConfig) -> tuple[SpectralLayer, ...]:
    """Records of a spectral decoder: (B, D, F) latents to (B, 1, F * hop_length) samples.

    Names are those of Vocos's checkpoints.
    """
    size, kernel, adapted = config.dim, config.kernel_size, len(config.condition_codebooks)

    def block(name: str) -> ConvNext:
        depthwise = FrameConv(f"{name}.dwconv", size, size, kernel, config.block_look_ahead)
        norm = FrameNorm(f"{name}.norm", size, config.norm_eps, adapted)
        return ConvNext(name, depthwise, norm, config.intermediate_dim)

    return (
        FrameConv("backbone.embed", config.input_channels, size, kernel, config.look_ahead),
        FrameNorm("backbone.norm", size, config.norm_eps, adapted),
        *(block(f"backbone.convnext.{i}") for i in range(config.num_layers)),
        FrameNorm("backbone.final_layer_norm", size, config.norm_eps, 0),
        InverseStft("head.out", size, config.n_fft, config.hop_length, config.max_magnitude),
    )


def spectral_tensors(config: SpectralConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a spectral decoder's tensors."""
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(layer: FrameNorm) -> None:
        kinds = ("scale.weight", "shift.weight") if layer.conditions else ("weight", "bias")
        shape = (layer.conditions, layer.size) if layer.conditions else (layer.size,)
        shapes.update({f"{layer.name}.{kind}": shape for kind in kinds})

    def weight(name: str, *shape: int) -> None:
        shapes.update({f"{name}.weight": shape, f"{name}.bias": shape[:1]})

    for layer in spectral_layers(config):
        match layer:
            case FrameConv():
                weight(layer.name, layer.out_channels, layer.in_channels, layer.kernel_size)
            case FrameNorm():
                norm(layer)
            case ConvNext():
                size = layer.norm.size
                weight(layer.depthwise.name, size, 1, layer.depthwise.kernel_size)
                norm(layer.norm)
                weight(f"{layer.name}.pwconv1", layer.hidden_size, size)
                weight(f"{layer.name}.pwconv2", size, layer.hidden_size)
                shapes[f"{layer.name}.gamma"] = (size,)
            case InverseStft():
                weight(layer.name, layer.n_fft + 2, layer.in_channels)
    return shapes
