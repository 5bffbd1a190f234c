"""Recordings to files and back, in pieces: the codec's blocks on one side, the wire on the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np

from ..config import EncodecConfig
from ..errors import AudioError
from ..wire import ecdc0
from .blocks import FILE_GRID_FRAMES, Block, block_decoder, block_encoder, segment_stride
from .engine import Engine


class Compressor:
    """Writes a recording as its samples come.

    Args:
        file: takes the bytes.
        engine: the model.
        num_quantizers: codebooks K to use.
        num_samples: length of the recording. Version 0 of the format has it in front.
        grid_frames: frames that a causal model takes at once.
    """

    def __init__(
        self, file: IO[bytes], engine: Engine, num_quantizers: int, num_samples: int,
        grid_frames: int = FILE_GRID_FRAMES,
    ) -> None:  # fmt: skip
        header = ecdc0.Header.for_model(engine.name, engine.fingerprint, num_samples, num_quantizers)
        self._writer = ecdc0.Writer(file, header, layout_of(engine.config))
        self._encoder = block_encoder(engine, num_quantizers, grid_frames)
        self._missing = num_samples

    def push(self, audio: np.ndarray) -> None:
        """Take the next samples (C, T), T >= 0.

        Raises:
            AudioError: for bad audio, or more of it than was announced.
        """
        self._missing -= audio.shape[-1]
        if self._missing < 0:
            raise AudioError(f"there are at least {-self._missing} samples more than were announced")
        self._write(self._encoder.push(audio))

    def close(self) -> None:
        """Write the end. The file itself stays open.

        Raises:
            AudioError: if there were fewer samples than announced.
        """
        if self._missing:
            raise AudioError(f"there are {self._missing} samples fewer than were announced")
        self._write(self._encoder.flush())
        self._writer.close()

    def _write(self, blocks: list[Block]) -> None:
        for block in blocks:
            self._writer.push(block.codes, block.scale)


def decompress_pieces(
    file: IO[bytes], header: ecdc0.Header, engine: Engine, grid_frames: int = FILE_GRID_FRAMES
) -> Iterator[np.ndarray]:
    """Read a recording piece by piece, in all exactly as many samples as went in.

    Args:
        file: stands behind its header.
        header: as `ecdc0.read_header` gave it.
        engine: the model that wrote it.
        grid_frames: frames that a causal model takes at once.

    Yields:
        audio (C, T), T >= 1.

    Raises:
        BitstreamError: if the file is damaged, or was written with another model.
    """
    header.check_model(engine.name, engine.fingerprint)
    config = engine.config
    longest = grid_frames if config.chunk_length is None else config.frames_for(config.chunk_length)
    decoder = block_decoder(engine, grid_frames)
    left = header.num_samples
    for piece in ecdc0.read_pieces(file, header, layout_of(config), max(8, longest)):
        audio = decoder.push(Block(piece.codes, piece.scale))[:, :left]
        left -= audio.shape[1]
        if audio.shape[1]:
            yield audio
    audio = decoder.flush()[:, :left]
    if audio.shape[1]:
        yield audio


def layout_of(config: EncodecConfig) -> ecdc0.Layout:
    """How a model's codes are cut, in the plain numbers that the wire understands."""
    return ecdc0.Layout(
        code_bits=config.codebook_nbits,
        num_codebooks=config.num_quantizers,
        hop=config.hop_length,
        scaled=config.normalize,
        segment_length=config.chunk_length,
        segment_stride=0 if config.chunk_length is None else segment_stride(config),
    )
