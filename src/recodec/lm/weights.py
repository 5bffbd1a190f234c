"""The integers of an exact model: their names and shapes, the bounds that make products exact, and their files.

`lm.safetensors` holds exactly these tensors. A `.shift` belongs to the product of the same name: the
result's unit is 2^shift times the accumulator's, so it is multiplied by 2^-shift and rounded.

The tables with an entry for each code (`embed`, `condition`, `logits`) are most of the model. They are kept
as int8 with a shift for each entry, which stands for integers of 16 bits: see `entries`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from ..atomic import write_bytes, write_text
from ..checkpoint import read_safetensors
from ..errors import CheckpointError
from .arithmetic import DIFFERENCE_LIMIT, EXACT_LIMIT, STREAM_MAX, check_product, norm_max
from .config import CONFIG_NAME, CodeLMConfig
from .tables import MIXING_BITS, TABLE_RULE

WEIGHTS_NAME = "lm.safetensors"

HIDDEN_MAX = 511
"""Bound of what a hidden ReLU layer puts out."""

DISTANCE_MAX = 1 << 20
"""Bound of the scores by distance."""

TABLES = ("embed", "condition", "logits")
"""Names of the tables with an entry for each code."""

ENTRY_SHIFT_MAX = 8
"""So that a number of an entry is at most 2^15 in size."""

_SHIFT_MAX = 60  # 2^60 and 2^-60 times anything below 2^24 is a normal float32


def attention_max(config: CodeLMConfig) -> int:
    """Bound of queries, keys and values, so that both products of attention are exact.

    A score is at most head_size * max^2 + DISTANCE_MAX, and must stay below `DIFFERENCE_LIMIT`. Mixing
    weights sum to at most 2^14 and half a unit a frame, and times max must stay below `EXACT_LIMIT`.
    """
    by_score = math.isqrt((DIFFERENCE_LIMIT - DISTANCE_MAX) // config.head_size)
    by_mixing = EXACT_LIMIT // ((1 << MIXING_BITS) + config.past_context // 2 + 2)
    return min(by_score, by_mixing)


def head_in_max(config: CodeLMConfig) -> int:
    """Bound of what the logits are computed from."""
    return HIDDEN_MAX if config.head_width else norm_max(config.width)


def tensor_specs(config: CodeLMConfig) -> dict[str, tuple[type[np.signedinteger], tuple[int, ...]]]:
    """Type and shape of every tensor by its name."""
    k, n, d, f = config.num_codebooks, config.codebook_size, config.width, config.feed_forward
    specs: dict[str, tuple[type[np.signedinteger], tuple[int, ...]]] = {
        "start": (np.int16, (d,)),
        "bias": (np.int32, (k, n)),
        "score_shift": (np.int8, (k,)),
    }
    for name in TABLES if config.conditioned else ("embed", "logits"):
        specs[name] = (np.int8, (k, n, config.logits_in if name == "logits" else d))
        specs[f"{name}.shift"] = (np.int8, (k, n))
    if config.head_width:
        specs["hidden"] = (np.int16, (k, d, config.head_width))
        specs["hidden.shift"] = (np.int8, (k, config.head_width))
    for i in range(config.num_layers):
        for name, (rows, columns) in {
            "query_key_value": (d, 3 * d),
            "out": (d, d),
            "up": (d, f),
            "down": (f, d),
        }.items():
            specs[f"layers.{i}.{name}"] = (np.int16, (rows, columns))
            specs[f"layers.{i}.{name}.shift"] = (np.int8, (columns,))
        specs[f"layers.{i}.distance"] = (np.int32, (config.num_heads, config.past_context + 1))
        specs[f"layers.{i}.score_shift"] = (np.int8, (config.num_heads,))
    return specs


def entries(tensors: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """(K, N, width) int16: a table's int8 numbers, those of each entry times 2 to the power of its shift."""
    return tensors[name].astype(np.int16) << tensors[name + ".shift"].astype(np.int16)[:, :, None]


def check_weights(config: CodeLMConfig, tensors: Mapping[str, np.ndarray]) -> None:
    """Check names, types and shapes, and prove from the values that every product will be exact.

    Raises:
        CheckpointError: naming what is missing, unknown, misshapen or too large.
    """
    check_shapes(config, tensors)
    check_bounds(config, tensors)


def check_shapes(config: CodeLMConfig, tensors: Mapping[str, np.ndarray]) -> None:
    """Check names, types and shapes.

    Raises:
        CheckpointError: naming what is missing, unknown or misshapen.
    """
    specs = tensor_specs(config)
    if set(tensors) != set(specs):
        missing, unknown = sorted(set(specs) - set(tensors)), sorted(set(tensors) - set(specs))
        raise CheckpointError(f"the tensors do not fit the configuration: missing {missing}, unknown {unknown}")
    for name, (kind, shape) in specs.items():
        tensor = tensors[name]
        if tensor.dtype != kind or tensor.shape != shape:
            raise CheckpointError(
                f"{name} must be {np.dtype(kind).name} {shape}, got {tensor.dtype.name} {tensor.shape}"
            )


def check_bounds(config: CodeLMConfig, tensors: Mapping[str, np.ndarray]) -> None:
    """Prove from the values of tensors of the right shapes that every product will be exact.

    Raises:
        CheckpointError: naming what is too large.
    """
    for name in tensors:
        if name.endswith("shift"):
            of_entries = name.removesuffix(".shift") in TABLES
            low, high = (0, ENTRY_SHIFT_MAX) if of_entries else (-_SHIFT_MAX, _SHIFT_MAX)
            if int(tensors[name].min()) < low or int(tensors[name].max()) > high:
                raise CheckpointError(f"{name} must be from {low} to {high}")
    norm, attention = norm_max(config.width), attention_max(config)
    largest = {"query_key_value": norm, "out": attention, "up": norm, "down": HIDDEN_MAX}
    for i in range(config.num_layers):
        for name, in_max in largest.items():
            check_product(f"layers.{i}.{name}", tensors[f"layers.{i}.{name}"], in_max, limit=EXACT_LIMIT)
        distance = np.abs(tensors[f"layers.{i}.distance"].astype(np.int64))
        if int(distance.max()) > DISTANCE_MAX:
            raise CheckpointError(f"layers.{i}.distance must not exceed {DISTANCE_MAX} in size")
    if config.head_width:
        check_product("hidden", tensors["hidden"], norm, limit=EXACT_LIMIT)
    logits = entries(tensors, "logits").swapaxes(1, 2)
    check_product("logits", logits, head_in_max(config), bias=tensors["bias"], limit=DIFFERENCE_LIMIT)
    # A sum of K embeddings enters the stream without a clip of its own.
    if config.num_codebooks << 15 > STREAM_MAX:
        raise CheckpointError(f"num_codebooks must be at most {STREAM_MAX >> 15}, got {config.num_codebooks}")


def save_lm(folder: str | Path, config: CodeLMConfig, tensors: Mapping[str, np.ndarray]) -> None:
    """Write both files; the folder must exist.

    Raises:
        CheckpointError: if the tensors do not fit, or could leave the range of exact arithmetic.
    """
    check_weights(config, tensors)
    folder = Path(folder)
    ordered = {name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}
    write_bytes(folder / WEIGHTS_NAME, save(ordered))
    write_text(folder / CONFIG_NAME, config.to_json_string())


def read_lm(folder: str | Path) -> tuple[CodeLMConfig, dict[str, np.ndarray]]:
    """Read the shape and the tensors of an exact model, which are not checked against each other.

    Raises:
        FileNotFoundError: if a file is missing.
        ConfigError: for a bad configuration.
        CheckpointError: for weights that cannot be read.
    """
    folder = Path(folder)
    return CodeLMConfig.from_json_file(folder / CONFIG_NAME), read_safetensors(folder / WEIGHTS_NAME)


def fingerprint(config: CodeLMConfig, tensors: Mapping[str, np.ndarray]) -> str:
    """SHA-256, 64 hexadecimal digits, of all that decides a table: the rule, the shape, the integers."""
    digest = hashlib.sha256(f"rule {TABLE_RULE}\n{config.to_json_string()}".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype.name} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<")).data)
    return digest.hexdigest()
