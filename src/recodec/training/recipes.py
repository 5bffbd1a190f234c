"""Recipes: Python files whose functions return a `TrainConfig`."""

from __future__ import annotations

import os
import runpy
from pathlib import Path

from ..errors import ConfigError
from ..text import did_you_mean
from .config import TrainConfig

DEFAULT_NAME = "recipe"
_RUN_AS = "<run_path>"


def load_recipe(reference: str) -> TrainConfig:
    """Call the function that `FILE.py` or `FILE.py:FUNCTION` names (`recipe` by default).

    A recipe is a program: only run those that you trust.

    Raises:
        ConfigError: if there is no such file or function, or it returns something else.
    """
    drive, rest = os.path.splitdrive(reference)  # the colon of C: does not begin a function's name
    path, _, name = rest.partition(":")
    path, name = drive + path, name or DEFAULT_NAME
    if not Path(path).is_file():
        raise ConfigError(f"there is no recipe file {path}")
    names = runpy.run_path(path)
    function = names.get(name)
    if not callable(function):
        own = [key for key, value in names.items() if getattr(value, "__code__", None) and value.__module__ == _RUN_AS]
        raise ConfigError(f"{path} has no function {name}(){did_you_mean(name, own)}")
    config = function()
    if not isinstance(config, TrainConfig):
        raise ConfigError(f"{name}() in {path} must return a TrainConfig, not {type(config).__name__}")
    return config
