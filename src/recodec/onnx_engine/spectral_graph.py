"""The graphs of a spectral decoder, in its phases: latents (B, D, F), or codes (B, K, F), to audio (B, 1, T).

Tensors are (B, F, C), as in `nn/spectral.py`, whose layers these are. Convolutions over frames are sums of shifted
products, and the inverse transform is a product with a matrix, so that nothing needs another layout.
"""

from __future__ import annotations

from onnx import ModelProto, TensorProto

from .. import spectral as arch
from ..config import EncodecConfig
from ..spectral import SpectralConfig
from .build import look_up
from .graph import Graph
from .plan import Phase
from .spectral_weights import GELU_DIP

_FRAMES = 1  # axis of the frames in (B, F, C)
_CHANNELS = 2
_END = 2**62  # a slice's end that means the end
_SQRT_2 = 2**0.5
_TINY = 1e-20  # a frame of zeros has this as its largest number, so that nothing is divided by 0


def spectral_graph(
    config: SpectralConfig, phase: Phase, model: EncodecConfig | None = None, *, int8: bool = False
) -> ModelProto:
    """The graph of one phase.

    Args:
        config: of the decoder.
        phase: of the stream.
        model: if given, its codebooks come first, and the input is `codes` of any number of codebooks in place of
            `latents`. Where the norms are adapted, latents have the input `condition` (1,) beside them.
        int8: whether the products of the blocks are of 8-bit integers, as `spectral_weights` gives them then.
    """
    graph = Graph(f"spectral_{phase.value}")
    condition = ""
    if model is None:
        latents = graph.input("latents", ("batch", config.input_channels, "frames"))
        x = graph.op("Transpose", latents, perm=[0, 2, 1])
        if config.condition_codebooks:
            condition = graph.input("condition", (1,), TensorProto.INT64)
    else:
        codes = graph.input("codes", ("batch", "codebooks", "frames"), TensorProto.INT64)
        x = look_up(graph, codes, model)
        if config.condition_codebooks:
            condition = _condition(graph, config, graph.size(codes, 1))
    builder = _Builder(graph, phase, condition, int8)
    for layer in arch.spectral_layers(config):
        x = builder.layer(x, layer)
    graph.op("Unsqueeze", x, graph.ints(1), into="audio")
    graph.output("audio", ("batch", 1, "samples"))
    return graph.model()


def _condition(graph: Graph, config: SpectralConfig, num_codebooks: str) -> str:
    """`SpectralConfig.condition` as a table in the graph."""
    most = max(config.condition_codebooks)
    tables = graph.ints(*(config.condition(count) for count in range(most + 1)))
    return graph.op("Gather", tables, graph.op("Min", num_codebooks, graph.ints(most)))


class _Builder:
    """Adds layers to a graph.

    Args:
        graph: to add to.
        phase: of the stream; it decides about the past, and about padding.
        condition: name of the tensor (1,) that says which table of adapted norms to take.
        int8: whether the products of the blocks are of 8-bit integers.
    """

    def __init__(self, graph: Graph, phase: Phase, condition: str, int8: bool) -> None:
        self.graph, self.phase, self._condition, self._int8 = graph, phase, condition, int8

    def layer(self, x: str, layer: arch.SpectralLayer) -> str:
        """One layer: (B, F, C) to (B, F', C'), and the last one to samples (B, T)."""
        match layer:
            case arch.FrameConv():
                return self._conv(x, layer)
            case arch.FrameNorm():
                return self._norm(x, layer)
            case arch.ConvNext():
                return self._block(x, layer)
            case arch.InverseStft():
                return self._inverse_stft(x, layer)

    # ---- convolutions ----------------------------------------------------------------------

    def _conv(self, x: str, spec: arch.FrameConv) -> str:
        """Dense: the frames that an output sees lie side by side, and are one product."""
        x = self._extend(x, spec)
        side_by_side = self.graph.op("Concat", *self._shifted(x, spec), axis=_CHANNELS)
        return self._linear(side_by_side, spec.name, spec.in_channels * spec.kernel_size, spec.out_channels)

    def _block(self, x: str, block: arch.ConvNext) -> str:
        graph, spec, size = self.graph, block.depthwise, block.norm.size
        x = self._extend(x, spec)
        linear = self._linear_int8 if self._int8 else self._linear
        y = self._norm(self._depthwise(x, spec), block.norm)
        y = linear(y, f"{block.name}.pwconv1", size, block.hidden_size)
        y = linear(self._gelu(y), f"{block.name}.pwconv2", block.hidden_size, size)
        # A slice to -0 would be empty.
        same = graph.slice(x, graph.ints(spec.past), graph.ints(-spec.look_ahead or _END), axis=_FRAMES)
        return graph.op("Add", same, y)

    def _depthwise(self, x: str, spec: arch.FrameConv) -> str:
        """As a convolution of an image one line high, for which ONNX Runtime is fastest."""
        graph, size = self.graph, spec.out_channels
        image = graph.op("Unsqueeze", graph.op("Transpose", x, perm=[0, 2, 1]), graph.ints(2))
        weight = graph.weight(f"{spec.name}.weight", (size, 1, 1, spec.kernel_size))
        y = graph.op("Conv", image, weight, graph.weight(f"{spec.name}.bias", (size,)), group=size)
        return graph.op("Transpose", graph.op("Squeeze", y, graph.ints(2)), perm=[0, 2, 1])

    def _extend(self, x: str, spec: arch.FrameConv) -> str:
        """Put before and after x what its outputs see there: the past, or zeros."""
        before = spec.past if self.phase.fresh else 0
        x = self._pad(x, before, spec.look_ahead if self.phase.last else 0)
        if not self.phase.fresh:
            x = self._recall(x, spec.name, spec.in_channels, spec.kernel_size - 1)
        if not self.phase.last:
            self._keep(x, spec.name, spec.in_channels, spec.kernel_size - 1)
        return x

    def _shifted(self, x: str, spec: arch.FrameConv) -> list[str]:
        """For each place in the kernel, the frames that it is applied to."""
        graph, reach = self.graph, spec.kernel_size - 1
        ends = [graph.ints(i - reach or _END) for i in range(spec.kernel_size)]
        return [graph.slice(x, graph.ints(i), end, axis=_FRAMES) for i, end in enumerate(ends)]

    # ---- products at each frame --------------------------------------------------------------

    def _linear(self, x: str, name: str, inputs: int, outputs: int) -> str:
        graph = self.graph
        weight, bias = graph.weight(f"{name}.weight", (inputs, outputs)), graph.weight(f"{name}.bias", (outputs,))
        rows = graph.op("Gemm", graph.op("Reshape", x, graph.ints(-1, inputs)), weight, bias)
        return self._frames(rows, x, outputs)

    def _linear_int8(self, x: str, name: str, inputs: int, outputs: int) -> str:
        """The product of integers of 8 bits: those of each frame have a scale of their own, and so has each output.

        So a frame's result does not depend on which frames come with it, and a stream may be cut anywhere.
        """
        graph = self.graph
        rows = graph.op("Reshape", x, graph.ints(-1, inputs))
        if name.endswith("pwconv1"):  # what a norm gives has both signs
            largest = graph.op("ReduceMax", graph.op("Abs", rows), graph.ints(1))
            largest, steps, middle = graph.op("Max", largest, graph.number(_TINY)), 127, 128
        else:  # what a GELU gives is hardly below 0; the bias takes the dip off again
            rows = graph.op("Add", rows, graph.number(GELU_DIP))
            largest, steps, middle = graph.op("ReduceMax", rows, graph.ints(1)), 255, 0
        scale = graph.op("Mul", largest, graph.number(1 / steps))
        scales = graph.op("Squeeze", scale, graph.ints(1))
        middles = graph.op("Expand", graph.byte(middle), graph.op("Shape", scales))
        rows = graph.op("QuantizeLinear", rows, scales, middles, axis=0)
        weight = graph.weight(f"{name}.weight", (inputs, outputs), TensorProto.INT8)
        sums = graph.op("Cast", graph.op("MatMulInteger", rows, weight, graph.byte(middle)), to=TensorProto.FLOAT)
        sums = graph.op("Mul", graph.op("Mul", sums, scale), graph.weight(f"{name}.scale", (outputs,)))
        return self._frames(graph.op("Add", sums, graph.weight(f"{name}.bias", (outputs,))), x, outputs)

    def _frames(self, rows: str, like: str, outputs: int) -> str:
        """Rows (B F, C) to (B, F, C), B and F being those of another tensor."""
        graph = self.graph
        frames = graph.op("Concat", graph.size(like, 0), graph.size(like, _FRAMES), graph.ints(outputs), axis=0)
        return graph.op("Reshape", rows, frames)

    def _norm(self, x: str, spec: arch.FrameNorm) -> str:
        graph, size = self.graph, spec.size
        if not spec.conditions:
            scale, shift = (graph.weight(f"{spec.name}.{kind}", (size,)) for kind in ("weight", "bias"))
            return graph.op("LayerNormalization", x, scale, shift, axis=-1, epsilon=spec.eps)
        ones, zeros = (graph.op("Expand", graph.number(n), graph.ints(size)) for n in (1, 0))
        x = graph.op("LayerNormalization", x, ones, zeros, axis=-1, epsilon=spec.eps)
        tables = [graph.weight(f"{spec.name}.{kind}.weight", (spec.conditions, size)) for kind in ("scale", "shift")]
        scale, shift = (graph.op("Gather", table, self._condition) for table in tables)  # (1, C)
        return graph.op("Add", graph.op("Mul", x, scale), shift)

    def _gelu(self, x: str) -> str:
        graph = self.graph
        error = graph.op("Erf", graph.op("Div", x, graph.number(_SQRT_2)))
        double = graph.op("Mul", x, graph.op("Add", error, graph.number(1)))
        return graph.op("Mul", double, graph.number(0.5))  # in this form ONNX Runtime makes one operation of it

    # ---- the transform ---------------------------------------------------------------------

    def _inverse_stft(self, x: str, spec: arch.InverseStft) -> str:
        graph, hop, reach = self.graph, spec.hop_length, spec.n_fft // spec.hop_length - 1
        spectrum = self._linear(x, spec.name, spec.in_channels, spec.n_fft + 2)
        windows = self._transform(spectrum, spec.n_fft, spec.max_magnitude)
        windows = self._pad(windows, reach if self.phase.fresh else 0, 0)
        if not self.phase.fresh:
            windows = self._recall(windows, spec.name, spec.n_fft, reach)
        if not self.phase.last:
            self._keep(windows, spec.name, spec.n_fft, reach)
        else:
            windows = self._pad(windows, 0, reach)
        audio = graph.op("Div", self._overlap_add(windows, spec), self._envelope(x, spec))  # (B, F', hop)
        audio = graph.op("Reshape", audio, graph.ints(0, -1))
        trim = (spec.n_fft - hop) // 2
        begin, end = (trim if self.phase.fresh else 0), (-trim if self.phase.last else _END)
        return graph.slice(audio, graph.ints(begin), graph.ints(end), axis=1)

    def _transform(self, spectrum: str, size: int, max_magnitude: float) -> str:
        """Inverse real transform (B, F, n_fft + 2) to (B, F, n_fft), windowed: four products of a quarter each.

        Of a wave, the other quarters follow from the first by its symmetry about a half and a quarter of the window:
        a cosine or sine of an even or odd number of periods is the same there, mirrored, or with the other sign.
        """
        graph, quarter, bins = self.graph, size // 4, size // 2 + 1
        log_magnitude = graph.slice(spectrum, graph.ints(0), graph.ints(bins), axis=_CHANNELS)
        phase = graph.slice(spectrum, graph.ints(bins), graph.ints(_END), axis=_CHANNELS)
        magnitude = graph.op("Min", graph.op("Exp", log_magnitude), graph.number(max_magnitude))
        waves = {}
        for kind in ("Cos", "Sin"):
            part = graph.op("Mul", magnitude, graph.op(kind, phase))
            for parity, first in (("even", 0), ("odd", 1)):
                count = len(range(first, bins, 2))
                chosen = graph.op(
                    "Slice", part, graph.ints(first), graph.ints(bins), graph.ints(_CHANNELS), graph.ints(2)
                )
                matrix = graph.weight(f"inverse_stft.{kind}.{parity}", (count, quarter + 1))
                waves[kind, parity] = graph.op("MatMul", chosen, matrix)
        even = [graph.op(op, waves["Cos", "even"], waves["Sin", "even"]) for op in ("Sub", "Add")]
        odd = [graph.op(op, waves["Cos", "odd"], waves["Sin", "odd"]) for op in ("Sub", "Add")]
        pairs = (("Add", even[0], odd[0]), ("Sub", even[1], odd[1]), ("Sub", even[0], odd[0]), ("Add", even[1], odd[1]))
        quarters = []
        for i, (op, *terms) in enumerate(pairs):
            x = graph.op(op, *terms)
            # Every second quarter mirrors the one before, so it is read backwards.
            begin, end, step = (quarter, 0, -1) if i % 2 else (0, quarter, 1)
            places = graph.ints(begin), graph.ints(end), graph.ints(_CHANNELS), graph.ints(step)
            quarters.append(graph.op("Slice", x, *places))
        samples = graph.op("Concat", *quarters, axis=_CHANNELS)
        return graph.op("Mul", samples, graph.weight("window", (size,)))

    def _overlap_add(self, windows: str, spec: arch.InverseStft) -> str:
        """(B, F, n_fft) to (B, F - parts + 1, hop), part i of a window being added i frames later."""
        graph, hop, parts = self.graph, spec.hop_length, spec.n_fft // spec.hop_length
        total = ""
        for i in range(parts):
            first, last = graph.ints(parts - 1 - i, i * hop), graph.ints(-i or _END, (i + 1) * hop)
            piece = graph.op("Slice", windows, first, last, graph.ints(_FRAMES, _CHANNELS))
            total = graph.op("Add", total, piece) if total else piece
        return total

    def _envelope(self, x: str, spec: arch.InverseStft) -> str:
        """Sum of the squares of the windows over each hop: (hop,) within a stream, (F', hop) at its ends."""
        graph, reach = self.graph, spec.n_fft // spec.hop_length - 1
        if self.phase is Phase.STEP:
            return graph.weight("envelope", (spec.hop_length,))
        frames = graph.op("Concat", graph.ints(1), graph.size(x, _FRAMES), graph.ints(1), axis=0)
        there = graph.op("Expand", graph.number(1), frames)  # (1, F, 1)
        if self.phase.fresh:
            there = self._pad(there, reach, 0)
        else:
            there = graph.op(
                "Concat", graph.op("Expand", graph.number(1), graph.ints(1, reach, 1)), there, axis=_FRAMES
            )
        there = self._pad(there, 0, reach if self.phase.last else 0)
        squares = graph.op("Mul", there, graph.weight("squared_window", (spec.n_fft,)))
        return self._overlap_add(squares, spec)

    # ---- frames before and after -----------------------------------------------------------------

    def _pad(self, x: str, before: int, after: int) -> str:
        if not before and not after:
            return x
        graph = self.graph
        return graph.op("Pad", x, graph.ints(before, after), "", graph.ints(_FRAMES))

    def _recall(self, x: str, name: str, channels: int, frames: int) -> str:
        past = self.graph.input(name, ("batch", frames, channels))
        return self.graph.op("Concat", past, x, axis=_FRAMES)

    def _keep(self, x: str, name: str, channels: int, frames: int) -> None:
        graph = self.graph
        graph.slice(x, graph.ints(-frames), graph.ints(_END), axis=_FRAMES, into=f"{name}.next")
        graph.output(f"{name}.next", ("batch", frames, channels))
