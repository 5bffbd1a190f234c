"""The graphs of a model: encoder and decoder in their phases, and the quantizer.

    encoder    audio (B, C, T)         to  latents (B, D, F), or codes (B, K, F) with a quantizer in it
    quantizer  latents (B, D, F)       to  codes (B, K, F)
    decoder    codes (B, K, F), any K  to  audio (B, C, T)

A model that normalizes has an output, or input, `scale` (B,) beside them. States are inputs named by
their layer and outputs of the same name with `.next` after it.
"""

from __future__ import annotations

from onnx import ModelProto, TensorProto

from .. import architecture as arch
from ..config import EncodecConfig
from .graph import Graph
from .layers import LayerBuilder
from .plan import Phase, StreamPlan, decoder_plan, encoder_plan

_SCALE_FLOOR = 1e-8  # keeps silence from being divided by zero (paper section 3.4, as released)


def build(config: EncodecConfig, name: str) -> ModelProto:
    """The graph of that name: `encoder.PHASE`, `decoder.PHASE` or `quantizer.K`."""
    part, _, detail = name.partition(".")
    match part:
        case "encoder":
            return encoder_graph(config, Phase(detail))
        case "decoder":
            return decoder_graph(config, Phase(detail))
        case _:
            return quantizer_graph(config, int(detail))


def encoder_graph(config: EncodecConfig, phase: Phase, num_quantizers: int | None = None) -> ModelProto:
    """Encoder of one phase.

    Args:
        config: of the model.
        phase: of the stream.
        num_quantizers: if given, the quantizer follows, and the output is `codes` in place of `latents`.
    """
    graph = Graph(f"encoder_{phase.value}")
    audio = graph.input("audio", ("batch", config.audio_channels, "samples"))
    if config.normalize:
        audio = _unit_power(graph, audio)
    x = graph.op("Unsqueeze", audio, graph.ints(2))
    layers = LayerBuilder(graph, "encoder", phase, keep=_keeps(encoder_plan(config), phase, config))
    x = layers.chain(x, arch.encoder_layers(config))
    latents = graph.op("Squeeze", x, graph.ints(2), into="latents")
    if num_quantizers is None:
        graph.output(latents, ("batch", config.hidden_size, "frames"))
    else:
        _quantize(graph, latents, config, num_quantizers)
    return graph.model()


def quantizer_graph(config: EncodecConfig, num_quantizers: int) -> ModelProto:
    """Residual vector quantization (paper section 3.2) with the first `num_quantizers` codebooks."""
    graph = Graph(f"quantizer_{num_quantizers}")
    _quantize(graph, graph.input("latents", ("batch", config.hidden_size, "frames")), config, num_quantizers)
    return graph.model()


def decoder_graph(config: EncodecConfig, phase: Phase) -> ModelProto:
    """Decoder of one phase, from codes of any number of codebooks up to the model's."""
    graph = Graph(f"decoder_{phase.value}")
    codes = graph.input("codes", ("batch", "codebooks", "frames"), TensorProto.INT64)
    scale = graph.input("scale", ("batch",)) if config.normalize else None
    latents = graph.op("Transpose", look_up(graph, codes, config), perm=[0, 2, 1])
    x = graph.op("Unsqueeze", latents, graph.ints(2))
    layers = LayerBuilder(graph, "decoder", phase, keep=_keeps(decoder_plan(config), phase, config))
    x = layers.chain(x, arch.decoder_layers(config))
    if scale is None:
        graph.op("Squeeze", x, graph.ints(2), into="audio")
    else:
        scale = graph.op("Unsqueeze", scale, graph.ints(1, 2))
        graph.op("Mul", graph.op("Squeeze", x, graph.ints(2)), scale, into="audio")
    graph.output("audio", ("batch", config.audio_channels, "samples"))
    return graph.model()


def _keeps(plan: StreamPlan, phase: Phase, config: EncodecConfig) -> bool:
    """Whether a stream can go on after the graph of this phase."""
    return config.is_streamable and phase in (Phase.STEP, plan.start)


def _unit_power(graph: Graph, audio: str) -> str:
    """Divide by the root mean square of the channels' mean, which becomes the output `scale`."""
    mono = graph.op("ReduceMean", audio, graph.ints(1), keepdims=1)
    power = graph.op("ReduceMean", graph.op("Mul", mono, mono), graph.ints(2), keepdims=1)
    scale = graph.op("Add", graph.op("Sqrt", power), graph.number(_SCALE_FLOOR))
    graph.op("Reshape", scale, graph.ints(-1), into="scale")
    graph.output("scale", ("batch",))
    return graph.op("Div", audio, scale)


def _quantize(graph: Graph, latents: str, config: EncodecConfig, num_quantizers: int) -> None:
    """argmin |x - e|^2 = argmax x.e - |e|^2 / 2, codebook after codebook on what is left over."""
    size, width = config.codebook_size, config.hidden_size
    frames = graph.op("Transpose", latents, perm=[0, 2, 1])
    residual = graph.op("Reshape", frames, graph.ints(-1, width))
    rows = []
    for k in range(num_quantizers):
        entries = graph.weight(f"quantizer.{k}.embed", (size, width))
        offset = graph.weight(f"quantizer.{k}.offset", (size,))
        score = graph.op("Gemm", residual, entries, offset, transB=1)
        rows.append(graph.op("ArgMax", score, axis=1, keepdims=0))  # (B * F,)
        if k + 1 < num_quantizers:
            residual = graph.op("Sub", residual, graph.op("Gather", entries, rows[-1]))
    shape = graph.op("Concat", graph.ints(num_quantizers), graph.size(latents, 0), graph.ints(-1), axis=0)
    codes = graph.op("Reshape", graph.op("Concat", *rows, axis=0), shape)  # (K, B, F)
    graph.op("Transpose", codes, perm=[1, 0, 2], into="codes")
    graph.output("codes", ("batch", num_quantizers, "frames"), TensorProto.INT64)


def look_up(graph: Graph, codes: str, config: EncodecConfig) -> str:
    """(B, K, F) codes to (B, F, D) latents, the sum of the entries."""
    size, count = config.codebook_size, config.num_quantizers
    # All codebooks are one table, so that one lookup serves any number of codebooks.
    entries = graph.weight("quantizer.embed", (count * size, config.hidden_size))
    starts = graph.op("Reshape", graph.ints(*range(0, size * count, size)), graph.ints(-1, 1))
    starts = graph.slice(starts, graph.ints(0), graph.size(codes, 1), axis=0)
    latents = graph.op("Gather", entries, graph.op("Add", codes, starts))  # (B, K, F, D)
    return graph.op("ReduceSum", latents, graph.ints(1), keepdims=0)
