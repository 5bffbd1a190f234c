"""The README beside exported graphs: what they take, what they give, and in which order to run them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import ModelProto, TensorProto, ValueInfoProto

from ..config import EncodecConfig
from ..spectral import SpectralConfig
from .plan import SIGNALS, Phase, decoder_plan, encoder_plan, spectral_plan

_TYPES: dict[int, str] = {TensorProto.FLOAT: "float32", TensorProto.INT64: "int64"}

_STREAM = """\
## Running a stream

`encoder.onnx` turns audio into codes and `decoder.onnx` codes into audio, piece by piece. A graph
remembers nothing: for every input `NAME` that is a state there is an output `NAME.next`; feed it as
`NAME` at the next push. Streams that are equally far can share a call: they lie along `batch`, and a
state can be cut and joined along that axis.

**Encoding**
1. {encoder_start}
2. Then push multiples of {hop} samples into `encoder.onnx`; a push of {hop} gives one frame.
3. At the end, if samples that do not fill a frame are left, push them, after any whole frames, into
   `encoder_end.onnx`, which pads them. After whole frames there is nothing to do.

**Decoding**
1. {decoder_start}
2. Then push one or more frames of codes into `decoder.onnx`; {decoded}
3. {decoder_end} The result is up to {less} samples longer than the recording was: cut it.
"""

_ZEROS = "Begin with all states zero, of the shapes below."
_START = """\
Push the first {count} or more {units} into `{part}_start.onnx`: this model mirrors its input at the
   start, and its first result waits for what is mirrored. From there take all states.{whole}"""
_WHOLE = """ A recording that
   is over before may be pushed into it as well, of any length; then its states are of no use."""

_SEGMENT = """\
## Running

This model takes a whole {piece} at once. `encoder.onnx` turns it into codes and
`decoder.onnx` turns the codes into audio, up to {less} samples longer than what went in: cut it.
"""
_CHUNKS = """\
A segment has {size:,} samples, the last one of a recording what is left, and starts {stride:,} samples after the
one before. To join decoded segments, weigh each by a triangle over the length of the first, add them up, and
divide by the sum of the weights.
"""
_SCALE = """\
The encoder divides a segment by its loudness; give that `scale` to the decoder with its codes.
"""


_SPECTRAL = """\
## Decoding with the second decoder

`spectral.onnx` decodes the same codes, and sounds better; it looks {look_ahead} frames ahead. Push the first {first} or
more frames into `spectral_start.onnx` and take all states from there; then any number of frames into `spectral.onnx`;
at the end what is left, or no frames at all, into `spectral_end.onnx`. A recording of fewer than {first} frames is for
`decoder.onnx`. In all, the result is as long as that of `decoder.onnx`.
"""


def readme(config: EncodecConfig, graphs: Mapping[str, ModelProto], spectral: SpectralConfig | None = None) -> str:
    """Text of the README.

    Args:
        config: of the model.
        graphs: by the names of their files.
        spectral: of the spectral decoder, if it is among them.
    """
    parts = [_head(config), _stream(config) if config.is_streamable else _segment(config)]
    if spectral is not None:
        plan = spectral_plan(spectral)
        parts.append(_SPECTRAL.format(look_ahead=spectral.look_ahead_frames, first=plan.first))
    for part in ("encoder", "decoder") if spectral is None else ("encoder", "decoder", "spectral"):
        files = {name: graph for name, graph in graphs.items() if name.startswith(part)}
        parts.append(_files(part, files))
    return "\n".join(parts)


def _head(config: EncodecConfig) -> str:
    channels = "mono" if config.audio_channels == 1 else "stereo"
    return f"""\
# EnCodec as ONNX graphs

{config.sampling_rate:,} Hz {channels}, float32 samples from -1 to 1. One frame of codes covers {config.hop_length}
samples; a code is a number from 0 to {config.codebook_size - 1}. Fewer codebooks make a lower bitrate: drop the
last ones of what the encoder gives; the decoder takes from 1 to {config.num_quantizers}.
"""


def _stream(config: EncodecConfig) -> str:
    encoder, decoder = encoder_plan(config), decoder_plan(config)
    hop, tail = config.hop_length, decoder.tail
    whole = "" if tail else _WHOLE
    starts = [_ZEROS, _ZEROS]
    if encoder.start is not Phase.STEP:
        starts[0] = _START.format(count=encoder.first, units=f"times {hop} samples", part="encoder", whole=_WHOLE)
    if decoder.start is not Phase.STEP:
        starts[1] = _START.format(count=decoder.first, units="frames", part="decoder", whole=whole)
    return _STREAM.format(
        hop=hop,
        less=hop - 1,
        encoder_start=starts[0],
        decoder_start=starts[1],
        decoded="keep at least one frame back for the end." if tail else f"each gives {hop} samples.",
        decoder_end="At the end push the last frames into `decoder_end.onnx`." if tail else "The end is like the rest.",
    )


def _segment(config: EncodecConfig) -> str:
    size, stride = config.chunk_length, config.chunk_stride
    text = _SEGMENT.format(piece="recording" if size is None else "segment", less=config.hop_length - 1)
    if size is not None:
        text += _CHUNKS.format(size=size, stride=stride or size)
    return text + (_SCALE if config.normalize else "")


def _files(part: str, graphs: Mapping[str, ModelProto]) -> str:
    lines = [f"## {part.capitalize()}", "", "| file | takes | gives |", "| --- | --- | --- |"]
    for name in sorted(graphs):
        graph = graphs[name].graph
        lines.append(f"| `{name}` | {_signals(graph.input)} | {_signals(graph.output)} |")
    states = [value for value in graphs[f"{part}.onnx"].graph.input if value.name not in SIGNALS]
    if states:
        lines += ["", "The states, all float32:", "", "| name | shape |", "| --- | --- |"]
        lines += [f"| `{value.name}` | {_shape(value)} |" for value in states]
    return "\n".join(lines) + "\n"


def _signals(values: Sequence[ValueInfoProto]) -> str:
    signals = [f"`{v.name}` {_shape(v)} {_TYPES[v.type.tensor_type.elem_type]}" for v in values if v.name in SIGNALS]
    return "; ".join([*signals, "all states"] if len(signals) < len(values) else signals)


def _shape(value: ValueInfoProto) -> str:
    return f"({', '.join(dim.dim_param or str(dim.dim_value) for dim in value.type.tensor_type.shape.dim)})"
