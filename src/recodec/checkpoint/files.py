"""Files of a model: found in a folder, in this package or on the Hugging Face hub; read and written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..atomic import write_bytes
from ..config import CONFIG_NAME, EncodecConfig
from ..errors import CheckpointError
from .layouts import conform

SAFETENSORS_NAME = "model.safetensors"
PICKLE_NAME = "pytorch_model.bin"
WEIGHTS_NAMES = (SAFETENSORS_NAME, PICKLE_NAME)
DEFAULT_FOLDER = Path(__file__).parent.parent / "weights"

_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1",
          "BOOL": "?"}  # fmt: skip


def resolve_file(
    name_or_path: str | Path | None,
    filename: str,
    *,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> Path:
    """Find one file of a model, downloading it if need be.

    Args:
        name_or_path: `None` for the default model that comes with this package, a folder, or the id of
            a model on the hub, for example `facebook/encodec_24khz`.
        filename: within the model, for example `config.json`.
        revision: branch, tag or commit on the hub.
        cache_dir: where downloads are kept, in place of the hub's default folder.
        token: for private models; `True` takes the one that was saved by a login.
        local_files_only: use what has been downloaded before, and never the network.

    Raises:
        CheckpointError: if there is no such file, or the hub cannot be reached.
    """
    return _find(name_or_path, (filename,), revision, cache_dir, token, local_files_only)


def resolve_weights(
    name_or_path: str | Path | None,
    *,
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> Path:
    """Find the weights of a model: its `model.safetensors`, else its `pytorch_model.bin`.

    Arguments and errors as in `resolve_file`; `name_or_path` may also be a file of weights, which is
    returned.
    """
    if name_or_path is not None and os.path.isfile(name_or_path):
        return Path(name_or_path)
    return _find(name_or_path, WEIGHTS_NAMES, revision, cache_dir, token, local_files_only)


def _find(
    name_or_path: str | Path | None,
    filenames: tuple[str, ...],
    revision: str | None,
    cache_dir: str | Path | None,
    token: str | bool | None,
    local_files_only: bool,
) -> Path:
    """The first of `filenames` that the model has."""
    name_or_path = DEFAULT_FOLDER if name_or_path is None else name_or_path
    if not os.path.isdir(name_or_path):  # unlike `Path.is_dir`, false for names that no file system allows
        return _download(str(name_or_path), filenames, revision, cache_dir, token, local_files_only)
    folder = Path(name_or_path)
    for filename in filenames:
        if (folder / filename).is_file():
            return folder / filename
    raise CheckpointError(f"{folder} holds no {' and no '.join(filenames)}")


def _download(
    repo_id: str,
    filenames: tuple[str, ...],
    revision: str | None,
    cache_dir: str | Path | None,
    token: str | bool | None,
    local_files_only: bool,
) -> Path:
    # The hub's client is slow to import, and folders do without it.
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import (
        EntryNotFoundError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        validate_repo_id,
    )

    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise CheckpointError(f"{repo_id!r} is neither a folder nor the id of a model on the hub") from error
    reasons: list[Exception] = []
    for filename in filenames:
        try:
            path = hf_hub_download(
                repo_id, filename, revision=revision, cache_dir=cache_dir, token=token,
                local_files_only=local_files_only,
            )  # fmt: skip
            return Path(path)
        except LocalEntryNotFoundError as error:  # no network: do not wait for it a second time
            reasons.append(error)
            local_files_only = True
        except EntryNotFoundError as error:
            reasons.append(error)
        except (HfHubHTTPError, OSError, ValueError) as error:  # no such model, no access, a full disk
            reasons.append(error)
            break
    lines = str(reasons[0]).strip().splitlines() or [type(reasons[0]).__name__]
    raise CheckpointError(
        f"{repo_id!r} is no folder here, and the hub gave no {' or '.join(filenames)} for it: {lines[0]}"
    ) from reasons[0]


def read_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """Read all tensors of a safetensors file. NumPy has no bfloat16: it is widened to float32, exactly.

    Raises:
        CheckpointError: if the file cannot be read, or is no sound safetensors file.
    """
    from safetensors import SafetensorError, deserialize

    try:
        entries = deserialize(Path(path).read_bytes())
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror}") from error
    except SafetensorError as error:
        raise CheckpointError(f"{path} is no sound safetensors file: {error}") from error
    return {name: _array(path, name, entry["dtype"], entry["shape"], entry["data"]) for name, entry in entries}


def _array(path: str | Path, name: str, dtype: str, shape: list[int], data: bytes) -> np.ndarray:
    try:
        if dtype == "BF16":
            return (np.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
        return np.frombuffer(data, _TYPES[dtype]).reshape(shape)
    except KeyError as error:
        raise CheckpointError(f"{name} of {path} is of type {dtype}, which is not supported") from error
    except ValueError as error:
        raise CheckpointError(f"{name} of {path} cannot have the shape {shape}: {error}") from error


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

    Arguments as in `resolve_file`.

    Raises:
        CheckpointError: if the model is not found, has no safetensors file, or is not sound.
        ConfigError: if its configuration is of no EnCodec.
    """
    found = [
        resolve_file(
            name_or_path, filename, revision=revision, cache_dir=cache_dir, token=token,
            local_files_only=local_files_only,
        )
        for filename in (CONFIG_NAME, SAFETENSORS_NAME)
    ]  # fmt: skip
    config = EncodecConfig.from_json_file(found[0])
    return config, conform(read_safetensors(found[1]), config)
