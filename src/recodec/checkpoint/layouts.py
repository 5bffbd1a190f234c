"""Names of tensors: every layout in the wild to ours, checked against what the network needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping

import numpy as np

from .. import architecture as arch
from .. import presets
from ..config import EncodecConfig
from ..errors import CheckpointError
from .weight_norm import DIRECTION, GAIN, unfold, weight_normed

_HALF_EXPONENT = np.uint16(0x7C00)  # all its bits are set in infinities and NaNs alone
_MOST_NAMED = 10

TRAINING_STATISTICS = (".inited", ".cluster_size", ".embed_avg")
"""Ends of the names of what a codebook keeps for its training; inference reads `embed` only."""

# Old weight norm of torch, and Meta's modules (which wrap each convolution twice), to our names.
_RENAMES = (
    (re.compile(r"^(encoder|decoder)\.model\."), r"\1.layers."),
    (re.compile(r"\.(conv\.conv|convtr\.convtr)\."), ".conv."),
    (re.compile(r"\.(conv|convtr)\.norm\."), ".norm."),
    (re.compile(r"^quantizer\.vq\.layers\.(\d+)\._codebook\."), r"quantizer.layers.\1.codebook."),
    (re.compile(r"\.weight_g$"), f".{GAIN}"),
    (re.compile(r"\.weight_v$"), f".{DIRECTION}"),
)

_PRESETS: tuple[Callable[[], EncodecConfig], ...] = (
    presets.encodec_24khz,
    presets.encodec_48khz,
    presets.encodec_32khz,
    presets.recodec_24khz,
)


def expected_tensors(config: EncodecConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors of a model in our layout: what is saved, and what must be there."""
    shapes: dict[str, tuple[int, ...]] = {}
    for part, layers in (("encoder", arch.encoder_layers(config)), ("decoder", arch.decoder_layers(config))):
        for layer in arch.weighted_layers(layers):
            for name, shape in _layer_tensors(layer).items():
                shapes[f"{part}.{layer.name}.{name}"] = shape
    size, width = config.codebook_size, config.hidden_size
    for k in range(config.num_quantizers):
        book = f"quantizer.layers.{k}.codebook"
        shapes[f"{book}.inited"] = (1,)
        shapes[f"{book}.cluster_size"] = (size,)
        shapes[f"{book}.embed"] = (size, width)
        shapes[f"{book}.embed_avg"] = (size, width)
    return shapes


def _layer_tensors(layer: arch.Conv | arch.TransposedConv | arch.Lstm) -> dict[str, tuple[int, ...]]:
    if isinstance(layer, arch.Lstm):
        shapes: dict[str, tuple[int, ...]] = {}
        for index in range(layer.num_layers):
            for side in ("ih", "hh"):
                shapes[f"lstm.weight_{side}_l{index}"] = (4 * layer.size, layer.size)
                shapes[f"lstm.bias_{side}_l{index}"] = (4 * layer.size,)
        return shapes
    weight = (layer.out_channels, layer.in_channels, layer.kernel_size)
    if isinstance(layer, arch.TransposedConv):
        weight = (layer.in_channels, layer.out_channels, layer.kernel_size)
    bias = (layer.out_channels,)
    if layer.norm == "weight_norm":
        return {"conv.bias": bias, f"conv.{GAIN}": (weight[0], 1, 1), f"conv.{DIRECTION}": weight}
    return {"conv.bias": bias, "conv.weight": weight, "norm.weight": bias, "norm.bias": bias}


def _sources(tensors: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Our name of each tensor to the name that the file gave it. Unknown names stay as they are."""
    sources: dict[str, str] = {}
    for source in tensors:
        name = source
        for pattern, replacement in _RENAMES:
            name = pattern.sub(replacement, name)
        if name in sources:
            raise CheckpointError(f"{sources[name]!r} and {source!r} of the checkpoint are the same tensor")
        sources[name] = source
    return sources


def conform(tensors: Mapping[str, np.ndarray], config: EncodecConfig, *, strict: bool = True) -> dict[str, np.ndarray]:
    """Bring the tensors of a checkpoint into our layout and check each of them.

    Known layouts, also mixed: Hugging Face with `parametrizations.weight.original0/1` (ours) and with
    `weight_g`/`weight_v`, Meta's `.th` files, and folded weights (`conv.weight` in place of the two).

    Args:
        tensors: as they were read.
        config: of the model that they are for.
        strict: whether tensors may be neither missing nor unexpected. Without it those are left out.

    Returns:
        tensors in our layout, of the types that they were stored in.

    Raises:
        CheckpointError: naming what is missing, unexpected, misshapen, of a type that is not floating
            point, or not finite; at most ten of them, then their number. Also if two names mean the same
            tensor.
    """
    sources = _sources(tensors)
    expected = _expected_as_stored(sources, config)
    problems = [f"missing: {name}" for name in expected if name not in sources] if strict else []
    for name, source in sources.items():
        if name not in expected:
            problems += [f"unexpected: {source}"] if strict else []
        elif fault := _fault(tensors[source], expected[name]):
            problems.append(f"{fault}: {source}")
    if problems:
        listed = problems[:_MOST_NAMED]
        if len(problems) > _MOST_NAMED:
            listed.append(f"and {len(problems) - _MOST_NAMED} more")
        raise CheckpointError("the weights do not fit the configuration:\n  " + "\n  ".join(listed))
    return unfold({name: tensors[sources[name]] for name in expected if name in sources}, config)


def guess_config(tensors: Mapping[str, np.ndarray]) -> EncodecConfig:
    """The known model (see `presets.py`) whose tensors have these names and shapes, in any layout.

    Raises:
        CheckpointError: if there is none; then the configuration must be given.
    """
    sources = _sources(tensors)
    shapes = {name: tensors[source].shape for name, source in sources.items()}
    for preset in _PRESETS:
        config = preset()
        if shapes == _expected_as_stored(sources, config):
            return config
    raise CheckpointError("the weights have the shapes of no known model: give the configuration with them")


def _expected_as_stored(names: Container[str], config: EncodecConfig) -> dict[str, tuple[int, ...]]:
    """`expected_tensors`, but with the plain weight of each convolution that was stored folded."""
    expected = expected_tensors(config)
    for conv in weight_normed(config):
        weight, gain, direction = f"{conv}.weight", f"{conv}.{GAIN}", f"{conv}.{DIRECTION}"
        if weight in names and gain not in names and direction not in names:
            expected[weight] = expected.pop(direction)
            del expected[gain]
    return expected


def _fault(tensor: np.ndarray, shape: tuple[int, ...]) -> str | None:
    if tensor.shape != shape:
        return f"of shape {tensor.shape} in place of {shape}"
    if tensor.dtype.kind != "f":
        return f"of type {tensor.dtype} in place of floating point"
    return None if _is_finite(tensor) else "not finite"


def _is_finite(tensor: np.ndarray) -> bool:
    if tensor.dtype != np.float16:
        return bool(np.isfinite(tensor).all())
    exponents = tensor.view(np.uint16) & _HALF_EXPONENT  # many times as fast as `isfinite` of halves
    return bool((exponents != _HALF_EXPONENT).all())
