"""Attention over a cached past, in exact arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .arithmetic import Matmul
from .config import CodeLMConfig
from .tables import MIXING_BITS, exp2_table, steps_below_best

_HEIGHTS = exp2_table(MIXING_BITS).astype(np.float32)

MAX_PUSH_FRAMES = 256
"""Most frames that may be pushed at once; a full cache moves its last frames to the front once in as many."""


class Cache:
    """Keys and values of one layer, of P streams in step.

    Args:
        config: of the model.
        batch: P.
        frames: most frames that the streams will hold.
    """

    def __init__(self, config: CodeLMConfig, batch: int, frames: int) -> None:
        self._past = config.past_context
        shape = (batch, config.num_heads, config.head_size, self._room(config, frames))
        self._keys = np.zeros(shape, np.float32)
        self._values = np.zeros(shape, np.float32)
        self._filled = 0

    @staticmethod
    def _room(config: CodeLMConfig, frames: int) -> int:
        return min(frames, config.past_context + MAX_PUSH_FRAMES)

    @classmethod
    def bytes_for(cls, config: CodeLMConfig, frames: int) -> int:
        """Memory of one stream."""
        return 2 * np.dtype(np.float32).itemsize * config.width * cls._room(config, frames)

    def append(self, keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Add (P', H, h, F) keys and values of F frames, P' being at most P: only the first P' streams go on.

        Returns:
            (P', H, h, L) keys and values of these frames and of up to `past_context` before them.
        """
        batch, frames = keys.shape[0], keys.shape[-1]
        if self._filled + frames > self._keys.shape[-1]:
            keep = min(self._filled, self._past)
            for held in (self._keys, self._values):
                # The two ranges may overlap, hence the copy.
                held[:batch, ..., :keep] = held[:batch, ..., self._filled - keep : self._filled].copy()
            self._filled = keep
        start, stop = max(0, self._filled - self._past), self._filled + frames
        self._keys[:batch, ..., self._filled : stop] = keys
        self._values[:batch, ..., self._filled : stop] = values
        self._filled = stop
        return self._keys[:batch, ..., start:stop], self._values[:batch, ..., start:stop]


@dataclass(frozen=True)
class Attention:
    """Scores, mixing weights and mixtures of one layer's heads.

    Attributes:
        distance: (H, past_context + 1) float32 integers, added to the score of a frame that far back.
        rescale: (H, 1, 1) powers of two, from the unit of scores to 2^-6 bit.
        bound: of queries, keys, values and results.
    """

    distance: np.ndarray
    rescale: np.ndarray
    bound: float

    def __call__(self, query: np.ndarray, keys: np.ndarray, values: np.ndarray, matmul: Matmul) -> np.ndarray:
        """(P, H, F, h) queries of the last F of L frames, (P, H, h, L) keys and values, to mixtures (P, H, h, F)."""
        scores = matmul(query, keys)
        scores += self._by_distance(*scores.shape[-2:])
        # The table ends in a 0, which is what frames get that may not be seen: their difference is infinite.
        weights = _HEIGHTS.take(steps_below_best(scores, self.rescale, len(_HEIGHTS) - 1))
        total = weights.sum(axis=-1, keepdims=True).astype(np.float64)  # at most 2^24: exact in float32
        # Divided in float64, where a division is correctly rounded everywhere (docs/exact-entropy.md, A1).
        weights *= (2.0**MIXING_BITS / total).astype(np.float32)
        np.rint(weights, out=weights)
        mixture = matmul(values, weights.swapaxes(-1, -2))
        mixture *= np.float32(2.0**-MIXING_BITS)
        np.rint(mixture, out=mixture)
        return mixture.clip(-self.bound, self.bound, out=mixture)

    def _by_distance(self, frames: int, length: int) -> np.ndarray:
        """(H, F, L): what to add to the scores of L frames, the last F of which ask; -inf: not to be seen."""
        past = self.distance.shape[1] - 1
        if frames == 1:
            return self.distance[:, None, length - 1 :: -1]
        # Query f (from 0) and key j lie length - frames + f - j apart.
        apart = np.arange(length - 1, -frames, -1)
        seen = (apart >= 0) & (apart <= past)
        line = np.where(seen, self.distance[:, np.clip(apart, 0, past)], np.float32(-np.inf))
        return sliding_window_view(line, length, axis=1)[:, frames - 1 :: -1]
