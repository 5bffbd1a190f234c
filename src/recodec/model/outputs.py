"""What `EncodecModel`'s methods return: readable by attribute, key, index and unpacking."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

_ABSENT: Any = None
"""Default of the fields: outputs can be made without some, as in `transformers`, but no method of the model does."""


@dataclass
class ModelOutput:
    """Named values in a fixed order. Fields that are `None` count only as attributes.

    Unlike in `transformers`, iteration gives the values, so that
    `codes, scales, padding = model.encode(x)` works; `keys()`, `dict(output)` and `**output` are as there.
    """

    def keys(self) -> list[str]:
        """Names of the fields that hold something."""
        return [f.name for f in dataclasses.fields(self) if getattr(self, f.name) is not None]

    def values(self) -> list[Any]:
        """Their values, in the same order."""
        return [getattr(self, name) for name in self.keys()]

    def items(self) -> list[tuple[str, Any]]:
        """Pairs of name and value."""
        return [(name, getattr(self, name)) for name in self.keys()]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a field, or the default where it holds nothing."""
        return getattr(self, key) if key in self.keys() else default

    def to_tuple(self) -> tuple[Any, ...]:
        """All values that are not `None`."""
        return tuple(self.values())

    def __getitem__(self, key: str | int | slice) -> Any:
        if isinstance(key, str):
            if key not in self.keys():
                raise KeyError(key)
            return getattr(self, key)
        return self.to_tuple()[key]

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __iter__(self) -> Iterator[Any]:
        return iter(self.to_tuple())

    def __len__(self) -> int:
        return len(self.keys())


@dataclass
class EncodecEncoderOutput(ModelOutput):
    """Result of `encode`.

    Attributes:
        audio_codes: (S, B, K, F) int64 codes of S segments.
        audio_scales: list of S entries, each (B, 1), or `None` where the model does not normalize.
        last_frame_pad_length: frames of padding after the last segment's codes.
    """

    audio_codes: torch.Tensor = _ABSENT
    audio_scales: list[torch.Tensor | None] = _ABSENT
    last_frame_pad_length: int = _ABSENT


@dataclass
class EncodecLatentOutput(ModelOutput):
    """Result of `encode_latents`: as `EncodecEncoderOutput`, before quantization.

    Attributes:
        latents: (S, B, D, F).
        audio_scales: list of S entries, each (B, 1) or `None`.
        last_frame_pad_length: frames of zeros after the last segment's latents.
    """

    latents: torch.Tensor = _ABSENT
    audio_scales: list[torch.Tensor | None] = _ABSENT
    last_frame_pad_length: int = _ABSENT


@dataclass
class EncodecDecoderOutput(ModelOutput):
    """Result of `decode`.

    Attributes:
        audio_values: (B, C, T) waveform.
    """

    audio_values: torch.Tensor = _ABSENT


@dataclass
class EncodecOutput(ModelOutput):
    """Result of `forward`.

    Attributes:
        audio_codes: (S, B, K, F) int64.
        audio_values: (B, C, T) waveform.
    """

    audio_codes: torch.Tensor = _ABSENT
    audio_values: torch.Tensor = _ABSENT


# So that `torch.export` knows what the methods return.
for _output in (EncodecEncoderOutput, EncodecLatentOutput, EncodecDecoderOutput, EncodecOutput):
    torch.export.register_dataclass(_output, serialized_type_name=f"recodec.{_output.__name__}")
