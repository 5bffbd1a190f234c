"""Draw docs/architecture.svg: the networks of 24 kHz and 48 kHz, from the records of `recodec.architecture`.

    python docs/make/architecture.py

Each row is a layer of the encoder on the left, and the layer of the decoder that undoes it on the right. The bands
below them show the rates: a layer with a stride lies on the border of two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recodec import EncodecConfig, presets
from recodec.architecture import Conv, Elu, Layer, Lstm, Residual, TransposedConv, decoder_layers, encoder_layers
from recodec.atomic import write_text

OUT = Path(__file__).parents[1] / "architecture.svg"
PRESETS: tuple[Callable[[], EncodecConfig], ...] = (presets.encodec_24khz, presets.encodec_48khz)

# In the picture's units, of which a letter is 12 high.
MARGIN, BOX_WIDTH, BOX_HEIGHT, PITCH, MIDDLE = 16, 190, 36, 48, 76
PANEL_WIDTH = 2 * (MARGIN + BOX_WIDTH) + MIDDLE
TOP = 116  # of the first row, below the heading and the audio

# The card has a background of its own, so that it can be read on light and on dark pages.
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1c1e21; text-anchor: middle; }
.name, .head { font-weight: 600; }
.head { font-size: 16px; }
.card { fill: #ffffff; stroke: #c4c8cd; }
.band0 { fill: #f3f4f6; } .band1 { fill: #e6e9ed; }
.box { stroke: #6b7280; }
.conv { fill: #dbe8f8; } .stride { fill: #fbe0bf; } .residual { fill: #dff1d8; }
.lstm { fill: #ece0f6; } .codes { fill: #f9d9dc; }
.arrow { stroke: #6b7280; stroke-width: 1.5; marker-end: url(#head); } #head path { fill: #6b7280; }
@media (prefers-color-scheme: dark) {
  text { fill: #e8eaed; }
  .card { fill: #17191c; stroke: #4b5158; }
  .band0 { fill: #202327; } .band1 { fill: #2a2e33; }
  .box, .arrow { stroke: #9aa1ab; } #head path { fill: #9aa1ab; }
  .conv { fill: #20405f; } .stride { fill: #6a4515; } .residual { fill: #2c4f27; }
  .lstm { fill: #4a3360; } .codes { fill: #662f36; }
}
"""


@dataclass(frozen=True)
class Box:
    """A layer as it is drawn.

    Attributes:
        kind: its class in `STYLE`.
        name: what it is.
        detail: its widths, and whether an ELU goes before it.
        stride: by which it changes the rate.
    """

    kind: str
    name: str
    detail: str
    stride: int = 1


def boxes(layers: Sequence[Layer]) -> list[Box]:
    """One for each record that is not an ELU: those are told in the detail of what follows them."""
    found, before = [], ""
    for layer in layers:
        if isinstance(layer, Elu):
            before = "ELU, then "
            continue
        found.append(_box(layer, before))
        before = ""
    return found


def _box(layer: Conv | TransposedConv | Lstm | Residual, before: str) -> Box:
    if isinstance(layer, Lstm):
        return Box("lstm", f"LSTM, {layer.num_layers} layers", f"{before}{layer.size} wide, added to its input")
    if isinstance(layer, Residual):
        convs = [sub for sub in layer.branch if isinstance(sub, Conv)]
        widths = " → ".join(str(width) for width in [convs[0].in_channels, *(conv.out_channels for conv in convs)])
        kernels = " and ".join(str(conv.kernel_size) for conv in convs)
        shortcut = "" if layer.shortcut is None else f", shortcut {layer.shortcut.kernel_size}"
        return Box("residual", f"residual {kernels}", before + widths + shortcut)
    detail = f"{before}{layer.in_channels} → {layer.out_channels}"
    name = f"{'upsampling' if isinstance(layer, TransposedConv) else 'convolution'} {layer.kernel_size}"
    if layer.stride == 1:
        return Box("conv", name, detail)
    return Box("stride", f"{name}, stride {layer.stride}", detail, layer.stride)


def panel(config: EncodecConfig) -> Iterator[str]:
    """The elements of one model, from (0, 0) on, from top to bottom."""
    down, up = boxes(encoder_layers(config)), boxes(decoder_layers(config))[::-1]
    left, right, center = MARGIN + BOX_WIDTH // 2, PANEL_WIDTH - MARGIN - BOX_WIDTH // 2, PANEL_WIDTH // 2
    bottom = TOP + PITCH * len(down)
    sound = {1: "mono", 2: "stereo"}.get(config.audio_channels, f"{config.audio_channels} channels")
    yield _text(center, 28, f"{config.sampling_rate / 1000:g} kHz, {sound}", "head")
    yield _text(center, 48, _character(config))
    yield from _bands(config, [box.stride for box in down])
    yield _text(left, TOP - 34, "encoder: audio in", "name")
    yield _text(right, TOP - 34, "decoder: audio out", "name")
    yield _arrow(left, TOP - 28, TOP - 2)
    yield _arrow(right, TOP, TOP - 26)
    for row, (encoding, decoding) in enumerate(zip(down, up, strict=True)):
        y = TOP + PITCH * row
        yield from _draw(encoding, left, y)
        yield from _draw(decoding, right, y)
        yield _arrow(left, y + BOX_HEIGHT, y + PITCH - 2)
        yield _arrow(right, y + PITCH, y + BOX_HEIGHT + 2)
    yield from _quantizer(config, bottom)


def _character(config: EncodecConfig) -> str:
    """What tells the model from others besides its sizes, in a line."""
    parts = [
        "causal" if config.use_causal_conv else "looks ahead",
        config.norm_type.replace("_", " "),
        f"frames of {1000 * config.hop_length / config.sampling_rate:.1f} ms",
    ]
    if config.chunk_length_s is not None:
        parts.append(f"segments of {config.chunk_length_s:g} s")
    return ", ".join(parts)


def _bands(config: EncodecConfig, strides: Sequence[int]) -> Iterator[str]:
    """A band for each rate, from the middle of a layer with a stride to that of the next one."""
    start, rate, index = TOP - 52, config.sampling_rate, 0
    middles = [(TOP + PITCH * row + BOX_HEIGHT // 2, stride) for row, stride in enumerate(strides) if stride > 1]
    end = TOP + PITCH * len(strides) + BOX_HEIGHT + 14
    for stop, stride in [*middles, (end, 1)]:
        yield f'<rect class="band{index % 2}" x="1" y="{start}" width="{PANEL_WIDTH - 2}" height="{stop - start}"/>'
        last = TOP + PITCH * len(strides) if stop == end else stop  # the quantizer covers the end of the last band
        yield _text(PANEL_WIDTH // 2, (start + last) // 2 + 4, f"{rate:,} Hz", "name")
        start, rate, index = stop, -(-rate // stride), index + 1


def _quantizer(config: EncodecConfig, y: int) -> Iterator[str]:
    low, high = config.target_bandwidths[0], config.target_bandwidths[-1]
    detail = (f"{config.frame_rate} frames a second; {config.quantizers_for(low)} codebooks are {low:g} kbps, "
              f"{config.quantizers_for(high)} are {high:g} kbps")  # fmt: skip
    name = (f"residual quantizer: {config.num_quantizers} codebooks of {config.codebook_size:,} vectors, "
            f"{config.codebook_dim} wide")  # fmt: skip
    yield from _draw(Box("codes", name, detail), PANEL_WIDTH // 2, y, PANEL_WIDTH - 2 * MARGIN)


def _draw(box: Box, x: int, y: int, width: int = BOX_WIDTH) -> Iterator[str]:
    yield f'<rect class="box {box.kind}" x="{x - width // 2}" y="{y}" width="{width}" height="{BOX_HEIGHT}" rx="5"/>'
    yield _text(x, y + 15, box.name, "name")
    yield _text(x, y + 30, box.detail)


def _text(x: int, y: int, text: str, kind: str = "plain") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}">{text}</text>'


def _arrow(x: int, start: int, stop: int) -> str:
    return f'<path class="arrow" d="M{x} {start}V{stop}"/>'


def picture(configs: Sequence[EncodecConfig]) -> str:
    """The SVG of some models, side by side."""
    rows = max(len(boxes(encoder_layers(config))) for config in configs)
    width, height = MARGIN + (PANEL_WIDTH + MARGIN) * len(configs), TOP + PITCH * rows + BOX_HEIGHT + 14 + MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
        "<title>Encoder, quantizer and decoder, layer by layer</title>",
        f"<style>{STYLE}</style>",
        '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="5" markerHeight="5" orient="auto">'
        '<path d="M0 0L8 4L0 8z"/></marker>',
        f'<rect class="card" x="1" y="1" width="{width - 2}" height="{height - 2}" rx="8"/>',
    ]
    for index, config in enumerate(configs):
        lines += [f'<g transform="translate({MARGIN + index * (PANEL_WIDTH + MARGIN)} 0)">', *panel(config), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    """Write the picture."""
    write_text(OUT, picture([preset() for preset in PRESETS]))


if __name__ == "__main__":
    main()
