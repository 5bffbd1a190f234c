"""Weights in the files of `torch.save`: Meta's `.th` and Hugging Face's older `pytorch_model.bin`.

Such a file is a program for the unpickler. It is only ever read with `weights_only=True`, which knows
tensors and plain containers and nothing else.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import CheckpointError
from ..text import system_reason

_NESTED_UNDER = "best_state"  # where audiocraft's checkpoints keep the weights


def read_pickled(path: str | Path) -> dict[str, np.ndarray]:
    """Read a state dictionary. bfloat16 is widened to float32.

    Raises:
        CheckpointError: if the file is damaged, holds anything but a dictionary of tensors, or claims
            more than it holds.
    """
    state = load_pickled(path)
    if isinstance(state, dict) and isinstance(state.get(_NESTED_UNDER), dict):
        state = state[_NESTED_UNDER]
    if not isinstance(state, dict) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        raise CheckpointError(f"{path} does not hold a dictionary of tensors")
    return {str(name): _array(path, str(name), tensor) for name, tensor in state.items()}


def load_pickled(path: str | Path, device: torch.device | str = "cpu") -> Any:
    """What a file of `torch.save` holds: tensors and plain containers, and nothing that runs.

    Raises:
        FileNotFoundError: if there is no such file.
        CheckpointError: if it cannot be read, is damaged or compressed, or holds anything else.
    """
    _refuse_compression(path)
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {system_reason(error)}") from error
    except Exception as error:  # bytes from anywhere make the unpickler raise errors of any type
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(f"{path} is not a valid file of torch.save: {reason[0]}") from error


def _refuse_compression(path: str | Path) -> None:
    """`torch.save` never compresses, so a member that unfolds to more than it takes is an attack."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return  # the older format, or a damaged file: torch says which
    if any(member.file_size > member.compress_size for member in members):
        raise CheckpointError(f"{path} is compressed, which torch.save never does")


def _array(path: str | Path, name: str, tensor: torch.Tensor) -> np.ndarray:
    # A tensor is a view of its storage: strides of zero can make few bytes look like many.
    plain = tensor.layout == torch.strided and not tensor.is_meta and tensor.is_floating_point()
    if not plain or tensor.nbytes > tensor.untyped_storage().nbytes():
        raise CheckpointError(f"{name} of {path} is not a plain tensor of floating-point numbers")
    if tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        tensor = tensor.float()  # narrower types, which NumPy has not
    return tensor.detach().contiguous().numpy()
