"""Mixed precision: whether a device computes in bfloat16."""

from __future__ import annotations

import torch

PRECISIONS = ("fp32", "bf16", "auto")
_CPU_INSTRUCTIONS = ("amx_bf16", "avx512_bf16")


def has_bf16(device: torch.device) -> bool:
    """Whether a device multiplies matrices in bfloat16 itself: a GPU from Ampere on, a CPU with AMX or AVX512-BF16.

    Other devices only imitate it, which is slower than float32.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    if device.type == "cpu":
        known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        return any(known.get(name, False) for name in _CPU_INSTRUCTIONS)
    return False


def uses_bf16(precision: str, device: torch.device) -> bool:
    """Whether a run of that precision, one of `PRECISIONS`, computes in bfloat16 on a device."""
    return precision == "bf16" or (precision == "auto" and has_bf16(device))
