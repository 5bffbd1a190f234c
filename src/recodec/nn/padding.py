"""Padding over time as the reference does it, for whole batches and for ragged ones."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def pad(x: torch.Tensor, left: int, right: int, mode: str) -> torch.Tensor:
    """Pad (B, C, T) in time. An input too short to be mirrored gets zeros on its right first.

    This is the reference's rule: with p the larger padding and T <= p, the mirror sees the input
    extended by p - T + 1 zeros; those zeros do not stay in the result.
    """
    if left == right == 0:
        return x
    if mode != "reflect":
        return F.pad(x, (left, right))
    missing = max(left, right) - x.shape[-1] + 1
    if missing <= 0:
        return F.pad(x, (left, right), mode="reflect")
    padded = F.pad(F.pad(x, (0, missing)), (left, right), mode="reflect")
    return padded[..., : padded.shape[-1] - missing]


def pad_ragged(
    x: torch.Tensor, lengths: torch.Tensor, left: int, right: torch.Tensor, mode: str, width: int
) -> torch.Tensor:
    """Pad each item of a ragged batch at its own end.

    Args:
        x: (B, C, T); what lies after an item's length is never read.
        lengths: (B,) valid samples of each item.
        left: padding before each item.
        right: (B,) padding after each item.
        mode: `"reflect"` or `"constant"`.
        width: samples of the result. Given, rather than taken from `lengths`: a GPU would have to be waited for.

    Returns:
        (B, C, width), of at least left + max(lengths + right): item i equals `pad` of item i alone, then zeros.
    """
    position = torch.arange(-left, width - left, device=x.device).expand(x.shape[0], -1)
    length, right = lengths[:, None], right[:, None]
    source = position
    if mode == "reflect":
        # The last index of the item after the zeros that a short input is extended by.
        end = torch.maximum(length, torch.clamp(right, min=left) + 1) - 1
        source = position.abs()
        source = torch.where(source > end, 2 * end - source, source)
    valid = (source >= 0) & (source < length) & (position < length + right)
    # `gather` needs a valid index everywhere, also where the result is zeroed below.
    source = source.clamp(0, max(x.shape[-1] - 1, 0))
    gathered = torch.gather(x, 2, source[:, None].expand(-1, x.shape[1], -1))
    return gathered.masked_fill(~valid[:, None], 0)


def mask_after(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Zero what lies after each item's length in (B, C, T)."""
    valid = torch.arange(x.shape[-1], device=x.device) < lengths[:, None]
    return x.masked_fill(~valid[:, None], 0)
