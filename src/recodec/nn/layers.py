"""The layers of SEANet (paper section 3.1) and the networks made of them.

Parameter names are those of Hugging Face checkpoints, because module and attribute names are.
Shapes are (B, C, T), T being the time at the layer's own rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Generic, cast

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from .. import architecture as arch
from ..checkpoint import fold_weight
from ..config import EncodecConfig
from ..errors import ConfigError
from .lstm import LstmStack
from .padding import mask_after, pad, pad_ragged
from .streamable import StateT, select_streams, stack_streams

ConvState = tuple[torch.Tensor, bool] | None
LstmState = tuple[torch.Tensor, torch.Tensor] | None
NetworkState = tuple[Any, ...]
"""The states of layers in a row, each of its own kind."""
ResidualState = tuple[NetworkState, torch.Tensor | None]


class Layer(nn.Module, Generic[StateT]):
    """Base of all layers: offline is streaming with one push.

    `forward(x)` is `step(x, fresh, last=True)[0]`; `ragged(x, lengths)` is the same for a batch of
    unequal lengths, each item getting what it gets alone.
    """

    batch_axis = 0  # where the batch is in the tensors of the state

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, T) to (B, C', T')."""
        return self.step(x, self.init_state(x.shape[0]), last=True)[0]

    def init_state(self, batch: int) -> StateT:
        """State of a stream that has seen nothing."""
        raise NotImplementedError

    def step(self, x: torch.Tensor, state: StateT, *, last: bool = False) -> tuple[torch.Tensor, StateT]:
        """Push a piece; see `Streamable`."""
        raise NotImplementedError

    def ragged(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, C, T) and (B,) valid lengths to output and its valid lengths."""
        raise NotImplementedError


class Elu(Layer[None]):
    """ELU with alpha 1."""

    def init_state(self, batch: int) -> None:
        return None

    def step(self, x: torch.Tensor, state: None, *, last: bool = False) -> tuple[torch.Tensor, None]:
        return F.elu(x), None

    def ragged(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return F.elu(x), lengths


class _Normed(Layer[StateT]):
    """A convolution with weight norm, or followed by a group norm over channels and time."""

    conv: nn.Conv1d | nn.ConvTranspose1d

    def _install(self, conv: nn.Conv1d | nn.ConvTranspose1d, norm: str) -> None:
        if norm == "weight_norm":
            weight_norm(conv)  # in place
        self.conv = conv
        if norm == "time_group_norm":
            self.norm = nn.GroupNorm(1, conv.out_channels)
        self.normed_over_time = norm == "time_group_norm"

    def _normalize(self, y: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        if not self.normed_over_time:
            return y
        if lengths is None:
            # Not `self.norm(y)`, which refuses a single number: one frame of one channel.
            return torch.group_norm(y, 1, self.norm.weight, self.norm.bias, self.norm.eps)
        # Group norm with one group, its statistics over each item's valid samples only.
        # At least float32: sums over a whole item are too large for half precision.
        wide = mask_after(y, lengths).to(torch.float64 if y.dtype == torch.float64 else torch.float32)
        count = (lengths * y.shape[1]).to(wide.dtype)[:, None, None]
        mean = wide.sum((1, 2), keepdim=True) / count
        centred = mask_after(wide - mean, lengths)
        variance = centred.square().sum((1, 2), keepdim=True) / count
        scaled = (centred * torch.rsqrt(variance + self.norm.eps)).to(y.dtype)
        return scaled * self.norm.weight[:, None] + self.norm.bias[:, None]


class Conv(_Normed[ConvState]):
    """Padded convolution. State: `None` while fresh, then the samples that later outputs still need.

    With mirrored padding the first output needs `left + 1` samples, so a stream that has seen
    fewer keeps them: the state is (samples, primed).
    """

    def __init__(self, spec: arch.Conv) -> None:
        super().__init__()
        self.spec = spec
        conv = nn.Conv1d(spec.in_channels, spec.out_channels, spec.kernel_size, spec.stride, dilation=spec.dilation)
        self._install(conv, spec.norm)

    def init_state(self, batch: int) -> ConvState:
        return None

    def step(self, x: torch.Tensor, state: ConvState, *, last: bool = False) -> tuple[torch.Tensor, ConvState]:
        spec, (left, right) = self.spec, self.spec.padding
        primed = False
        if state is not None:
            held, primed = state
            x = torch.cat([held, x], dim=-1)
        if last and x.shape[-1] == 0:
            return self._nothing(x), None
        if not last and not (spec.causal and not self.normed_over_time):
            raise ConfigError("this model is not causal: it cannot be fed in pieces smaller than a segment")
        if not primed:
            if not last and spec.pad_mode == "reflect" and x.shape[-1] <= left:
                return self._nothing(x), (x, False)
            # As in the reference, the end is padded until the last output has a whole stride of input.
            missing = -x.shape[-1] % spec.stride if last else 0
            x = pad(x, left, right + missing, spec.pad_mode)
        elif last:
            # `x` begins whole strides after the left padding did. So modulo stride, its length is `left` more than
            # that of the input.
            x = pad(x, 0, -(x.shape[-1] - left) % spec.stride, spec.pad_mode)
        frames = (x.shape[-1] - spec.span) // spec.stride + 1
        if frames <= 0:
            return self._nothing(x), (x, True)
        y = self._normalize(self.conv(x))
        return y, None if last else (_tail(x, frames * spec.stride), True)

    def _nothing(self, x: torch.Tensor) -> torch.Tensor:
        return x.new_zeros(x.shape[0], self.spec.out_channels, 0)

    def ragged(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        spec, (left, right) = self.spec, self.spec.padding
        width = left + x.shape[-1] + -x.shape[-1] % spec.stride + right
        x = pad_ragged(x, lengths, left, right + -lengths % spec.stride, spec.pad_mode, width)
        out_lengths = -(-lengths // spec.stride)
        return self._normalize(self.conv(x), out_lengths), out_lengths


class TransposedConv(_Normed[torch.Tensor | None]):
    """Upsampling convolution. State: the last input frame, which the next output still overlaps."""

    def __init__(self, spec: arch.TransposedConv) -> None:
        super().__init__()
        self.spec = spec
        self._install(nn.ConvTranspose1d(spec.in_channels, spec.out_channels, spec.kernel_size, spec.stride), spec.norm)

    def init_state(self, batch: int) -> torch.Tensor | None:
        return None

    def step(
        self, x: torch.Tensor, state: torch.Tensor | None, *, last: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        spec, frames = self.spec, x.shape[-1]
        if not last and not (spec.causal and not self.normed_over_time):
            raise ConfigError("this model is not causal: it cannot be fed in pieces smaller than a segment")
        # The kernel is two strides long: the second half of a frame's output waits for the next frame.
        begin = spec.trim[0] if state is None else spec.stride
        end = frames * spec.stride + (0 if state is None else spec.stride) + (spec.trim[0] if last else 0)
        if state is not None:
            x = torch.cat([state, x], dim=-1)
        if x.shape[-1] == 0:
            return x.new_zeros(x.shape[0], spec.out_channels, 0), state
        y = self._normalize(self.conv(x))
        return y[..., begin:end], None if last else _tail(x, -1)

    def ragged(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        spec, (left, right) = self.spec, self.spec.trim
        y = self.conv(mask_after(x, lengths))
        y = self._normalize(y, (lengths - 1) * spec.stride + spec.kernel_size)
        return y[..., left : y.shape[-1] - right], lengths * spec.stride


class Lstm(Layer[LstmState]):
    """LSTM over time with a skip connection. State: (h, c), each (layers, B, C)."""

    batch_axis = 1

    def __init__(self, spec: arch.Lstm) -> None:
        super().__init__()
        self.lstm = LstmStack(spec.size, spec.num_layers)

    def init_state(self, batch: int) -> LstmState:
        return None

    def step(self, x: torch.Tensor, state: LstmState, *, last: bool = False) -> tuple[torch.Tensor, LstmState]:
        if x.shape[-1] == 0:
            return x, state
        frames = x.permute(2, 0, 1)
        y, state = self.lstm(frames, state)
        return (y + frames).permute(1, 2, 0), state

    def ragged(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self(x), lengths  # it looks back only: what lies after an item cannot reach it


class Residual(Layer[ResidualState]):
    """shortcut(x) + branch(x). State: the branch's states, and skip samples that wait for the branch."""

    def __init__(self, spec: arch.Residual) -> None:
        super().__init__()
        self.block = nn.ModuleList(_module(sub) for sub in spec.branch)
        self.shortcut = nn.Identity() if spec.shortcut is None else Conv(spec.shortcut)

    def init_state(self, batch: int) -> ResidualState:
        return tuple(layer.init_state(batch) for layer in _layers(self.block)), None

    def step(self, x: torch.Tensor, state: ResidualState, *, last: bool = False) -> tuple[torch.Tensor, ResidualState]:
        states, waiting = state
        y, states = _chain(_layers(self.block), x, states, last=last)
        skip = self.shortcut(x)  # a 1x1 convolution needs no state
        if waiting is not None:
            skip = torch.cat([waiting, skip], dim=-1)
        ready = y.shape[-1]
        return skip[..., :ready] + y, (states, None if last else _tail(skip, ready))

    def ragged(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = x
        for layer in _layers(self.block):
            y, _ = layer.ragged(y, lengths)
        skip = x if isinstance(self.shortcut, nn.Identity) else self.shortcut.ragged(x, lengths)[0]
        return skip + y, lengths


class Network(Layer[NetworkState]):
    """Layers in a row: the encoder or the decoder."""

    def __init__(self, records: tuple[arch.Layer, ...]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_module(record) for record in records)

    def init_state(self, batch: int) -> NetworkState:
        return tuple(layer.init_state(batch) for layer in _layers(self.layers))

    def step(self, x: torch.Tensor, state: NetworkState, *, last: bool = False) -> tuple[torch.Tensor, NetworkState]:
        return _chain(_layers(self.layers), x, state, last=last)

    def select(self, state: NetworkState, rows: torch.Tensor) -> NetworkState:
        """The state of some streams of a batch: row i of the result is stream `rows[i]`, rows (B',) int64."""
        return tuple(
            select_streams(part, rows, layer.batch_axis)
            for layer, part in zip(_layers(self.layers), state, strict=True)
        )

    def stack(self, states: Sequence[NetworkState]) -> NetworkState:
        """One state for the streams of several, in their order.

        Raises:
            ConfigError: for streams that are not equally far (whole hops beyond their start, all are).
        """
        columns = zip(_layers(self.layers), *states, strict=True)
        return tuple(stack_streams(parts, layer.batch_axis) for layer, *parts in columns)

    def ragged(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        for layer in _layers(self.layers):
            x, lengths = layer.ragged(x, lengths)
        return mask_after(x, lengths), lengths


def build_encoder(config: EncodecConfig) -> Network:
    """(B, C, T) samples to (B, D, F) latents."""
    return Network(arch.encoder_layers(config))


def build_decoder(config: EncodecConfig) -> Network:
    """(B, D, F) latents to (B, C, F * hop_length) samples."""
    return Network(arch.decoder_layers(config))


def fold_weight_norm(module: nn.Module) -> None:
    """Replace each pair of gain and direction by the weight they make, in place. For inference.

    The weight is that of `checkpoint.fold_weight`, the same bits on every machine, so that a folded
    model keeps its fingerprint.
    """
    for child in module.modules():
        if parametrize.is_parametrized(child, "weight"):
            conv = cast("nn.Conv1d | nn.ConvTranspose1d", child)
            gain, direction = (part.detach().float().cpu().numpy() for part in _weight_norm_of(conv))
            _own_class(child)
            parametrize.remove_parametrizations(child, "weight")
            with torch.no_grad():
                conv.weight.copy_(torch.from_numpy(fold_weight(gain, direction)))


def _own_class(module: nn.Module) -> None:
    """Part a module's generated class from those of its copies.

    torch gives a parametrized module a class with a property for the weight, `copy.deepcopy` shares it, and
    removing the parametrization takes the property from the class: the other copies would lose their weight.
    """
    shared = type(module)
    content = {name: value for name, value in vars(shared).items() if name not in ("__dict__", "__weakref__")}
    module.__class__ = cast("Any", type(shared.__name__, shared.__bases__, content))


def _weight_norm_of(conv: Any) -> tuple[torch.Tensor, torch.Tensor]:
    pair = conv.parametrizations.weight
    return pair.original0, pair.original1


def _layers(modules: nn.ModuleList) -> Iterable[Layer[Any]]:
    return cast("Iterable[Layer[Any]]", modules)  # a ModuleList does not know of what it is a list


def _tail(x: torch.Tensor, start: int) -> torch.Tensor:
    """The samples from `start` on, as a copy: a view would keep all of a long push in memory."""
    return x[..., start:].clone()


def _chain(
    layers: Iterable[Layer[Any]], x: torch.Tensor, states: NetworkState, *, last: bool
) -> tuple[torch.Tensor, NetworkState]:
    after = []
    for layer, state in zip(layers, states, strict=True):
        x, state = layer.step(x, state, last=last)
        after.append(state)
    return x, tuple(after)


def _module(record: arch.Layer) -> Layer[Any]:
    match record:
        case arch.Elu():
            return Elu()
        case arch.Conv():
            return Conv(record)
        case arch.TransposedConv():
            return TransposedConv(record)
        case arch.Lstm():
            return Lstm(record)
        case arch.Residual():
            return Residual(record)
