"""A toy exact language model whose integers come from a formula, so that golden tables need no file.

Run as a program it prints the digest of its tables, which `GOLDEN` pins.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np

from recodec.lm.config import CodeLMConfig
from recodec.lm.native_probe import hashed
from recodec.lm.network import ExactLM
from recodec.lm.weights import tensor_specs

TINY = CodeLMConfig(
    num_codebooks=4,
    codebook_size=64,
    frame_rate=75,
    width=24,
    num_layers=2,
    num_heads=4,
    feed_forward=48,
    context_s=0.2,
    head_width=16,
)

_SHIFTS = {
    "query_key_value.shift": 9,
    "out.shift": 7,
    "up.shift": 9,
    "down.shift": 7,
    "hidden.shift": 9,
    "embed.shift": 3,
    "condition.shift": 3,
    "logits.shift": 0,
}
_SIZES = {"start": 2000, "embed": 120, "condition": 120, "logits": 120, "bias": 8_000, "distance": 10_000}


def tiny_tensors(config: CodeLMConfig = TINY) -> dict[str, np.ndarray]:
    """Integers of a model whose tables are far from flat, and which uses all that the network has."""
    tensors = {}
    for position, (name, (kind, shape)) in enumerate(tensor_specs(config).items()):
        if name.endswith("score_shift"):
            values = np.full(shape, 8 if name.startswith("layers") else 7)
        elif name.endswith(".shift"):
            values = np.full(shape, _SHIFTS[name.split(".", 2)[-1] if name.startswith("layers") else name])
        else:
            values = hashed(position, shape, _SIZES.get(name.rpartition(".")[2], 300))
        tensors[name] = values.astype(kind)
    return tensors


def random_codes(packets: int, num_codebooks: int, frames: int) -> np.ndarray:
    return hashed(1234, (packets, num_codebooks, frames), 10**6) % TINY.codebook_size


def sums_of(lm: ExactLM, codes: np.ndarray, cuts: list[int] | None = None) -> np.ndarray:
    """(K, P, F, N) sums of all tables of (P, K, F) codes, pushed in the pieces between `cuts`."""
    packets, num_codebooks, frames = codes.shape
    state = lm.start(packets, frames)
    edges: list[int] = sorted({0, *(cuts or []), frames})
    found = []
    for begin, end in pairwise(edges):
        x = lm.push(codes[..., max(0, begin - 1) : end - 1], state, end - begin)
        head = lm.head(x.reshape(-1, x.shape[-1]))
        tables = []
        for k in range(num_codebooks):
            tables.append(head.tables().sums.reshape(packets, end - begin, -1))
            head.take(codes[:, k, begin:end].ravel())
        found.append(np.stack(tables))
    return np.concatenate(found, axis=2)


def golden_digest() -> str:
    """SHA-256 of the tables of 3 packets of 50 frames."""
    return hashlib.sha256(
        sums_of(ExactLM(TINY, tiny_tensors()), random_codes(3, 4, 50)).astype("<i4").tobytes()
    ).hexdigest()


# If this changes, no file coded before can be read: it takes a new version of the rule.
GOLDEN = "22a6c9aa2c628a5009eaa1fd12f83b9207d8ce020811337d33e54e08c9566c2d"

if __name__ == "__main__":
    print(golden_digest())
