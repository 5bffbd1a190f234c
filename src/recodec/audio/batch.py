"""`BatchFeature`: what a feature extractor returns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError


class BatchFeature(dict[str, Any]):
    """A dictionary whose entries are attributes as well; `model(**features)` takes it."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no entry {name!r}; it has {list(self)}") from None

    def to(self, device: Any = None, dtype: Any = None, *, non_blocking: bool = False) -> BatchFeature:
        """Move the tensors, and cast those of floating point (the mask keeps its type). In place.

        Args:
            device: a `torch.device`, its name or number; or a `torch.dtype` in the place of `dtype`.
            dtype: type for the tensors of floating point.
            non_blocking: as in `torch.Tensor.to`.

        Returns:
            itself. Entries that are not tensors stay as they are.
        """
        import torch

        if isinstance(device, torch.dtype):
            device, dtype = None, device

        def moved(value: Any) -> Any:
            if isinstance(value, (list, tuple)):
                return type(value)(moved(item) for item in value)
            if not isinstance(value, torch.Tensor):
                return value
            cast = dtype if value.is_floating_point() else None
            return value.to(device=device, dtype=cast, non_blocking=non_blocking)

        for key, value in self.items():
            self[key] = moved(value)
        return self


def stack_masks(masks: list[NDArray[np.int32]]) -> NDArray[Any]:
    """Masks (T_i,) as one array (B, T), or as an object array of B where their lengths differ."""
    if len({mask.size for mask in masks}) == 1:
        return np.stack(masks)
    ragged = np.empty(len(masks), dtype=object)
    ragged[:] = masks
    return ragged


def to_tensors(features: BatchFeature, kind: str, axis: int = -1) -> BatchFeature:
    """Stack the entries of a batch. In place.

    Args:
        features: lists of B arrays.
        kind: `"np"` or `"pt"`, for tensors of torch.
        axis: which axis of the arrays is time.

    Raises:
        AudioError: for arrays of different lengths, or of a type that torch does not have.
    """
    lengths = {recording.shape[axis] for recording in features.input_values}
    if len(lengths) > 1:
        raise AudioError(
            f"Unable to convert output to a tensor: the recordings have {min(lengths)} to {max(lengths)} samples. Pass "
            "padding=True, or return_tensors=None for a list"
        )
    for key in features:
        features[key] = np.stack(features[key])
    if kind == "pt":
        import torch

        for key, array in features.items():
            try:
                features[key] = torch.from_numpy(array)
            except (TypeError, ValueError) as error:
                raise AudioError(f"torch has no tensors of type {array.dtype}") from error
    return features
