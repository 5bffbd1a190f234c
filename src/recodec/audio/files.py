"""Audio files in and out, whole or in blocks. Reading takes all that libsndfile knows."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, cast

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..atomic import atomic_write
from ..errors import AudioError, ConfigError
from .resampling import Resampler, check_rate, resampled_length
from .samples import Samples, check_audio, check_channels, convert_channels

READ_SAMPLES = 2**14
# The Vorbis encoder overflows its stack on long writes (libsndfile issue 1095), and crashes beyond
# this rate (python-soundfile issue 187).
WRITE_SAMPLES = 2**14
MAX_VORBIS_RATE_HZ = 200_000
MAX_WAV_BYTES = 2**32 - 2**16
SUBTYPES = {
    ".wav": ("PCM_16", "PCM_24", "FLOAT"),
    ".flac": ("PCM_16", "PCM_24"),
    ".ogg": ("VORBIS", "OPUS"),
}
_SAMPLE_BYTES = {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}

Source = str | Path | IO[bytes]


class _Guarded:
    """A binary file for libsndfile, whose callbacks cannot raise: the first error is kept for later.

    It has no name on purpose: libsndfile then goes by the content and not by the suffix, so that
    text called `.vox` is not taken for samples.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.error: OSError | ValueError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError) as error:  # a damaged header may ask for a place before the start
            self.error = self.error or error
            return self._file.tell()

    def tell(self) -> int:
        return self._file.tell()

    def read(self, count: int = -1) -> bytes:
        try:
            return self._file.read(count)
        except OSError as error:
            self.error = self.error or error
            return b""

    def write(self, content: bytes) -> int:
        try:
            return self._file.write(content)
        except OSError as error:
            self.error = self.error or error
            return 0


class AudioReader:
    """An open audio file, read in blocks of constant memory; a context manager.

    Args:
        source: a path, or a binary file such as `sys.stdin.buffer`. One that cannot seek is copied
            to a temporary file first.
        rate_hz: rate to resample to; that of the file by default.
        channels: 1 or 2, to convert to; those of the file by default.
        name: what the errors call the source; its path by default.

    Attributes:
        rate_hz, channels: of the blocks.
        num_samples: of all blocks together, as the header promises; `None` where it does not say.
            MP3 files without an index promise an estimate.

    Raises:
        FileNotFoundError: if there is no such file.
        AudioError: if it is a folder, cannot be read, is empty or no audio, has no samples (or too few
            to make one at `rate_hz`), other than 1 or 2 channels, or a rate outside 1 to 768 kHz.
    """

    def __init__(
        self, source: Source, *, rate_hz: int | None = None, channels: int | None = None, name: str | None = None
    ) -> None:
        self.name = name or (str(source) if isinstance(source, (str, Path)) else "the input")
        with ExitStack() as stack:
            self._file = _Guarded(_open_binary(source, self.name, stack))
            self._sound = stack.enter_context(_open_sound(self._file, self.name))
            self.source_rate_hz = self._sound.samplerate
            self.source_channels = self._sound.channels
            self.rate_hz = self.source_rate_hz if rate_hz is None else rate_hz
            self.channels = self.source_channels if channels is None else channels
            check_channels(self.source_channels, name=self.name)
            check_channels(self.channels, name="the output")
            check_rate(self.source_rate_hz, name=self.name)
            check_rate(self.rate_hz, name="the output")
            if self.num_samples == 0:
                raise AudioError(f"{self.name} holds no samples, or too few to make one at {self.rate_hz} Hz")
            self._stack = stack.pop_all()

    @property
    def num_samples(self) -> int | None:
        """See the class."""
        frames = self._sound.frames
        if frames >= 2**62:  # libsndfile's way of saying that it does not know
            return None
        return resampled_length(frames, self.source_rate_hz, self.rate_hz)

    def blocks(self, block_samples: int) -> Iterator[Samples]:
        """Read from the start: (C, block_samples) float32 again and again, the last one shorter.

        Raises:
            AudioError: if the file is damaged or ends early, or has a NaN or infinite sample.
        """
        return _regroup(self._converted(), block_samples)

    def _converted(self) -> Iterator[Samples]:
        resampler = Resampler(self.channels, self.source_rate_hz, self.rate_hz)
        for piece in self._pieces():
            yield resampler.step(convert_channels(piece, self.channels))
        yield resampler.step(np.zeros((self.channels, 0), dtype=np.float32), last=True)

    def _pieces(self) -> Iterator[Samples]:
        """The samples as the file has them."""
        position = 0
        try:
            self._sound.seek(0)
            while True:
                read = self._sound.read(READ_SAMPLES, dtype="float32", always_2d=True)
                if len(read) == 0:
                    break
                yield check_audio(read.T, name=self.name, offset=position)
                position += len(read)
        except soundfile.LibsndfileError as error:
            reason = error.error_string.rstrip(".")
            raise AudioError(f"{self.name} is damaged after {position} samples ({reason})") from error
        if self._file.error is not None:
            raise AudioError(f"{self.name} cannot be read beyond {position} samples") from self._file.error
        if position == 0:
            raise AudioError(f"{self.name} holds no samples")
        promised = self._sound.frames
        if position < promised < 2**62 and self._sound.format != "MP3":
            raise AudioError(f"{self.name} ends after {position} of {promised} samples")

    def close(self) -> None:
        """Close the file, if the reader opened it."""
        self._stack.close()

    def __enter__(self) -> AudioReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_audio(
    source: Source, *, rate_hz: int | None = None, channels: int | None = None, name: str | None = None
) -> tuple[Samples, int]:
    """A whole file as (C, T) float32, and its rate in Hz. Arguments and errors as for `AudioReader`."""
    with AudioReader(source, rate_hz=rate_hz, channels=channels, name=name) as reader:
        # Block by block, so that a header that claims 2^40 samples allocates nothing.
        return np.concatenate(list(reader.blocks(READ_SAMPLES)), axis=1), reader.rate_hz


class AudioWriter:
    """Writes an audio file block by block; a context manager. The file appears whole or not at all.

    Samples beyond [-1, 1] are clipped to it. PCM samples are rounded to the nearest step, full
    scale being 2^15 or 2^23 steps.

    Args:
        path: ends in `.wav`, `.flac` or `.ogg`.
        rate_hz: sampling rate.
        channels: 1 or 2.
        subtype: `"PCM_16"`, `"PCM_24"` or `"FLOAT"` (WAV only); `"VORBIS"` or `"OPUS"` for Ogg. By
            default `"PCM_16"`, and `"VORBIS"` for Ogg.
        overwrite: whether an existing file may be replaced.

    Raises:
        ConfigError: for a suffix, a subtype or a rate that cannot be written.
        FileExistsError: if there is such a file and `overwrite` is false.
        AudioError: for audio that is not (C, T), a NaN or infinite sample, other than 1 or 2 channels, a
            rate outside 1 to 768 kHz, or a WAV above 4 GiB.
    """

    def __init__(
        self, path: str | Path, rate_hz: int, channels: int, *, subtype: str | None = None, overwrite: bool = False
    ) -> None:
        self.path = Path(path)
        self.rate_hz = rate_hz
        self.channels = channels
        self.num_samples = 0
        suffix = self.path.suffix.lower()
        if suffix not in SUBTYPES:
            raise ConfigError(f"{self.path} must end in one of {', '.join(SUBTYPES)}")
        self.subtype = SUBTYPES[suffix][0] if subtype is None else subtype
        if self.subtype not in SUBTYPES[suffix]:
            raise ConfigError(f"a {suffix} file takes {', '.join(SUBTYPES[suffix])}, not {self.subtype}")
        check_channels(channels)
        check_rate(rate_hz)
        if self.subtype == "VORBIS" and rate_hz > MAX_VORBIS_RATE_HZ:
            raise ConfigError(f"{self.path} cannot have {rate_hz} Hz with {self.subtype}")
        self._format = suffix[1:].upper()
        self._overwrite = overwrite

    def __enter__(self) -> AudioWriter:
        with ExitStack() as stack:
            self._file = _Guarded(stack.enter_context(atomic_write(self.path, overwrite=self._overwrite)))
            stack.callback(self._raise_kept)
            try:
                sound = soundfile.SoundFile(
                    cast(Any, self._file), "w", self.rate_hz, self.channels, self.subtype, format=self._format
                )
            except soundfile.LibsndfileError as error:
                raise ConfigError(f"{self.path} cannot have {self.rate_hz} Hz with {self.subtype}") from error
            self._sound = stack.enter_context(sound)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def write(self, audio: NDArray[Any]) -> None:
        """Append (C, T) samples, T being 0 or more."""
        if audio.shape == (self.channels, 0):
            return
        audio = check_audio(audio, name=f"the audio for {self.path}", offset=self.num_samples)
        if audio.shape[0] != self.channels:
            raise AudioError(f"{self.path} has {self.channels} channel(s), the audio {audio.shape[0]}")
        size = (self.num_samples + audio.shape[1]) * self.channels * _SAMPLE_BYTES.get(self.subtype, 0)
        if self._format == "WAV" and size > MAX_WAV_BYTES:
            raise AudioError(f"{self.path} grows above 4 GiB, which a WAV cannot hold; write .flac")
        frames = _quantize(audio, self.subtype).T
        for start in range(0, len(frames), WRITE_SAMPLES):
            try:
                self._sound.write(frames[start : start + WRITE_SAMPLES])
            except (soundfile.LibsndfileError, AssertionError):  # the latter is how soundfile notes a short write
                self._raise_kept()
                raise
        self.num_samples += audio.shape[1]

    def _raise_kept(self) -> None:
        if self._file.error is not None:
            raise self._file.error


def write_audio(
    path: str | Path, audio: NDArray[Any], rate_hz: int, *, subtype: str | None = None, overwrite: bool = False
) -> None:
    """Write (C, T) samples to a file at once. Arguments and errors as for `AudioWriter`."""
    audio = check_audio(audio, name=f"the audio for {path}")
    with AudioWriter(path, rate_hz, audio.shape[0], subtype=subtype, overwrite=overwrite) as writer:
        writer.write(audio)


# ---- parts ---------------------------------------------------------------------------------


def _open_binary(source: Source, name: str, stack: ExitStack) -> IO[bytes]:
    """The source as a binary file that can seek; what is opened here is closed by the stack."""
    try:
        file = stack.enter_context(open(source, "rb")) if isinstance(source, (str, Path)) else source  # noqa: SIM115
        if not file.seekable():
            copy = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
            shutil.copyfileobj(file, copy)
            file = copy
        if file.seek(0, os.SEEK_END) == 0:
            raise AudioError(f"{name} is empty")
        file.seek(0)
    except FileNotFoundError:
        raise
    except IsADirectoryError as error:
        raise AudioError(f"{name} is a folder, not a file") from error
    except OSError as error:
        raise AudioError(f"{name} cannot be read: {error.strerror}") from error
    return file


def _open_sound(file: _Guarded, name: str) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(cast(Any, file))
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise AudioError(f"{name} is no audio file that can be read here ({reason})") from error


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


def _quantize(audio: Samples, subtype: str) -> NDArray[Any]:
    """Samples as libsndfile stores them; its own conversion from float rounds downwards."""
    if subtype == "PCM_16":
        return np.clip(np.rint(audio * 2.0**15), -(2**15), 2**15 - 1).astype(np.int16)
    if subtype == "PCM_24":
        steps = np.rint(audio.astype(np.float64) * 2.0**23)
        return np.clip(steps, -(2**23), 2**23 - 1).astype(np.int32) << 8  # the upper 24 bits are stored
    return np.clip(audio, -1.0, 1.0)
