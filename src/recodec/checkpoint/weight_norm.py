"""Weight norm (weight = gain * direction / |direction|) undone and redone, alike on every machine.

Norms are over all axes but the first, for convolutions and transposed convolutions alike, as
`torch.nn.utils.parametrizations.weight_norm` has them by default.

Sums in floating point depend on their order, so on the machine. Here the squares are first rounded
to whole multiples of a power of two, so small in number of bits that their sum is exact in any order;
what remains are single IEEE operations. So a folded weight has the same bits everywhere, which is
what makes a fingerprint of folded weights possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from .. import architecture as arch
from ..config import EncodecConfig

GAIN = "parametrizations.weight.original0"
DIRECTION = "parametrizations.weight.original1"

_EXACT_BITS = 53  # whole numbers up to 2^53 are exact in float64


def fold_weight(gain: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Gain (M, 1, 1) and direction (M, ...) to the weight (M, ...) that they make, float32.

    Where a direction is all zeros, which torch turns into NaN, the weight is 0.
    """
    norm = _norm(direction)
    wide = direction.astype(np.float64)  # in place from here on: each run of a command waits for all weights
    wide *= gain
    wide /= np.where(norm > 0, norm, 1)
    return wide.astype(np.float32)


def unfold_weight(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A weight (M, ...) to gain (M, 1, 1), float32, and direction (M, ...), of the weight's type.

    Folding them again gives back the weight, bit for bit.
    """
    gain = _norm(weight)
    # All zeros have no direction, and torch would divide by their norm: any other will do.
    return gain, np.where(gain > 0, weight, np.ones_like(weight))


def fold(tensors: Mapping[str, np.ndarray], config: EncodecConfig) -> dict[str, np.ndarray]:
    """Replace each gain and direction by `conv.weight` (float32). Other tensors stay as they are.

    Args:
        tensors: in our layout, as `conform` returns them. What is folded already stays as it is.
        config: of the same model. Without weight norm there is nothing to fold.
    """
    folded = dict(tensors)
    for conv in weight_normed(config):
        if f"{conv}.weight" not in folded:
            gain, direction = folded.pop(f"{conv}.{GAIN}"), folded.pop(f"{conv}.{DIRECTION}")
            folded[f"{conv}.weight"] = fold_weight(gain, direction)
    return folded


def unfold(tensors: Mapping[str, np.ndarray], config: EncodecConfig) -> dict[str, np.ndarray]:
    """Undo `fold`: the gain is the weight's norm and the direction the weight itself.

    What is not folded stays as it is.
    """
    unfolded = dict(tensors)
    for conv in weight_normed(config):
        if f"{conv}.weight" in unfolded:
            gain, direction = unfold_weight(unfolded.pop(f"{conv}.weight"))
            unfolded[f"{conv}.{GAIN}"], unfolded[f"{conv}.{DIRECTION}"] = gain, direction
    return unfolded


def weight_normed(config: EncodecConfig) -> Iterator[str]:
    """Names of all convolutions with weight norm, for example `encoder.layers.1.block.1.conv`."""
    for part, layers in (("encoder", arch.encoder_layers(config)), ("decoder", arch.decoder_layers(config))):
        for layer in arch.weighted_layers(layers):
            if not isinstance(layer, arch.Lstm) and layer.norm == "weight_norm":
                yield f"{part}.{layer.name}.conv"


def _norm(direction: np.ndarray) -> np.ndarray:
    """(M, ...) to its norms (M, 1, 1), float32.

    With n < 2^bits squares below 2^e, only whole multiples of 2^(e + bits - 53) are kept: their sum is a
    whole number of them below 2^53. What is cut off is less than 2^-28 of the norm for up to 4,096
    squares; the last digit of a float32 is 2^-24 of it or more.
    """
    squares = direction.astype(np.float32, copy=False).astype(np.float64).reshape(len(direction), -1)
    squares *= squares  # exact: 24 bits times 24 bits
    _, exponent = np.frexp(squares.max(axis=1, keepdims=True))
    unit = np.ldexp(1.0, exponent + (squares.shape[1].bit_length() - _EXACT_BITS))
    squares /= unit
    total = np.rint(squares, out=squares).sum(axis=1, keepdims=True) * unit
    return np.sqrt(total).astype(np.float32).reshape(-1, *[1] * (direction.ndim - 1))
