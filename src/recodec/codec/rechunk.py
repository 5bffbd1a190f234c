"""Pieces of any length in, blocks of one length out.

A network that always sees blocks of the same length at the same places gives the same bits, however
the input was cut. This is what makes streams reproducible.
"""

from __future__ import annotations

import numpy as np


class Rechunker:
    """Cuts a stream of (X, T) arrays into blocks of a fixed length.

    Args:
        size: length of a block.
        stride: from the start of a block to the start of the next, at most `size`; `size` by default.
    """

    def __init__(self, size: int, stride: int | None = None) -> None:
        self._size, self._stride = size, size if stride is None else stride
        self._parts: list[np.ndarray] = []
        self._held = 0

    def push(self, piece: np.ndarray) -> list[np.ndarray]:
        """Take (X, T) with T >= 0 and give the blocks (X, size) that are complete.

        The blocks may be views of `piece`: use them before its owner changes it.
        """
        self._held += piece.shape[1]
        if self._held < self._size:
            # Pieces are joined only when they make a block: to join each would copy all that is held, again and again.
            self._parts.append(piece.copy())
            return []
        whole = np.concatenate([*self._parts, piece], axis=1) if self._parts else piece
        count = (self._held - self._size) // self._stride + 1
        blocks = [whole[:, i * self._stride : i * self._stride + self._size] for i in range(count)]
        rest = whole[:, count * self._stride :]
        # A view would keep the whole array in memory.
        self._parts, self._held = [rest.copy()], rest.shape[1]
        return blocks

    def rest(self) -> np.ndarray | None:
        """What no block has begun with yet, shorter than a block; `None` if nothing was ever pushed."""
        return np.concatenate(self._parts, axis=1) if self._parts else None
