"""The reference: packets coded by NumPy alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..wire.v1.range_coder import RangeDecoder, RangeDecoderBatch, encode_packet
from .attention import MAX_PUSH_FRAMES
from .config import CodeLMConfig
from .network import ExactLM
from .tables import TOTAL_BITS, Tables

_HEAD_ROWS = 64  # a table of 1,024 scores for so many frames fits in a core's second-level cache
_MAX_STREAMS = 64
_CACHE_BYTES = 64 << 20


class NumpyKernel:
    """See `kernel.Kernel`.

    Args:
        lm: the language model.
    """

    name = "NumPy"

    def __init__(self, lm: ExactLM) -> None:
        self._lm = lm
        self.config: CodeLMConfig = lm.config

    def encode_limit(self, frames: int) -> int:
        return max(1, MAX_PUSH_FRAMES // frames)

    def encode(self, codes: np.ndarray) -> list[bytes]:
        starts, freqs = self.intervals(codes)
        return [encode_packet(s.ravel(), f.ravel(), TOTAL_BITS) for s, f in zip(starts, freqs, strict=True)]

    def decode_limit(self, frames: int) -> int:
        """As many as keep the cached past within bounds."""
        return max(1, min(_MAX_STREAMS, _CACHE_BYTES // self._lm.cache_bytes(frames)))

    def decode(self, payloads: Sequence[bytes], num_codebooks: int, lengths: Sequence[int]) -> np.ndarray:
        longest, ends = lengths[0], np.array(lengths)
        codes = np.zeros((len(payloads), num_codebooks, longest), np.int64)
        next_symbols = _next_symbol(payloads[0]) if len(payloads) == 1 else _next_symbols(payloads)
        state = self._lm.start(len(payloads), longest)
        for f in range(longest):
            rows = slice(0, int((ends > f).sum()))
            head = self._lm.head(self._lm.push(codes[rows, :, max(0, f - 1) : f], state, 1)[:, 0])
            for k in range(num_codebooks):
                symbols = next_symbols(head.tables(), rows)
                codes[rows, k, f] = symbols
                head.take(symbols)
        return codes

    def intervals(self, codes: np.ndarray, scores: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(P, K, F) codes to their starts and frequencies, each (P, F, K) int64.

        Args:
            codes: of packets of one length.
            scores: (P, F, K, N) float32, to be filled with the scores of all codes.
        """
        packets, num_codebooks, frames = codes.shape
        intervals = np.empty((2, packets, frames, num_codebooks), np.int64)
        state = self._lm.start(packets, frames)
        for begin in range(0, frames, MAX_PUSH_FRAMES):
            end = min(frames, begin + MAX_PUSH_FRAMES)
            x = self._lm.push(codes[..., max(0, begin - 1) : end - 1], state, end - begin)
            x = x.reshape(-1, x.shape[-1])
            symbols = codes[..., begin:end].swapaxes(1, 2).reshape(-1, num_codebooks)
            if scores is not None:
                scores[:, begin:end] = self._scores(x, symbols).reshape(packets, end - begin, num_codebooks, -1)
            rows = [
                self._rows(x[i : i + _HEAD_ROWS], symbols[i : i + _HEAD_ROWS]) for i in range(0, len(x), _HEAD_ROWS)
            ]
            intervals[:, :, begin:end] = np.concatenate(rows, axis=1).reshape(2, packets, end - begin, num_codebooks)
        return intervals[0], intervals[1]

    def _rows(self, x: np.ndarray, symbols: np.ndarray) -> np.ndarray:
        """Starts and frequencies (2, M, K) of (M, K) codes that follow (M, d)."""
        intervals = np.empty((2, *symbols.shape), np.int64)
        head = self._lm.head(x)
        for k in range(symbols.shape[1]):
            intervals[:, :, k] = head.tables().interval(symbols[:, k])
            head.take(symbols[:, k])
        return intervals

    def _scores(self, x: np.ndarray, symbols: np.ndarray) -> np.ndarray:
        """Scores (M, K, N) of the tables that `_rows` looks into."""
        head, found = self._lm.head(x), []
        for k in range(symbols.shape[1]):
            found.append(head.scores())
            head.take(symbols[:, k])
        return np.stack(found, axis=1)


def _next_symbols(payloads: Sequence[bytes]) -> Callable[[Tables, slice], np.ndarray]:
    """What finds the next symbols (P,) of packets in step."""
    decoder = RangeDecoderBatch(payloads, TOTAL_BITS)

    def find(tables: Tables, rows: slice) -> np.ndarray:
        symbols = tables.find(decoder.peek(rows))
        decoder.advance(*tables.interval(symbols), rows)
        return symbols

    return find


def _next_symbol(payload: bytes) -> Callable[[Tables, slice], np.ndarray]:
    """The same for one packet, in Python's integers: for a single number they are faster than NumPy's arrays."""
    decoder = RangeDecoder(payload, TOTAL_BITS)

    def find(tables: Tables, rows: slice) -> np.ndarray:
        symbol, start, freq = tables.find_one(decoder.peek())
        decoder.advance(start, freq)
        return np.array([symbol])

    return find
