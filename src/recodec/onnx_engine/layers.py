"""The layers as ONNX nodes, built from the records of `architecture.py`.

Tensors are (B, C, 1, T): ONNX Runtime has faster convolutions for images than for signals. Each layer
does what the torch layer of the same name does in `nn/layers.py`, for the one `Phase` that its graph is
for.
"""

from __future__ import annotations

from collections.abc import Iterable

from .. import architecture as arch
from .graph import TIME, Graph
from .plan import Phase

_END = 2**62  # a slice's end that means the end
_GROUP_NORM_EPS = 1e-5


class LayerBuilder:
    """Adds layers to a graph.

    Args:
        graph: to add to.
        part: `"encoder"` or `"decoder"`, the first part of its weights' names.
        phase: of the stream; it decides about padding.
        keep: whether the graph gives the states from which the stream goes on.
    """

    def __init__(self, graph: Graph, part: str, phase: Phase, *, keep: bool) -> None:
        self.graph = graph
        self.part = part
        self.phase = phase
        self.keep = keep

    def chain(self, x: str, layers: Iterable[arch.Layer]) -> str:
        """Layers in a row."""
        for layer in layers:
            x = self._layer(x, layer)
        return x

    def _layer(self, x: str, layer: arch.Layer) -> str:
        match layer:
            case arch.Elu():
                return self._elu(x)
            case arch.Conv():
                return self._conv(x, layer)
            case arch.TransposedConv():
                return self._transposed_conv(x, layer)
            case arch.Lstm():
                return self._lstm(x, layer)
            case arch.Residual():
                skip = x if layer.shortcut is None else self._conv(x, layer.shortcut)
                return self.graph.op("Add", skip, self.chain(x, layer.branch))

    def _weight(self, layer: arch.Layer, name: str, shape: tuple[int, ...]) -> str:
        return self.graph.weight(f"{self.part}.{layer.name}.{name}", shape)

    # ---- ELU -------------------------------------------------------------------------------

    def _elu(self, x: str) -> str:
        """max(x, min(exp(x), 1) - 1): four vectorized operations take half the time of `Elu`."""
        graph, one = self.graph, self.graph.number(1)
        below = graph.op("Sub", graph.op("Min", graph.op("Exp", x), one), one)
        return graph.op("Max", x, below)

    # ---- convolutions ----------------------------------------------------------------------

    def _conv(self, x: str, spec: arch.Conv) -> str:
        graph = self.graph
        x = self._extend(x, spec)
        if self.keep and spec.span > spec.stride:
            self._keep(x, spec.name, spec.in_channels, spec.span - spec.stride)
        weight = self._weight(spec, "conv.weight", (spec.out_channels, spec.in_channels, 1, spec.kernel_size))
        bias = self._weight(spec, "conv.bias", (spec.out_channels,))
        y = graph.op("Conv", x, weight, bias, strides=[1, spec.stride], dilations=[1, spec.dilation])
        return self._normalize(y, spec)

    def _extend(self, x: str, spec: arch.Conv) -> str:
        """Put before and after x what its outputs see there: the past, or padding."""
        graph, (left, right) = self.graph, spec.padding
        before, after = graph.ints(left), graph.ints(right)
        partial = self.phase.last and spec.stride > 1
        if partial:  # a last partial stride is filled up
            missing = graph.op("Mod", graph.op("Neg", graph.size(x)), graph.ints(spec.stride))
            after = graph.op("Add", missing, after)
        if not self.phase.fresh:
            if left:
                x = self._recall(x, spec.name, spec.in_channels, left)
            # Only causal models have a past, and these are padded on the right for a partial stride alone.
            return self._pad(x, graph.ints(0), after, spec.pad_mode) if partial else x
        if left == right == 0 and not partial:
            return x
        if self.phase.last and spec.pad_mode == "reflect":
            return self._mirror_short(x, before, after)
        return self._pad(x, before, after, spec.pad_mode)

    def _mirror_short(self, x: str, left: str, right: str) -> str:
        """Mirror at both ends; an input too short for that sees zeros after it, which do not stay.

        The rule of `nn.padding.pad`.
        """
        graph = self.graph
        reach = graph.op("Add", graph.op("Max", left, right), graph.ints(1))
        short = graph.op("Max", graph.op("Sub", reach, graph.size(x)), graph.ints(0))
        x = self._pad(x, graph.ints(0), short, "constant")
        x = self._pad(x, left, right, "reflect")
        return graph.slice(x, graph.ints(0), graph.op("Sub", graph.size(x), short))

    def _pad(self, x: str, left: str, right: str, mode: str) -> str:
        graph = self.graph
        pads = graph.op("Concat", left, right, axis=0)
        return graph.op("Pad", x, pads, "", graph.ints(TIME), mode=mode)

    def _transposed_conv(self, x: str, spec: arch.TransposedConv) -> str:
        """As a convolution of kernel 2 over (the frame before, this frame) to `stride` steps at once.

        The kernel is twice the stride, so a frame's outputs overlap only those of the next.
        """
        graph, stride, (trim, _) = self.graph, spec.stride, spec.trim
        if self.phase.fresh:
            x = self._pad(x, graph.ints(1), graph.ints(0), "constant")
        else:
            x = self._recall(x, spec.name, spec.in_channels, 1)
        if self.keep:
            self._keep(x, spec.name, spec.in_channels, 1)
        if self.phase.last and trim:
            x = self._pad(x, graph.ints(0), graph.ints(1), "constant")
        weight = self._weight(spec, "conv.weight", (stride * spec.out_channels, spec.in_channels, 1, 2))
        bias = self._weight(spec, "conv.bias", (stride * spec.out_channels,))
        y = graph.op("Conv", x, weight, bias)  # (B, stride * C, 1, F)
        y = graph.op("Reshape", y, graph.ints(0, spec.out_channels, stride, -1))
        y = graph.op("Transpose", y, perm=[0, 1, 3, 2])
        y = graph.op("Reshape", y, graph.ints(0, spec.out_channels, 1, -1))
        y = self._normalize(y, spec)
        begin = trim if self.phase.fresh else 0
        end = trim - stride if self.phase.last and trim else 0
        return graph.slice(y, graph.ints(begin), graph.ints(end or _END)) if begin or end else y

    # ---- states ----------------------------------------------------------------------------

    def _recall(self, x: str, name: str, channels: int, steps: int) -> str:
        past = self.graph.input(name, ("batch", channels, 1, steps))
        return self.graph.op("Concat", past, x, axis=TIME)

    def _keep(self, x: str, name: str, channels: int, steps: int) -> None:
        graph = self.graph
        graph.slice(x, graph.ints(-steps), graph.ints(_END), into=f"{name}.next")
        graph.output(f"{name}.next", ("batch", channels, 1, steps))

    # ---- norm ------------------------------------------------------------------------------

    def _normalize(self, y: str, spec: arch.Conv | arch.TransposedConv) -> str:
        """Group norm with one group, over channels and time."""
        if spec.norm != "time_group_norm":
            return y
        graph, channels = self.graph, spec.out_channels
        # Instance norm takes each channel alone; with all channels laid into one it is group norm of one group.
        flat = graph.op("Reshape", y, graph.ints(0, 1, -1))
        one, zero = graph.numbers(1), graph.numbers(0)
        flat = graph.op("InstanceNormalization", flat, one, zero, epsilon=_GROUP_NORM_EPS)
        y = graph.op("Reshape", flat, graph.ints(0, channels, 1, -1))
        y = graph.op("Mul", y, self._weight(spec, "norm.weight", (channels, 1, 1)))
        return graph.op("Add", y, self._weight(spec, "norm.bias", (channels, 1, 1)))

    # ---- LSTM ------------------------------------------------------------------------------

    def _lstm(self, x: str, spec: arch.Lstm) -> str:
        graph, size = self.graph, spec.size
        frames = graph.op("Transpose", graph.op("Squeeze", x, graph.ints(2)), perm=[2, 0, 1])  # (F, B, C)
        y = frames
        for index in range(spec.num_layers):
            past = ["", ""]
            into = [f"{spec.name}.{index}.y"]
            for i, letter in enumerate("hc"):
                name = f"{spec.name}.{letter}{index}"
                if not self.phase.fresh:
                    past[i] = graph.input(name, (1, "batch", size))
                if self.keep:
                    into.append(f"{name}.next")
                    graph.output(f"{name}.next", (1, "batch", size))
            weights = [
                self._weight(spec, f"{index}.input", (1, 4 * size, size)),
                self._weight(spec, f"{index}.recurrence", (1, 4 * size, size)),
                self._weight(spec, f"{index}.bias", (1, 8 * size)),
            ]
            out = graph.ops("LSTM", y, *weights, "", *past, into=into, hidden_size=size)[0]
            y = graph.op("Squeeze", out, graph.ints(1))
        y = graph.op("Transpose", graph.op("Add", y, frames), perm=[1, 2, 0])
        return graph.op("Unsqueeze", y, graph.ints(2))
