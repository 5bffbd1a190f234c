"""Recordings read whole or in pieces, from files and pipes."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from typing import IO, cast

import numpy as np

from ..errors import AudioError, ConfigError
from ..pipes import Unread, read_up_to
from ..text import system_reason
from .decoders import FRONT_BYTES, FileDecoder, checked, nothing, open_decoder, open_wav, raw_decoder
from .mixing import Mixer, check_select
from .pcm import Pcm
from .resampling import Resampler, check_rate, resampled_length
from .samples import READ_SAMPLES, Samples, check_samples
from .wav import OtherFormError, is_wav

_MAX_HEADER_BYTES = 1 << 26

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]
"""A path, the bytes of a file, or a file that is open for them."""


class AudioReader:
    """An open recording, read in constant memory; a context manager.

    It reads WAV (RF64 and BW64, too), all other formats that libsndfile knows, and with the package `av` all that
    FFmpeg knows. However the recording is cut into pieces, they are the same samples.

    Args:
        source: a path, the bytes of a file, or a binary file such as `sys.stdin.buffer`. From one that cannot seek,
            WAVs of plain samples are read as they come; others are copied to a temporary file first.
        rate_hz: rate to resample to; that of the file by default.
        channels: 1 or 2, to convert to; those of the file by default, and stereo for more than two.
        name: what the errors call the source; its path by default.
        raw: what the samples are, for a source without a header.
        select: take one or two channels of the source, counted from 1, and mix nothing else in.
        partial: take what there is of a file that was cut off.

    Attributes:
        rate_hz, channels: of the pieces.
        source_rate_hz, source_channels: of the source.
        num_samples: of all pieces together, as the header promises; `None` where it does not say.
            MP3 files without an index promise an estimate.
        notes: lines that say how more than two channels are mixed, and what of an MP3 or an Ogg file is skipped.

    Raises:
        FileNotFoundError: if there is no such file.
        AudioError: if it is a folder, cannot be read, is empty, is not audio, was cut off, has no samples (or too few
            to make one at `rate_hz`), channels whose places are not known, or a rate outside 1 to 768 kHz.
    """

    def __init__(
        self,
        source: Source,
        *,
        rate_hz: int | None = None,
        channels: int | None = None,
        name: str | None = None,
        raw: Pcm | None = None,
        select: Sequence[int] | None = None,
        partial: bool = False,
    ) -> None:
        self.name = name or (os.fspath(source) if isinstance(source, (str, os.PathLike)) else "the input")
        with ExitStack() as stack:
            self._open = _Opening(source, self.name, raw, partial, stack)
            decoder = checked(self._open.decoder(), self.name)
            self.source_rate_hz, self.source_channels = decoder.rate_hz, decoder.channels
            self.rate_hz = check_rate(self.source_rate_hz if rate_hz is None else rate_hz, name="the output")
            self.channels = min(2, self.source_channels) if channels is None else channels
            if select is not None and channels is None:
                self.channels = len(check_select(select))
            self._mixer = Mixer(self.source_channels, self.channels, mask=decoder.places, select=select, name=self.name)
            self.notes = [note for note in (decoder.note, self._mixer.note) if note is not None]
            self._promised = decoder.num_samples
            self._decoder: FileDecoder | None = decoder
            if self.num_samples == 0:
                raise AudioError(f"{self.name} has no samples, or too few to make one at {self.rate_hz} Hz")
            self._stack = stack.pop_all()

    @property
    def num_samples(self) -> int | None:
        """See the class."""
        if self._promised is None:
            return None
        return resampled_length(self._promised, self.source_rate_hz, self.rate_hz)

    def blocks(self, block_samples: int) -> Iterator[Samples]:
        """Read from the start: (C, block_samples) float32 again and again, the last one shorter.

        Raises:
            AudioError: if the file is damaged or ends early, or has a NaN or infinite sample.
        """
        return _regroup(self.pieces(), block_samples)

    def pieces(self) -> Iterator[Samples]:
        """Read from the start: (C, T), T >= 0, as the samples come; from a pipe, as soon as they come.

        Raises:
            AudioError: as `blocks`.
        """
        decoder, self._decoder = self._decoder or self._open.decoder(), None
        resampler = Resampler(self.channels, self.source_rate_hz, self.rate_hz)
        position = 0
        for piece in decoder.pieces():
            piece = check_samples(piece, name=self.name, offset=position)
            position += piece.shape[1]
            yield resampler.step(self._mixer(piece))
        if position == 0:
            raise AudioError(f"{self.name} has no samples")
        yield resampler.step(nothing(self.channels), last=True)

    def close(self) -> None:
        """Close the file, if the reader opened it."""
        self._stack.close()

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Opening:
    """A source, and how to open it: a file anew for each reading, a pipe once."""

    def __init__(self, source: Source, name: str, raw: Pcm | None, partial: bool, stack: ExitStack) -> None:
        self._name, self._raw, self._partial = name, raw, partial
        self._file = _open_binary(source, name, stack)
        self._piped: FileDecoder | None = None
        if not self._file.seekable():
            self._piped = self._from_pipe(stack)
        elif self._file.seek(0, os.SEEK_END) == 0:
            if not self._file.read(1):
                raise AudioError(f"{name} is empty")
            # Such as /dev/zero: a copy of it would never end.
            raise AudioError(f"{name} has no size and may have no end", "copy what is wanted of it to a file")

    def decoder(self) -> FileDecoder:
        """A decoder that stands at the start.

        Raises:
            AudioError: as `open_decoder`; or if a pipe is read a second time.
        """
        if not self._file.seekable():
            decoder, self._piped = self._piped, None
            if decoder is None:
                raise AudioError(f"{self._name} is a pipe: it can be read once only")
            return decoder
        self._file.seek(0)
        if self._raw is not None:
            return raw_decoder(self._file, self._raw, self._name, partial=self._partial)
        return open_decoder(self._file, self._name, partial=self._partial)

    def _from_pipe(self, stack: ExitStack) -> FileDecoder | None:
        """A decoder of what can be read as it comes; else nothing, and a copy of the pipe is the file."""
        if self._raw is not None:
            return raw_decoder(self._file, self._raw, self._name, partial=self._partial)
        front = read_up_to(self._file, FRONT_BYTES)
        if not front:
            raise AudioError(f"{self._name} is empty")
        seen = _Recorded(self._file, front, self._name)
        if is_wav(front):
            try:
                decoder = open_wav(cast(IO[bytes], seen), self._name, partial=self._partial)
            except OtherFormError:
                pass
            else:
                seen.bytes = None
                return decoder
        copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        shutil.copyfileobj(cast(IO[bytes], Unread(bytes(seen.bytes or b""), self._file)), copy)
        self._file = copy
        return None


class _Recorded:
    """A pipe whose first bytes are kept while its header is read, so that they can be read again."""

    def __init__(self, file: IO[bytes], front: bytes, name: str) -> None:
        self._file, self._name = file, name
        self.bytes: bytearray | None = bytearray(front)

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if self.bytes is not None:
            self.bytes += data
            if len(self.bytes) > _MAX_HEADER_BYTES:
                raise AudioError(f"{self._name} has more than {_MAX_HEADER_BYTES >> 20} MB before its samples")
        return data


def read_audio(
    source: Source,
    *,
    rate_hz: int | None = None,
    channels: int | None = None,
    name: str | None = None,
    select: Sequence[int] | None = None,
    partial: bool = False,
) -> tuple[Samples, int]:
    """A whole file as (C, T) float32, and its rate in Hz. Arguments and errors as for `AudioReader`."""
    with AudioReader(source, rate_hz=rate_hz, channels=channels, name=name, select=select, partial=partial) as reader:
        # Block by block, so that a header that claims 2^40 samples allocates nothing.
        return np.concatenate(list(reader.blocks(READ_SAMPLES)), axis=1), reader.rate_hz


# ---- parts ---------------------------------------------------------------------------------


def _open_binary(source: Source, name: str, stack: ExitStack) -> IO[bytes]:
    """The source as a binary file; what is opened here is closed by the stack."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source)
    if isinstance(source, io.TextIOBase):
        raise AudioError(f"{name} is open as text: open it in binary mode ('rb'), or take its buffer")
    if not isinstance(source, (str, os.PathLike)):
        if not hasattr(source, "read"):
            raise AudioError(f"a source is a path, bytes or a file in binary mode, got {type(source).__name__}")
        return source
    try:
        return stack.enter_context(open(source, "rb"))
    except FileNotFoundError:
        raise
    except OSError as error:
        if os.path.isdir(source):
            raise AudioError(f"{name} is a folder, not a file") from error
        raise AudioError(f"{name} cannot be read: {system_reason(error)}") from error
    except ValueError as error:  # a name with a zero byte
        raise AudioError(f"{name!r} is not the name of a file: {error}") from error


def _regroup(pieces: Iterable[Samples], block_samples: int) -> Iterator[Samples]:
    """Cut a stream of (C, any) anew into (C, block_samples), the last block shorter."""
    if block_samples < 1:
        raise ConfigError(f"block_samples must be positive, got {block_samples}")
    held: list[Samples] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += piece.shape[1]
        if count < block_samples:
            continue
        joined = np.concatenate(held, axis=1)
        whole = count - count % block_samples
        for start in range(0, whole, block_samples):
            yield np.ascontiguousarray(joined[:, start : start + block_samples])
        held = [joined[:, whole:]]
        count -= whole
    if count:
        yield np.concatenate(held, axis=1)
