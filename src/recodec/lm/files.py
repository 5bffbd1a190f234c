"""An exact model as files: `lm.safetensors` and `lm_config.json` in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from ..atomic import write_bytes, write_text
from ..checkpoint import read_safetensors
from .config import CONFIG_NAME, CodeLMConfig
from .tables import TABLE_RULE
from .weights import check_weights

WEIGHTS_NAME = "lm.safetensors"


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
