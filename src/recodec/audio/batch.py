"""`BatchFeature`: what a feature extractor returns."""

from __future__ import annotations

from typing import Any


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
