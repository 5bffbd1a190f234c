"""What this processor's torch can do in half precision."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from torch.nn import functional as F


@lru_cache(maxsize=1)
def bfloat16_convolves() -> bool:
    """Whether strided convolutions of bfloat16 are right: with AMX, torch 2.13 gives wrong sums for few channels."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 16, 200, generator=generator).bfloat16()
    weight = torch.randn(16, 16, 16, generator=generator).bfloat16()
    right = F.conv1d(x.float(), weight.float(), stride=8)
    return bool((F.conv1d(x, weight, stride=8).float() - right).norm() < 0.1 * right.norm())


def need_bfloat16() -> None:
    """Skip a test where torch counts wrongly, since it is not ours to mend."""
    if not bfloat16_convolves():
        pytest.skip("torch's convolution of bfloat16 is wrong on this processor")
