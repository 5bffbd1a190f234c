"""Read and write the files of a model: safetensors, and a configuration with its weights. NumPy only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import write_bytes
from ..config import CONFIG_NAME, EncodecConfig
from ..errors import CheckpointError, ConfigError
from ..hub import resolve_file, resolve_weights
from ..text import read_json_object, system_reason
from .layouts import conform

_TYPES = ("F64", "F32", "F16", "I64", "I32", "I16", "I8", "U8", "BOOL", "BF16")


def read_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """Read all tensors of a safetensors file. NumPy has no bfloat16: it is widened to float32, exactly.

    Raises:
        CheckpointError: if the file cannot be read, or is not a valid safetensors file.
    """
    from safetensors import SafetensorError, deserialize, safe_open

    try:
        # Maps the file: no second copy of it is ever in memory.
        with safe_open(path, framework="numpy") as file:
            types = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118  # not a mapping
            for name, kind in types.items():
                if kind not in _TYPES:
                    raise CheckpointError(f"{name} of {path} is of type {kind}, which is not supported")
            tensors = {name: file.get_tensor(name) for name, kind in types.items() if kind != "BF16"}
        if len(tensors) < len(types):
            entries = {name: entry for name, entry in deserialize(Path(path).read_bytes()) if name not in tensors}
            tensors |= {name: _widen(entry["data"], entry["shape"]) for name, entry in entries.items()}
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {system_reason(error)}") from error
    except SafetensorError as error:
        raise CheckpointError(f"{path} is not a valid safetensors file: {error}") from error
    return tensors


def _widen(data: bytes, shape: list[int]) -> np.ndarray:
    """bfloat16 to float32."""
    return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read safetensors: one file, or all those that an index names, which lie beside it.

    Raises:
        CheckpointError: as `read_safetensors`; for an index that is damaged, or names a file elsewhere.
    """
    if path.suffix != ".json":
        return read_safetensors(path)
    names = _shards(path)
    tensors: dict[str, np.ndarray] = {}
    for name in names:
        tensors |= read_safetensors(path.parent / name)
    return tensors


def shard_names(path: Path) -> list[str]:
    """The files that an index of weights names; none for a file of weights itself.

    Raises:
        CheckpointError: for an index that is damaged, or names a file elsewhere.
    """
    return _shards(path) if path.suffix == ".json" else []


def _shards(path: Path) -> list[str]:
    try:
        names = set(read_json_object(path)["weight_map"].values())
    except (ConfigError, KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{path} is not a valid index of weights: {error}") from error
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise CheckpointError(f"{path} names files that do not lie beside it")
    return sorted(names)


def write_safetensors(path: str | Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write a safetensors file, whole or not at all, marked as `transformers` wants it."""
    from safetensors.numpy import save

    ordered = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    write_bytes(path, save(ordered, metadata={"format": "pt"}))


def read_model(
    name_or_path: str | Path | None = None,
    *,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> tuple[EncodecConfig, dict[str, np.ndarray]]:
    """Read a model's configuration and its weights, in our layout, checked. Without torch.

    Arguments as in `hub.resolve_file`.

    Raises:
        CheckpointError: if the model is not found, has no safetensors file, or is not valid.
        ConfigError: if its configuration does not describe an EnCodec model.
    """
    hub: dict[str, Any] = {
        "revision": revision, "cache_dir": cache_dir, "token": token, "local_files_only": local_files_only,
    }  # fmt: skip
    config = EncodecConfig.from_json_file(resolve_file(name_or_path, CONFIG_NAME, **hub))
    path = resolve_weights(name_or_path, use_safetensors=True, **hub)
    for name in shard_names(path):
        resolve_file(name_or_path, name, **hub)
    return config, conform(read_weights(path), config)
