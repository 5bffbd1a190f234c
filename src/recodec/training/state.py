"""The state of a run as a file: everything it needs to go on, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..atomic import atomic_write
from ..errors import CheckpointError

STATE_NAME = "state.pt"


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Write a run's state into its folder."""
    with atomic_write(folder / STATE_NAME) as file:
        torch.save(state, file)


def read_state(folder: Path, load: Callable[[dict[str, Any]], None], device: torch.device) -> None:
    """Give `load` the state that `write_state` wrote, with its tensors on a device.

    Raises:
        FileNotFoundError: if there is none.
        CheckpointError: if it is not readable, or `load` cannot take it.
    """
    path = folder / STATE_NAME
    try:
        load(torch.load(path, map_location=device, weights_only=True))
    except FileNotFoundError:
        raise
    except Exception as error:  # torch.load raises whatever the bytes provoke
        raise CheckpointError(f"cannot resume from {path}: {error}") from error
