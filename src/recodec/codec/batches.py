"""Many recordings at once: batches of similar length, each recording coded as it would be alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .blocks import Block
from .engine import Engine


def encode_batched(
    engine: Engine, recordings: Sequence[np.ndarray], num_quantizers: int, batch: int, grid_frames: int
) -> list[list[Block]]:
    """Encode recordings (C, T_i), T_i >= 1, of any lengths.

    Args:
        engine: any model.
        recordings: checked audio.
        num_quantizers: codebooks K to use.
        batch: the most recordings, or segments, to take at once.
        grid_frames: frames that a causal model takes at once.

    Returns:
        the blocks of each recording, in the order given.
    """
    if engine.config.is_streamable:
        return _encode_streams(engine, recordings, num_quantizers, batch, grid_frames)
    return _encode_segments(engine, recordings, num_quantizers, batch)


def _encode_streams(
    engine: Engine, recordings: Sequence[np.ndarray], num_quantizers: int, batch: int, grid_frames: int
) -> list[list[Block]]:
    # Recordings of similar length share a batch, so that few of its streams end early.
    order = sorted(range(len(recordings)), key=lambda i: recordings[i].shape[1])
    blocks: list[list[Block]] = [[] for _ in recordings]
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        parts = _encode_bucket(engine, [recordings[i] for i in rows], num_quantizers, grid_frames)
        for i, codes in zip(rows, parts, strict=True):
            blocks[i].append(Block(codes, None))
    return blocks


def _encode_bucket(
    engine: Engine, recordings: list[np.ndarray], num_quantizers: int, grid_frames: int
) -> list[np.ndarray]:
    """Streams that start together; each leaves the batch for its last, partial frame, which it takes alone.

    Args:
        recordings: (C, T_i), shortest first.
    """
    hop = engine.config.hop_length
    parts: list[list[np.ndarray]] = [[] for _ in recordings]
    state, position = engine.encoder_state(len(recordings)), 0
    active = list(range(len(recordings)))
    while active:
        # The shortest that is left: up to its last whole frame, all streams of the batch can go on together.
        whole = recordings[active[0]].shape[1] // hop * hop
        size = min(whole - position, grid_frames * hop)
        if size:
            audio = np.stack([recordings[i][:, position : position + size] for i in active])
            codes, state = engine.encode_step(audio, state, last=False, num_quantizers=num_quantizers)
            position += size
            for row, i in enumerate(active):
                parts[i].append(codes[row])
        ending = [row for row, i in enumerate(active) if recordings[i].shape[1] // hop * hop == position]
        for row in ending:
            i = active[row]
            codes, _ = engine.encode_step(
                recordings[i][None, :, position:], engine.select_streams(state, [row]), last=True,
                num_quantizers=num_quantizers,
            )  # fmt: skip
            parts[i].append(codes[0])
        # Streams are sorted by length, so those that end come first.
        staying = range(len(ending), len(active))
        if ending and staying:
            state = engine.select_streams(state, list(staying))
        active = [active[row] for row in staying]
    return [np.concatenate(pieces, axis=1) for pieces in parts]


def _encode_segments(
    engine: Engine, recordings: Sequence[np.ndarray], num_quantizers: int, batch: int
) -> list[list[Block]]:
    """Segments of equal length go together, whatever recording they are of."""
    segments = [list(_segments(engine, recording)) for recording in recordings]
    blocks: list[list[Block | None]] = [[None] * len(pieces) for pieces in segments]
    by_length: dict[int, list[tuple[int, int]]] = {}
    for i, pieces in enumerate(segments):
        for j, piece in enumerate(pieces):
            by_length.setdefault(piece.shape[1], []).append((i, j))
    for places in by_length.values():
        for start in range(0, len(places), batch):
            chosen = places[start : start + batch]
            audio = np.stack([segments[i][j] for i, j in chosen])
            codes, scales = engine.encode_segment(audio, num_quantizers)
            for row, (i, j) in enumerate(chosen):
                blocks[i][j] = Block(codes[row], None if scales is None else float(scales[row]))
    return [[block for block in row if block is not None] for row in blocks]


def _segments(engine: Engine, recording: np.ndarray) -> Iterator[np.ndarray]:
    length = engine.config.chunk_length or recording.shape[1]
    for start in engine.config.segment_starts(recording.shape[1]):
        yield recording[:, start : start + length]
