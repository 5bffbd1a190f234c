"""Weights: where they are, how they are named, how they are read, folded and recognized. NumPy only.

Our layout is Hugging Face's current one: a convolution with weight norm has its gain in
`conv.parametrizations.weight.original0` and its direction in `original1`.

    config, tensors = read_model("facebook/encodec_24khz")      # any layout in safetensors, checked
    weights = fold(tensors, config)                             # plain convolutions, for inference
    name = fingerprint(tensors, config)                         # 64 hexadecimal digits
"""

from .files import (
    CONFIG_NAME,
    DEFAULT_FOLDER,
    PICKLE_NAME,
    SAFETENSORS_NAME,
    WEIGHTS_NAMES,
    read_model,
    read_safetensors,
    resolve_file,
    resolve_weights,
    write_safetensors,
)
from .fingerprint import fingerprint
from .layouts import conform, expected_tensors, guess_config
from .weight_norm import DIRECTION, GAIN, fold, fold_weight, unfold, unfold_weight, weight_normed

__all__ = [
    "CONFIG_NAME",
    "DEFAULT_FOLDER",
    "DIRECTION",
    "GAIN",
    "PICKLE_NAME",
    "SAFETENSORS_NAME",
    "WEIGHTS_NAMES",
    "conform",
    "expected_tensors",
    "fingerprint",
    "fold",
    "fold_weight",
    "guess_config",
    "read_model",
    "read_safetensors",
    "resolve_file",
    "resolve_weights",
    "unfold",
    "unfold_weight",
    "weight_normed",
    "write_safetensors",
]
