"""Weights: how they are named, read, folded and recognized. NumPy only. `hub.py` finds them.

Our layout is Hugging Face's current one: a convolution with weight norm has its gain in
`conv.parametrizations.weight.original0` and its direction in `original1`.

    config, tensors = read_model("facebook/encodec_24khz")      # any layout in safetensors, checked
    weights = fold(tensors, config)                             # plain convolutions, for inference
    name = fingerprint(tensors, config)                         # 64 hexadecimal digits
"""

from .files import (
    read_model,
    read_safetensors,
    read_weights,
    shard_names,
    write_safetensors,
)
from .fingerprint import fingerprint
from .layouts import TRAINING_STATISTICS, conform, expected_tensors, guess_config
from .spectral import (
    Spectral,
    check_fit,
    check_spectral,
    codebook_digest,
    codebooks_of,
    split_vocos,
    vocos_config,
    write_spectral,
)
from .weight_norm import DIRECTION, GAIN, fold, fold_weight, unfold, unfold_weight, weight_normed

__all__ = [
    "DIRECTION",
    "GAIN",
    "TRAINING_STATISTICS",
    "Spectral",
    "check_fit",
    "check_spectral",
    "codebook_digest",
    "codebooks_of",
    "conform",
    "expected_tensors",
    "fingerprint",
    "fold",
    "fold_weight",
    "guess_config",
    "read_model",
    "read_safetensors",
    "read_weights",
    "shard_names",
    "split_vocos",
    "unfold",
    "unfold_weight",
    "vocos_config",
    "weight_normed",
    "write_safetensors",
    "write_spectral",
]
