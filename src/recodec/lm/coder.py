"""The code language model joined to the range coder: packets of codes to bytes and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import ModelMismatchError
from ..wire.v1.range_coder import RangeDecoderBatch, encode_packet
from .attention import MAX_PUSH_FRAMES
from .config import CodeLMConfig
from .files import load_lm
from .network import ExactLM
from .tables import TABLE_RULE, TOTAL_BITS

_HEAD_ROWS = 64  # a table of 1,024 scores for so many frames fits in a core's second-level cache
_MAX_STREAMS = 64
_CACHE_BYTES = 64 << 20


class LanguageModel:
    """Codes packets with a language model's tables; a `wire.payload.PacketLM`.

    Packets know nothing of each other. How they are batched changes the speed, and no byte.

    Args:
        lm: the language model.
        fingerprint: of its weights.
    """

    def __init__(self, lm: ExactLM, fingerprint: str) -> None:
        self._lm = lm
        self._fingerprint = fingerprint

    @classmethod
    def load(cls, folder: str | Path) -> LanguageModel:
        """Read `lm.safetensors` and `lm_config.json` from a folder.

        Raises:
            FileNotFoundError: if a file is missing.
            ConfigError: for a bad configuration.
            CheckpointError: for weights that cannot be read, do not fit, or are out of range.
        """
        return cls(*load_lm(folder))

    @property
    def config(self) -> CodeLMConfig:
        """The shape of its network."""
        return self._lm.config

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the language model: 64 hexadecimal digits."""
        return self._fingerprint

    @property
    def table_rule(self) -> int:
        """Version of the rule that makes frequency tables."""
        return TABLE_RULE

    @property
    def num_codebooks(self) -> int:
        """The most codebooks that a packet may have."""
        return self._lm.config.num_codebooks

    def encode(self, codes: Sequence[np.ndarray]) -> list[bytes]:
        """Code packets, each (K, F) integers.

        Raises:
            ModelMismatchError: for more codebooks than the language model knows.
            ValueError: for codes that it does not know.
        """
        pieces = [np.asarray(piece, np.int64) for piece in codes]
        self._check([(len(piece), piece.shape[1]) for piece in pieces])
        size = self._lm.config.codebook_size
        if any(bool(((piece < 0) | (piece >= size)).any()) for piece in pieces):
            raise ValueError(f"codes must be from 0 to {size - 1}")
        payloads = [b""] * len(pieces)
        for group in _batches([piece.shape for piece in pieces], same_frames=True, limit=self._encode_limit):
            starts, freqs = self._intervals(np.stack([pieces[i] for i in group]))
            for row, i in enumerate(group):
                payloads[i] = encode_packet(starts[row].ravel(), freqs[row].ravel(), TOTAL_BITS)
        return payloads

    def decode(self, payloads: Sequence[bytes], shapes: Sequence[tuple[int, int]]) -> list[np.ndarray]:
        """Decode packets of `shapes` (K, F) to int64 codes; any bytes decode to some codes.

        Raises:
            ModelMismatchError: for more codebooks than the language model knows.
        """
        self._check(shapes)
        codes = [np.zeros(shape, np.int64) for shape in shapes]
        for group in _batches(shapes, same_frames=False, limit=self._decode_limit):
            decoded = self._decode_batch([payloads[i] for i in group], [shapes[i] for i in group])
            for row, i in enumerate(group):
                codes[i] = decoded[row, :, : shapes[i][1]]
        return codes

    def _check(self, shapes: Sequence[tuple[int, int]]) -> None:
        most = max((shape[0] for shape in shapes), default=0)
        if most > self.num_codebooks:
            raise ModelMismatchError(f"packets have {most} codebooks, the language model knows {self.num_codebooks}")

    def _encode_limit(self, frames: int) -> int:
        return max(1, MAX_PUSH_FRAMES // frames)

    def _decode_limit(self, frames: int) -> int:
        """Packets at once: as many as keep the cached past within bounds."""
        return max(1, min(_MAX_STREAMS, _CACHE_BYTES // self._lm.cache_bytes(frames)))

    def _intervals(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(P, K, F) codes to their starts and frequencies, each (P, F, K)."""
        packets, num_codebooks, frames = codes.shape
        intervals = np.empty((2, packets, frames, num_codebooks), np.int64)
        state = self._lm.start(packets, frames)
        for begin in range(0, frames, MAX_PUSH_FRAMES):
            end = min(frames, begin + MAX_PUSH_FRAMES)
            x = self._lm.push(codes[..., max(0, begin - 1) : end - 1], state, end - begin)
            x = x.reshape(-1, x.shape[-1])
            symbols = codes[..., begin:end].swapaxes(1, 2).reshape(-1, num_codebooks)
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

    def _decode_batch(self, payloads: Sequence[bytes], shapes: Sequence[tuple[int, int]]) -> np.ndarray:
        """Codes (P, K, F) of packets of one K, the longest first; beyond a packet's end, zeros."""
        num_codebooks, longest = shapes[0]
        lengths = np.array([frames for _, frames in shapes])
        codes = np.zeros((len(shapes), num_codebooks, longest), np.int64)
        decoder = RangeDecoderBatch(payloads, TOTAL_BITS)
        state = self._lm.start(len(shapes), longest)
        for f in range(longest):
            rows = slice(0, int((lengths > f).sum()))
            head = self._lm.head(self._lm.push(codes[rows, :, max(0, f - 1) : f], state, 1)[:, 0])
            for k in range(num_codebooks):
                tables = head.tables()
                symbols = tables.find(decoder.peek(rows))
                decoder.advance(*tables.interval(symbols), rows)
                codes[rows, k, f] = symbols
                head.take(symbols)
        return codes


def _batches(
    shapes: Sequence[tuple[int, ...]], *, same_frames: bool, limit: Callable[[int], int]
) -> Iterator[list[int]]:
    """Indices of packets of one K (and one F, where `same_frames`), the longest first; empty packets are left out.

    Args:
        shapes: (K, F) of each packet.
        same_frames: whether the packets of a batch must be of one length.
        limit: most packets of a batch, by the frames of its longest.
    """
    order = sorted((i for i, (k, f) in enumerate(shapes) if k and f), key=lambda i: shapes[i], reverse=True)
    batch: list[int] = []
    for i in order:
        if batch:
            first = shapes[batch[0]]
            alike = shapes[i] == first if same_frames else shapes[i][0] == first[0]
            if not alike or len(batch) >= limit(first[1]):
                yield batch
                batch = []
        batch.append(i)
    if batch:
        yield batch
