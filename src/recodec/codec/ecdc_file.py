"""An `.ecdc` file as the codec sees it, whatever its version: written from audio, read to codes or to audio."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from types import TracebackType

import numpy as np

from ..errors import AudioError
from ..geometry import CodecGeometry
from ..wire.v0.segments import SegmentLM
from ..wire.v1.payload import PacketLM
from .blocks import Block, BlockEncoder
from .engine import Decoder, Engine


class BlockWriter(ABC):
    """Writes codes to a file of one version."""

    @abstractmethod
    def push(self, blocks: Iterable[Block]) -> None:
        """Take the next codes: a segment in each block, or any number of frames where the model has no segments."""

    @abstractmethod
    def finish(self, num_samples: int) -> None:
        """Write the end of a recording of that many samples. The file itself stays open."""

    def close(self) -> None:  # noqa: B027  # most have nothing to end
        """End its threads; what is in work is dropped."""


class EcdcWriter:
    """Compresses a recording while its samples come.

    In a `with` statement the end is written when the block ends; not if it ends with an error, so that nobody takes
    what is there for a whole recording.

    Args:
        encoder: of the model.
        writer: of the file.
        num_samples: length of the recording, if it is known.
    """

    def __init__(self, encoder: BlockEncoder, writer: BlockWriter, num_samples: int | None) -> None:
        self._encoder, self._writer, self._promised = encoder, writer, num_samples
        self._closed = False
        self.num_samples = 0

    def push(self, audio: np.ndarray) -> None:
        """Take the next samples (C, T), T >= 0.

        Raises:
            AudioError: for audio that the model cannot take, more of it than was announced, or after `close`.
        """
        if self._closed:
            raise AudioError("the recording has ended: close was called")
        blocks = self._encoder.push(audio)
        self.num_samples += np.shape(audio)[-1]
        if self._promised is not None and self.num_samples > self._promised:
            raise AudioError(f"there are more samples than the {self._promised} that were announced")
        self._writer.push(blocks)

    def close(self) -> None:
        """Write the end. The file itself stays open; a second call does nothing.

        Raises:
            AudioError: if there were no samples, or fewer than announced.
        """
        if self._closed:
            return
        if self.num_samples == 0:
            raise AudioError("there are no samples")
        if self._promised not in (None, self.num_samples):
            raise AudioError(f"there are {self.num_samples} samples, {self._promised} were announced")
        self._closed = True
        self._writer.push(self._encoder.finish())
        self._writer.finish(self.num_samples)

    def __enter__(self) -> EcdcWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.close()
        finally:
            self._encoder.close()
            self._writer.close()


class EcdcReader(ABC):
    """Reads a recording; what it says of itself is known before its model is loaded."""

    version: int
    """Of the format."""

    @property
    @abstractmethod
    def model(self) -> str:
        """Name of the model that wrote it; it may be empty."""

    @property
    @abstractmethod
    def fingerprint(self) -> str | None:
        """The first 16 hexadecimal digits of the model's fingerprint; `None` where the file does not tell it."""

    @property
    @abstractmethod
    def num_samples(self) -> int | None:
        """Length of the recording, if that is known from the start."""

    @property
    @abstractmethod
    def num_codebooks(self) -> int:
        """The most codebooks K that any of its frames has."""

    @property
    @abstractmethod
    def repeats_scale(self) -> bool:
        """Whether every packet has the one scale of the whole recording, rather than one of its own."""

    @property
    @abstractmethod
    def is_coded(self) -> bool:
        """Whether it takes a language model to read, or may for some packets."""

    @property
    def lost_samples(self) -> int:
        """Samples per channel that were missing so far, and were concealed."""
        return self.lost_within(0)

    @abstractmethod
    def lost_within(self, first: int, last: int | None = None) -> int:
        """Those of them that are between two samples of the recording; its end by default."""

    @property
    @abstractmethod
    def lacks_end(self) -> bool:
        """Whether all that there is was played, and the end was not there: how much is missing may not be known."""

    @abstractmethod
    def check_model(self, engine: Engine) -> None:
        """Make sure that a model is the one that wrote the file, or has the same codes.

        Raises:
            ModelMismatchError: if it is another one.
        """

    @abstractmethod
    def pieces(
        self,
        engine: Engine,
        *,
        decoder: Decoder | None = None,
        lm: PacketLM | SegmentLM | None = None,
        start: int = 0,
        grid_frames: int = ...,
        jobs: int = 1,
    ) -> Iterator[np.ndarray]:
        """Decode piece by piece, in all exactly as many samples as went in. May be called once.

        Args:
            engine: the model that wrote it.
            decoder: of its codes; the model's own by default.
            lm: the language model that it is coded with: the model's own in version 1, Meta's in version 0.
            start: the first sample that is wanted. In a file of version 1 little before it is decoded.
            grid_frames: frames that a causal model takes at once.
            jobs: with more than one, so many threads decode packets ahead; the audio is the same. Version 0, and what
                comes through a pipe, is decoded by one.

        Yields:
            audio (C, T), T >= 0.

        Raises:
            BitstreamError: if the bytes are damaged, or were written with another model or language model.
        """

    @abstractmethod
    def blocks(
        self, geometry: CodecGeometry | None, *, lm: PacketLM | SegmentLM | None = None, grid_frames: int = ...
    ) -> Iterator[Block]:
        """The codes, in pieces of a segment or of some frames. May be called once, in place of `pieces`.

        Args:
            geometry: of the model; a file of version 1 does without.
            lm, grid_frames: as in `pieces`.

        Raises:
            BitstreamError: as `pieces`.
        """
