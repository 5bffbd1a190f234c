"""A name for a network by its content, so that a file can say which model made it.

Two models have the same fingerprint exactly if they turn audio into codes and codes into audio by
the same numbers. Precisely, it is the SHA-256 of

1. `recodec-network-1` and a line feed;
2. the settings that no tensor shows but the result depends on (`_settings`), as JSON with sorted keys
   and no spaces, and a line feed;
3. for each tensor that inference uses, ordered by name, its name and its shape as a JSON list, and a
   line feed, and then its values as little-endian float32 in C order, with -0 written as 0. Weight norm
   is folded (`weight_norm.py` says how, to the bit).

So it does not depend on the layout, on folding, on the training statistics of the codebooks, on
`target_bandwidths` beyond the number of codebooks, on the machine, or on whether values that a half
holds are stored in halves, bfloat16 or floats. It does depend on the precision of the values: a model
rounded to halves is another model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..config import EncodecConfig
from .layouts import TRAINING_STATISTICS
from .weight_norm import fold

_DOMAIN = b"recodec-network-1\n"


def fingerprint(tensors: Mapping[str, np.ndarray], config: EncodecConfig) -> str:
    """The fingerprint of a model, 64 hexadecimal digits; see this module for what it covers.

    Args:
        tensors: as `conform` or `fold` return them.
        config: of the same model.
    """
    folded = fold(tensors, config)
    digest = hashlib.sha256(_DOMAIN)
    digest.update(_json(_settings(config)))
    for name in sorted(folded):
        if not name.endswith(TRAINING_STATISTICS):
            values = np.add(folded[name], np.float32(0), dtype=np.float32)  # -0 becomes 0
            digest.update(_json([name, list(values.shape)]))
            digest.update(np.ascontiguousarray(values, "<f4").data)
    return digest.hexdigest()


def _settings(config: EncodecConfig) -> dict[str, Any]:
    return {
        "chunk_length": config.chunk_length,
        "chunk_stride": config.chunk_stride,
        "dilation_growth_rate": config.dilation_growth_rate,
        "norm_type": config.norm_type,
        "normalize": bool(config.normalize),
        "num_residual_layers": config.num_residual_layers,
        "pad_mode": config.pad_mode,
        "sampling_rate": config.sampling_rate,
        "trim_right_ratio": float(config.trim_right_ratio),
        "upsampling_ratios": list(config.upsampling_ratios),
        "use_causal_conv": bool(config.use_causal_conv),
    }


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"
