"""What `Codec` does with whole files: audio files to `.ecdc` and back, and codes from one."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ..atomic import atomic_write
from ..config import EncodecConfig
from ..errors import AudioError, ConfigError, CorruptError
from ..geometry import CodecGeometry
from .blocks import join_codes
from .checks import check_count
from .container import AnyLM, open_reader
from .ecdc_file import EcdcReader, EcdcWriter

if TYPE_CHECKING:
    from .codec import Codec


@dataclass(frozen=True)
class CodedFile:
    """Sizes of a recording and of its `.ecdc` file.

    Attributes:
        num_samples: per channel.
        sampling_rate: in Hz.
        num_bytes: of the `.ecdc` file.
        lost_samples: samples per channel that were missing in the file, and were concealed.
        lacks_end: whether the end of the file was missing: after what there was, more may be.
    """

    num_samples: int
    sampling_rate: int
    num_bytes: int
    lost_samples: int = 0
    lacks_end: bool = False

    @property
    def duration_s(self) -> float:
        """In seconds."""
        return self.num_samples / self.sampling_rate

    @property
    def bandwidth_kbps(self) -> float:
        """Of the whole file, all overhead counted."""
        return 8 * self.num_bytes / 1000 / self.duration_s if self.num_samples else 0.0


def resampled(pieces: Iterable[np.ndarray], sampling_rate: int | None, config: EncodecConfig) -> Iterator[np.ndarray]:
    """Pieces (C, T_i) of one recording at the model's rate; unchanged where they have it.

    Raises:
        ConfigError: for a rate in Hz that is not a positive integer.
    """
    if sampling_rate is None or check_count(sampling_rate, "sampling_rate") == config.sampling_rate:
        yield from pieces
        return
    from ..audio.resampling import Resampler

    resampler = Resampler(config.audio_channels, sampling_rate, config.sampling_rate)
    for piece in pieces:
        yield resampler.step(piece)
    yield resampler.step(np.zeros((config.audio_channels, 0), np.float32), last=True)


@contextmanager
def written(
    file: str | Path | IO[bytes], begin: Callable[[IO[bytes]], EcdcWriter], *, overwrite: bool
) -> Iterator[EcdcWriter]:
    """A writer on a path or an open file, which is closed at the end; a path's file appears whole or not at all."""
    if isinstance(file, (str, Path)):
        with atomic_write(file, overwrite=overwrite) as target, begin(target) as writer:
            yield writer
    else:
        with begin(file) as writer:
            yield writer


def as_file(data: bytes | IO[bytes]) -> IO[bytes]:
    """Bytes, or a file, as a file.

    Raises:
        ConfigError: for anything else.
    """
    if isinstance(data, (bytes, bytearray, memoryview)):
        return io.BytesIO(data)
    if not hasattr(data, "read"):
        raise ConfigError(f"a recording is the bytes of an .ecdc file, or an open file, got {type(data).__name__}")
    return data


@contextmanager
def open_source(source: str | Path | bytes | IO[bytes]) -> Iterator[IO[bytes]]:
    """A name, bytes or a file as a file that can seek.

    Raises:
        ConfigError: for a pipe, or anything else.
    """
    if isinstance(source, (str, Path)):
        with open(source, "rb") as file:
            if not file.seekable():
                raise ConfigError(f"{source} is a pipe, and this takes a file: save it first")
            yield file
    else:
        yield as_file(source)


def play_path(codec: Codec, path: str | Path, **options: Any) -> Iterator[np.ndarray]:
    """As `Codec.play`, with the file open for as long as it takes."""
    with open(path, "rb") as file:
        yield from codec.play(file, **options)


def unpack(
    reader: EcdcReader, geometry: CodecGeometry | None, lm: AnyLM | None
) -> tuple[np.ndarray, np.ndarray | None, int]:
    """Codes (K, F) int64, scales (S,) or `None`, and number of samples of a file.

    Raises:
        BitstreamError: for damage, a language model that is missing, or a changing number of codebooks.
    """
    blocks = list(reader.blocks(geometry, lm=lm))
    if not blocks or reader.num_samples is None:
        raise CorruptError("the file holds no packets")
    if len({len(block.codes) for block in blocks}) != 1:
        raise CorruptError("the number of codebooks changes within the file")
    codes, scales = join_codes(blocks)
    if scales is not None and reader.repeats_scale:
        scales = scales[:1]  # every packet repeats that of the whole
    return codes, scales, reader.num_samples


def compress_file(
    codec: Codec, source: str | Path, target: str | Path, bandwidth: float | None, **options: Any
) -> CodedFile:
    """See `Codec.compress_file`."""
    from ..audio.files import AudioReader

    rate = codec.sampling_rate
    with (
        AudioReader(source, rate_hz=rate, channels=codec.config.audio_channels) as reader,
        codec.writer(target, bandwidth, **options) as writer,
    ):
        for piece in reader.pieces():
            writer.push(piece)
    return CodedFile(writer.num_samples, rate, os.path.getsize(target))


def decompress_file(
    codec: Codec, source: str | Path, target: str | Path, *, tolerant: bool, overwrite: bool, **options: Any
) -> CodedFile:
    """See `Codec.decompress_file`."""
    from ..audio.writer import AudioWriter

    if os.path.exists(target) and os.path.samefile(source, target):
        raise AudioError(f"{target} is the file to read: choose another name for the audio")
    count, rate, channels = 0, codec.sampling_rate, codec.config.audio_channels
    with open(source, "rb") as file:
        reader = open_reader(file, tolerant=tolerant)
        with AudioWriter(target, rate, channels, overwrite=overwrite) as writer:
            for piece in codec.play(reader, **options):
                writer.write(piece)
                count += piece.shape[1]
    return CodedFile(count, rate, os.path.getsize(source), reader.lost_samples, reader.lacks_end)
