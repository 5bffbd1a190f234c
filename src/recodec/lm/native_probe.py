"""Whether a compiled kernel counts as NumPy does on this machine, tried on a toy model before it codes a file.

What is tried uses all that the network has: sizes that fill no vector, a past that ends and is moved, a packet of any
bytes. `DIGEST` is what NumPy gives, and a test makes it again.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from .config import CodeLMConfig
from .weights import tensor_specs

if TYPE_CHECKING:
    from .coder import Kernel
    from .native_library import Library

CONFIG = CodeLMConfig(
    num_codebooks=3, codebook_size=70, frame_rate=75, width=51, num_layers=2, num_heads=3, feed_forward=37,
    context_s=0.28, head_width=21,
)  # fmt: skip
DIGEST = "0b0fbbac9716492a8a4860430509eed3eae0fd2a2bb3307d5cfb593be6f2169b"

_PACKETS, _FRAMES = 5, 130
_SHIFTS = {"query_key_value": 9, "out": 7, "up": 9, "down": 7, "hidden": 9, "embed": 3, "condition": 3, "logits": 0}
_SIZES = {"start": 2000, "embed": 120, "condition": 120, "logits": 120, "bias": 8_000, "distance": 10_000}


def probe(library: Library) -> bool:
    """Whether it gives `DIGEST`."""
    from .native_kernel import NativeKernel

    return digest(NativeKernel(library, CONFIG, toy_tensors())) == DIGEST


def digest(kernel: Kernel) -> str:
    """SHA-256 of all scores, intervals and bytes of some codes, and of the codes that other bytes decode to."""
    shape = (_PACKETS, CONFIG.num_codebooks, _FRAMES)
    codes = hashed(1, shape, 10**6) % CONFIG.codebook_size
    scores = np.empty((_PACKETS, _FRAMES, CONFIG.num_codebooks, CONFIG.codebook_size), np.float32)
    starts, freqs = kernel.intervals(codes, scores)
    noise = hashed(2, (_PACKETS, 200), 127).astype(np.int8)
    decoded = kernel.decode([row.tobytes() for row in noise], shape[1], [_FRAMES, _FRAMES, 90, 33, 1])
    found = hashlib.sha256(b"".join(kernel.encode(codes)))
    for numbers in (scores, starts, freqs, decoded):
        found.update(np.ascontiguousarray(numbers, "<i4").tobytes())
    return found.hexdigest()


def toy_tensors() -> dict[str, np.ndarray]:
    """Integers of a model whose tables are far from flat."""
    tensors = {}
    for position, (name, (kind, shape)) in enumerate(tensor_specs(CONFIG).items()):
        part = name.removesuffix(".shift").rpartition(".")[2]
        if part == "score_shift":
            values = np.full(shape, 8 if name.startswith("layers") else 7)
        elif name.endswith(".shift"):
            values = np.full(shape, _SHIFTS[part])
        else:
            values = hashed(position + 10, shape, _SIZES.get(part, 300))
        tensors[name] = values.astype(kind)
    return tensors


def hashed(seed: int, shape: tuple[int, ...], size: int) -> np.ndarray:
    """int64 integers from -size to size, by a multiplicative hash and a mixing step."""
    index = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(seed * 1_000_003 + 1)
    mixed = index * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return ((mixed >> np.uint64(33)) % np.uint64(2 * size + 1)).astype(np.int64).reshape(shape) - size
