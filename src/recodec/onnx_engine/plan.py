"""How a stream is cut into graphs: pure arithmetic on the layer records.

A network becomes up to four graphs, one for each `Phase`. In the middle of a stream, where time is
spent, pushes are whole units (a hop of samples, or a frame) and every layer's past has a fixed size, so
that graph is a pure function without a branch; all that is special lies in the other three.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .. import architecture as arch
from ..config import EncodecConfig
from ..spectral import SpectralConfig

SIGNALS = ("audio", "latents", "codes", "scale", "condition")
"""Inputs and outputs of graphs that are not states."""


class Phase(Enum):
    """Which ends of a stream a push touches."""

    START = "start"
    STEP = "step"
    END = "end"
    WHOLE = "whole"

    @property
    def fresh(self) -> bool:
        """Whether the stream begins with this push, so that nothing is past."""
        return self in (Phase.START, Phase.WHOLE)

    @property
    def last(self) -> bool:
        """Whether the stream ends with this push, so that nothing is to come."""
        return self in (Phase.END, Phase.WHOLE)


@dataclass(frozen=True)
class StreamPlan:
    """What the pushes of one network's stream must look like.

    Attributes:
        unit: a push in the middle is a multiple of this many input steps.
        first: units that the first push needs, more than one where the padding is mirrored.
        start: graph of the first push; `STEP`, from a past of zeros, where padding is zeros; `WHOLE`, which
            then gives states too, where whole units need nothing at their end.
        tail: whether even an end of whole units adds something: what transposed convolutions trimmed on
            their left then comes out on their right. One unit is held back for that.
        flush: whether the end adds something although no unit is held back for it.
    """

    unit: int
    first: int
    start: Phase
    tail: bool
    flush: bool = False

    @property
    def phases(self) -> tuple[Phase, ...]:
        """Phases that a stream or a whole input may need, each once."""
        can_end = self.unit > 1 or self.tail or self.flush
        return tuple(dict.fromkeys((self.start, Phase.STEP, *([Phase.END] if can_end else []), Phase.WHOLE)))


def encoder_plan(config: EncodecConfig) -> StreamPlan:
    """Plan of the encoder, whose unit is a hop of samples."""
    return _plan(arch.encoder_layers(config), config.hop_length, config.pad_mode)


def decoder_plan(config: EncodecConfig) -> StreamPlan:
    """Plan of the decoder, whose unit is a frame."""
    return _plan(arch.decoder_layers(config), 1, config.pad_mode)


def phases_by_network(config: EncodecConfig) -> dict[str, tuple[Phase, ...]]:
    """Phases of the encoder and of the decoder that streams and whole inputs may need."""
    plans = {"encoder": encoder_plan(config), "decoder": decoder_plan(config)}
    return {part: plan.phases if config.is_streamable else (Phase.WHOLE,) for part, plan in plans.items()}


def spectral_plan(config: SpectralConfig) -> StreamPlan:
    """Plan of a spectral decoder, whose unit is a frame. The first push reaches beyond the first windows, which
    are not overlapped from the left: within a stream, windows overlap alike everywhere."""
    first, ahead = config.look_ahead_frames + config.parts - 1, config.look_ahead > 0
    # What looks ahead has frames left at the end. What does not holds one frame back, for the last windows.
    return StreamPlan(1, first, Phase.START, tail=not ahead, flush=ahead)


def _plan(layers: tuple[arch.Layer, ...], unit: int, pad_mode: str) -> StreamPlan:
    first, rate, cut = 1, unit, 0  # n units are n * rate - cut steps at the current layer
    for layer in arch.weighted_layers(layers):
        if isinstance(layer, arch.Conv):
            # The mirror must not reach beyond the push; zeros need at least one step beside them.
            needed = layer.padding[0] if pad_mode == "reflect" else 0
            first = max(first, (needed + cut) // rate + 1)
            rate //= layer.stride
        elif isinstance(layer, arch.TransposedConv):
            rate *= layer.stride
            cut = cut * layer.stride + layer.trim[0]
    if cut:
        return StreamPlan(unit, first, Phase.START, tail=True)
    return StreamPlan(unit, first, Phase.WHOLE if pad_mode == "reflect" else Phase.STEP, tail=False)
