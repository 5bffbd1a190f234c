"""`CodeLMConfig`: the shape of a code language model, as `lm_config.json` holds it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..text import read_json_object

MODEL_TYPE = "recodec_code_lm"
CONFIG_NAME = "lm_config.json"
_MAX_SIZE = 1 << 16


@dataclass(frozen=True)
class CodeLMConfig:
    """Shape of a code language model (paper section 3.3).

    Attributes:
        num_codebooks: K, the most codebooks it knows.
        codebook_size: N.
        frame_rate: frames a second, in Hz.
        width: d, of the residual stream.
        num_layers, num_heads, feed_forward: of the transformer.
        context_s: how far back a frame may look, in seconds.
        conditioned: codebook k sees codebooks 0..k-1 of its own frame. Without it all codebooks of a
            frame are predicted in parallel, as in the paper.
        head_width: width r of a hidden layer (and rank) of each codebook's head; 0 for none.

    Raises:
        ConfigError: naming the field, if no model can be built from the values.
    """

    num_codebooks: int
    codebook_size: int = 1024
    frame_rate: int = 75
    width: int = 200
    num_layers: int = 5
    num_heads: int = 8
    feed_forward: int = 800
    context_s: float = 3.5
    conditioned: bool = True
    head_width: int = 128

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type == "int":
                low = 0 if field.name == "head_width" else 1
                good = isinstance(value, int) and not isinstance(value, bool) and low <= value < _MAX_SIZE
                _require(good, field.name, value, f"an integer from {low} to {_MAX_SIZE - 1}")
        _require(isinstance(self.conditioned, bool), "conditioned", self.conditioned, "true or false")
        number = isinstance(self.context_s, (int, float)) and not isinstance(self.context_s, bool)
        _require(number and 0 <= self.context_s <= 60, "context_s", self.context_s, "from 0 to 60 seconds")
        # Sums of squares must stay exact in float64: width * 2^42 <= 2^53.
        _require(self.width <= 2048, "width", self.width, "at most 2048")
        _require(self.width % self.num_heads == 0, "num_heads", self.num_heads, f"a divisor of width ({self.width})")
        _require(2 <= self.codebook_size <= 4096, "codebook_size", self.codebook_size, "from 2 to 4096")
        # A row of attention weights at full height must sum exactly in float32: (context + 1) * 2^14 <= 2^24.
        _require(self.past_context < 1024, "context_s", self.context_s, "below 1024 frames")

    @property
    def past_context(self) -> int:
        """Frames before the current one that it may look at."""
        return int(self.context_s * self.frame_rate)

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.width // self.num_heads

    @property
    def logits_in(self) -> int:
        """Width of what a codebook's logits are computed from."""
        return self.head_width or self.width

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CodeLMConfig:
        """Build from the content of an `lm_config.json`.

        Raises:
            ConfigError: for another kind of model, unknown keys or bad values.
        """
        if values.get("model_type") != MODEL_TYPE:
            raise ConfigError(f"this is not a configuration of a {MODEL_TYPE!r} model")
        fields = {k: v for k, v in values.items() if k != "model_type"}
        unknown = set(fields) - {f.name for f in dataclasses.fields(cls)}
        if unknown:
            raise ConfigError(f"unknown keys in the configuration: {', '.join(sorted(unknown))}")
        if "num_codebooks" not in fields:
            raise ConfigError("the configuration lacks num_codebooks")
        return cls(**fields)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values."""
        return {"model_type": MODEL_TYPE, **dataclasses.asdict(self)}

    def to_json_string(self) -> str:
        """`to_dict` as indented JSON with sorted keys."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json_file(cls, path: str | Path) -> CodeLMConfig:
        """Read an `lm_config.json`.

        Raises:
            ConfigError: if the file is not a JSON object, or does not describe a code language model.
            FileNotFoundError: if there is no such file.
        """
        return cls.from_dict(read_json_object(path))


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise ConfigError(f"{name} must be {allowed}, got {value!r}")
