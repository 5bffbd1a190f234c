"""`pad` of the feature extractor: features that exist already to a batch, as collators of data loaders need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError, ConfigError
from .batch import BatchFeature

INPUT, MASK = "input_values", "attention_mask"

Features = Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Collation:
    """How items of different lengths become one batch; the fields are arguments of `EncodecFeatureExtractor.pad`."""

    padding: str | None
    max_length: int | None
    truncation: bool
    pad_to_multiple_of: int | None
    return_attention_mask: bool
    padding_value: float | None
    padding_side: str

    def __call__(self, features: Features) -> BatchFeature:
        """Pad and truncate items, each (T,) or (T, C); gives lists of arrays.

        Raises:
            AudioError: for features without `input_values`, or entries of different batch sizes.
            ConfigError: for `max_length` or a padding value that is needed and not given.
        """
        columns = _columns(features)
        if not len(columns[INPUT]):
            return BatchFeature({**columns, MASK: []} if self.return_attention_mask else columns)
        columns = {name: [_array(value) for value in values] for name, values in columns.items()}
        if len({len(values) for values in columns.values()}) > 1:
            counts = ", ".join(f"{len(values)} {name}" for name, values in columns.items())
            raise AudioError(f"the entries have different batch sizes: {counts}")
        if self.truncation:
            limit = self._limit("truncation=True")
            columns = {name: [v[:limit] if name in (INPUT, MASK) else v for v in vs] for name, vs in columns.items()}
        if self.return_attention_mask and MASK not in columns:
            columns[MASK] = [np.ones(len(item), dtype=np.int32) for item in columns[INPUT]]
        if self.padding in ("longest", "max_length"):
            self._pad(columns)
        return BatchFeature(columns)

    def _pad(self, columns: dict[str, list[NDArray[Any]]]) -> None:
        value, side = padding_value_of(self.padding_value), self.padding_side
        longest = max(len(item) for item in columns[INPUT])
        length = self._rounded(longest) if self.padding == "longest" else self._limit('padding="max_length"')
        columns[INPUT] = [extend(item, length, value, side, axis=0) for item in columns[INPUT]]
        if self.return_attention_mask:
            columns[MASK] = [extend(item, length, 0, side, axis=0) for item in columns[MASK]]

    def _limit(self, use: str) -> int:
        if self.max_length is None:
            raise ConfigError(f"{use} needs max_length")
        return self._rounded(self.max_length)

    def _rounded(self, length: int) -> int:
        multiple = self.pad_to_multiple_of
        return length if not multiple else -(-length // multiple) * multiple


def padding_value_of(setting: float | None) -> float:
    """The value to pad with.

    Raises:
        ConfigError: if the feature extractor has none.
    """
    if setting is None:
        raise ConfigError("this feature extractor has no padding_value; set one, for example 0.0")
    return setting


def extend(item: NDArray[Any], length: int, value: float, side: str, *, axis: int = -1) -> NDArray[Any]:
    """Fill an array up to a length along an axis, on the side `"right"` or `"left"`."""
    missing = max(0, length - item.shape[axis])
    ends = [(0, 0)] * item.ndim
    ends[axis] = (missing, 0) if side == "left" else (0, missing)
    return np.pad(item, ends, constant_values=value)


def _columns(features: Features) -> dict[str, Any]:
    if isinstance(features, Sequence):
        if not features:
            raise AudioError("there are no features to pad")
        features = {name: [item[name] for item in features] for name in features[0]}
    if INPUT not in features:
        raise AudioError(f"pad needs features with {INPUT!r}; these have {sorted(features)}")
    return dict(features)


def _array(value: Any) -> NDArray[Any]:
    array = np.asarray(value)
    if array.dtype == object:
        raise AudioError("an entry of the features is neither numbers nor an array of them")
    return array.astype(np.float32) if array.dtype == np.float64 else array
