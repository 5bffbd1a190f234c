"""The state of a run as a file: everything it needs to go on, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..atomic import atomic_write
from ..errors import CheckpointError
from ..nn.pickled import load_pickled

STATE_NAME = "state.pt"


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Write a run's state into its folder."""
    with atomic_write(folder / STATE_NAME) as file:
        torch.save(state, file)


def _check_numbers(state: Any) -> None:
    """Make sure that the numbers which a run goes on from are numbers.

    Raises:
        ValueError: naming the one that is not.
    """
    for name, kinds in (("done", int), ("position", int), ("seconds", (int, float))):
        value = state.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, kinds) or value < 0 or value > 2**53:
            raise ValueError(f"{name} is {value!r}")


def read_state(folder: Path, load: Callable[[dict[str, Any]], None], device: torch.device) -> None:
    """Give `load` the state that `write_state` wrote, with its tensors on a device.

    Raises:
        FileNotFoundError: if there is none.
        CheckpointError: if it is not readable, or `load` cannot take it.
    """
    path = folder / STATE_NAME
    try:
        state = load_pickled(path, device)
        _check_numbers(state)
        load(state)
    except FileNotFoundError:
        raise
    except Exception as error:  # `load` meets whatever the file holds in place of a state
        raise CheckpointError(f"cannot resume from {path}: {error}") from error
