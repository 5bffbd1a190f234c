"""Recipes: Python files whose functions return a `TrainConfig`."""

from __future__ import annotations

import runpy
from pathlib import Path

from ..errors import ConfigError
from .config import TrainConfig

DEFAULT_NAME = "recipe"


def load_recipe(reference: str) -> TrainConfig:
    """Call the function that `FILE.py` or `FILE.py:FUNCTION` names (`recipe` by default).

    A recipe is a program: only run those that you trust.

    Raises:
        ConfigError: if there is no such file or function, or it returns something else.
    """
    path, _, name = reference.partition(":")
    name = name or DEFAULT_NAME
    if not Path(path).is_file():
        raise ConfigError(f"there is no recipe file {path}")
    function = runpy.run_path(path).get(name)
    if not callable(function):
        raise ConfigError(f"{path} has no function {name}()")
    config = function()
    if not isinstance(config, TrainConfig):
        raise ConfigError(f"{name}() in {path} must return a TrainConfig, not {type(config).__name__}")
    return config
