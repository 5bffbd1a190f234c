"""Recordings in version 0 of `.ecdc`, Meta's: the codec's blocks on one side, the wire on the other."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from contextlib import nullcontext, suppress
from typing import IO, cast

import numpy as np

from ..errors import CorruptError, ModelMismatchError, TruncatedError, UnsupportedError
from ..geometry import CodecGeometry
from ..pipes import Unread
from ..wire.v0 import files
from ..wire.v0.segments import LeftoverError, SegmentLM
from ..wire.v0.size import check_size
from ..wire.v1.payload import PacketLM
from .blocks import FILE_GRID_FRAMES, Block, block_decoder
from .ecdc_file import BlockWriter, EcdcReader
from .engine import Decoder, Engine, known_fingerprints


class BlockWriter0(BlockWriter):
    """See `ecdc_file.BlockWriter`. This version has the length in front: codes are kept until it is known.

    Args:
        file: takes the bytes.
        engine: the model.
        num_quantizers: codebooks K to use.
        num_samples: length of the recording, if known.
        lm: Meta's language model, to code with; without it codes are plain.
    """

    def __init__(
        self, file: IO[bytes], engine: Engine, num_quantizers: int, num_samples: int | None, lm: SegmentLM | None = None
    ) -> None:
        self._file, self._engine, self._num_quantizers, self._lm = file, engine, num_quantizers, lm
        self._kept: list[Block] = []
        self._writer = None if num_samples is None else self._begin(num_samples)

    def push(self, blocks: Iterable[Block]) -> None:
        if self._writer is None:
            self._kept += blocks
            return
        for block in blocks:
            self._writer.push(block.codes, block.scale)

    def finish(self, num_samples: int) -> None:
        if self._writer is None:
            self._writer = self._begin(num_samples)
            self.push(self._kept)
        self._writer.close()

    def _begin(self, num_samples: int) -> files.Writer:
        engine, coded = self._engine, self._lm is not None
        metadata = files.Metadata.for_model(engine.name, engine.fingerprint, num_samples, self._num_quantizers, coded)
        return files.Writer(self._file, metadata, engine.config, self._lm)


class EcdcReader0(EcdcReader):
    """See `ecdc_file.EcdcReader`. No damage shows in this version, but for a missing end.

    Args:
        file: stands at its start.
        tolerant: play what there is of a file that was cut off.
    """

    version = 0

    def __init__(self, file: IO[bytes], *, tolerant: bool = False) -> None:
        self._file, self._tolerant = file, tolerant
        self.metadata = files.read_metadata(file)
        self._lacks_end = False

    @property
    def model(self) -> str:
        return self.metadata.model

    @property
    def fingerprint(self) -> str | None:
        return self.metadata.fingerprint

    @property
    def num_samples(self) -> int:
        return self.metadata.num_samples

    @property
    def num_codebooks(self) -> int:
        return self.metadata.num_codebooks

    @property
    def repeats_scale(self) -> bool:
        return False

    @property
    def is_coded(self) -> bool:
        return self.metadata.coded

    def lost_within(self, first: int, last: int | None = None) -> int:
        return 0

    @property
    def lacks_end(self) -> bool:
        return self._lacks_end

    def check_size(self, geometry: CodecGeometry | None) -> bool:
        """Compare the size of the file with what its header promises, if that can be done.

        Args:
            geometry: of the model, if it is known.

        Returns:
            whether it could be done: not without the geometry, where a language model decides the size, or of a pipe.

        Raises:
            TruncatedError, CorruptError: if it is another one.
        """
        if geometry is None or self.metadata.coded or not self._file.seekable():
            return False
        check_size(self._file, geometry, self.num_samples, self.num_codebooks)
        return True

    def state_by_size(self, geometry: CodecGeometry | None) -> tuple[bool | None, str | None]:
        """Whether the end is there (`None` if that cannot be said), and what is wrong; see `check_size`."""
        try:
            return self.check_size(geometry) or None, None
        except (TruncatedError, CorruptError) as error:
            return not isinstance(error, TruncatedError), str(error)

    def check_model(self, engine: Engine) -> None:
        self.metadata.check_model(engine.name, *known_fingerprints(engine))

    def pieces(
        self, engine: Engine, *, decoder: Decoder | None = None, lm: PacketLM | SegmentLM | None = None,
        start: int = 0, grid_frames: int = FILE_GRID_FRAMES, jobs: int = 1,
    ) -> Iterator[np.ndarray]:  # fmt: skip
        self.check_model(engine)
        blocks = block_decoder(decoder or engine, grid_frames)
        position = 0
        for block in itertools.chain(self.blocks(engine.config, lm=lm, grid_frames=grid_frames), [None]):
            audio = blocks.finish() if block is None else blocks.push(block)
            audio = audio[:, : self.num_samples - position]
            position += audio.shape[1]
            # There is no index in this version: all audio before the wanted start is decoded, and dropped.
            self._lacks_end = block is None and position < self.num_samples
            yield audio[:, max(0, audio.shape[1] - max(0, position - start)) :]

    def blocks(
        self, geometry: CodecGeometry | None, *, lm: PacketLM | SegmentLM | None = None,
        grid_frames: int = FILE_GRID_FRAMES,
    ) -> Iterator[Block]:  # fmt: skip
        if geometry is None:
            raise UnsupportedError("a file of version 0 does not say how its codes are cut: that takes its model")
        if lm is not None and not isinstance(lm, SegmentLM):
            raise ModelMismatchError("a file of version 0 is coded with Meta's language model, not with this one")
        segment = geometry.chunk_length
        # The least that `read_pieces` takes: 8 frames fill whole bytes, whatever the width of a code.
        longest = max(8, grid_frames if segment is None else geometry.frames_for(segment))
        file = self._file
        if self._tolerant:
            # As a pipe, whose size is not compared with the header's claim; in small pieces, to lose little.
            file = cast(IO[bytes], Unread(b"", self._file))
            longest = 8 if segment is None else longest
        with suppress(TruncatedError, LeftoverError) if self._tolerant else nullcontext():
            for piece in files.read_pieces(file, self.metadata, geometry, longest, lm):
                yield Block(piece.codes, piece.scale)
