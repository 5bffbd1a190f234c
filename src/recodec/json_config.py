"""Configurations of our own that are JSON files: dataclasses that say what kind of model they describe."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from .errors import ConfigError
from .text import read_json_object

ConfigT = TypeVar("ConfigT", bound="JsonConfig")


@dataclasses.dataclass(frozen=True)
class JsonConfig:
    """A base class of frozen dataclasses, which check their values when they are made.

    Attributes:
        model_type: what the file's `model_type` must be.
    """

    model_type: ClassVar[str]

    @classmethod
    def from_dict(cls: type[ConfigT], values: Mapping[str, Any]) -> ConfigT:
        """Build from the content of a file.

        Raises:
            ConfigError: for another kind of model, unknown or missing keys, or bad values.
        """
        if values.get("model_type") != cls.model_type:
            raise ConfigError(f"this is not a configuration of a {cls.model_type!r} model")
        fields = {key: value for key, value in values.items() if key != "model_type"}
        known = dataclasses.fields(cls)
        if unknown := set(fields) - {field.name for field in known}:
            raise ConfigError(f"unknown keys in the configuration: {', '.join(sorted(unknown))}")
        for field in known:
            if field.default is dataclasses.MISSING and field.name not in fields:
                raise ConfigError(f"the configuration lacks {field.name}")
        return cls(**fields)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values."""
        return {"model_type": self.model_type, **dataclasses.asdict(self)}

    def to_json_string(self) -> str:
        """`to_dict` as indented JSON with sorted keys."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json_file(cls: type[ConfigT], path: str | Path) -> ConfigT:
        """Read a file.

        Raises:
            ConfigError: if the file is not a JSON object, or does not describe such a model.
            FileNotFoundError: if there is no such file.
        """
        return cls.from_dict(read_json_object(path))

    def _require(self, good: bool, name: str, allowed: str) -> None:
        """Make sure that a field's value is good.

        Raises:
            ConfigError: naming the field and what it may be.
        """
        if not good:
            raise ConfigError(f"{name} must be {allowed}, got {getattr(self, name)!r}")

    def _require_integer(self, name: str, low: int, below: int) -> None:
        """Make sure that a field is an integer from `low` on and below `below`; errors as of `_require`."""
        value = getattr(self, name)
        good = isinstance(value, int) and not isinstance(value, bool) and low <= value < below
        self._require(good, name, f"an integer from {low} to {below - 1}")
