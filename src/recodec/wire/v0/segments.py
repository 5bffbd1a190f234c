"""How version 0 of `.ecdc` writes the codes of a segment: as plain bits, or with the coder of Meta's language model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Protocol, runtime_checkable

import numpy as np

from ...errors import CorruptError, TruncatedError
from ...pipes import read_up_to
from .. import bits
from .arithmetic import ArithmeticDecoder, ArithmeticEncoder

_FRAMES_ALIGNED = 8  # that many frames fill whole bytes, whatever the width of a code


class FrameTables(Protocol):
    """A language model within one segment."""

    def next(self, before: np.ndarray | None) -> np.ndarray:
        """Tables of the next frame's codes.

        Args:
            before: the codes (K,) of the frame before it; `None` at the start of the segment.

        Returns:
            (K, N) integers, of each code the upper end of its share of 2^24; each is at least one more than the
            one before it.
        """
        ...


class LeftoverError(CorruptError):
    """Bytes follow the last segment."""


@runtime_checkable
class SegmentLM(Protocol):
    """A language model as version 0 sees it. `lm/meta_coder.py` has one."""

    def start(self, num_codebooks: int) -> FrameTables:
        """Begin a segment of K codebooks, which knows nothing of the segments before it."""
        ...


class SegmentWriter(Protocol):
    """Takes a segment's codes in any pieces."""

    def push(self, codes: np.ndarray) -> bytes:
        """(K, F) codes to the bytes that are complete."""
        ...

    def finish(self) -> bytes:
        """What is left at the end."""
        ...


class PlainWriter:
    """Codes of `code_bits` bits, frame by frame."""

    def __init__(self, num_codebooks: int, code_bits: int) -> None:
        self._code_bits = code_bits
        self._waiting = np.zeros((num_codebooks, 0), np.int64)

    def push(self, codes: np.ndarray) -> bytes:
        codes = np.concatenate([self._waiting, codes], axis=1)
        ready = codes.shape[1] // _FRAMES_ALIGNED * _FRAMES_ALIGNED
        self._waiting = codes[:, ready:]
        return bits.pack(codes[:, :ready].T.reshape(-1), self._code_bits)

    def finish(self) -> bytes:
        return bits.pack(self._waiting.T.reshape(-1), self._code_bits)


class CodedWriter:
    """Codes by their shares in a language model's tables, which come frame by frame as they do for the reader."""

    def __init__(self, tables: FrameTables) -> None:
        self._tables, self._coder = tables, ArithmeticEncoder()
        self._before: np.ndarray | None = None

    def push(self, codes: np.ndarray) -> bytes:
        for frame in codes.T:
            for code, table in zip(frame.tolist(), self._tables.next(self._before), strict=True):
                if not 0 <= code < len(table):
                    raise ValueError(f"codes must be from 0 to {len(table) - 1}, got {code}")
                self._coder.push(code, table)
            self._before = frame
        return self._coder.take()

    def finish(self) -> bytes:
        return self._coder.finish()


def read_plain(
    file: IO[bytes], num_codebooks: int, frames: int, code_bits: int, max_frames: int
) -> Iterator[np.ndarray]:
    """A segment's codes (K, F) in pieces of up to `max_frames`, 8 or more.

    Raises:
        TruncatedError: if the file ends too early.
    """
    # All pieces but the last fill whole bytes, so that each can be unpacked alone.
    step = max_frames // _FRAMES_ALIGNED * _FRAMES_ALIGNED
    while frames:
        size = frames if frames <= max_frames else step
        count = size * num_codebooks
        packed = read_exactly(file, bits.packed_bytes(count, code_bits))
        yield bits.unpack(packed, count, code_bits).reshape(size, -1).T
        frames -= size


def read_coded(
    file: IO[bytes], num_codebooks: int, frames: int, tables: FrameTables, max_frames: int
) -> Iterator[np.ndarray]:
    """As `read_plain`, of codes that `CodedWriter` wrote.

    Raises:
        TruncatedError: if the file ends too early.
        CorruptError: if the bytes are none that the coder writes.
    """
    # Byte by byte, because the next segment begins right after this one.
    decoder = ArithmeticDecoder(lambda: read_exactly(file, 1)[0])
    before = None
    while frames:
        codes = np.zeros((num_codebooks, min(frames, max_frames)), np.int64)
        for f in range(codes.shape[1]):
            codes[:, f] = [decoder.pull(table) for table in tables.next(before)]
            before = codes[:, f]
        yield codes
        frames -= codes.shape[1]


def read_exactly(file: IO[bytes], size: int) -> bytes:
    """So many bytes.

    Raises:
        TruncatedError: if the file ends before.
    """
    data = read_up_to(file, size)
    if len(data) < size:
        raise TruncatedError(f"the file ends where {size - len(data)} more bytes should be")
    return data
