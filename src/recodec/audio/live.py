"""Samples from and to pipes, converted as they pass: nothing waits for the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np

from ..errors import AudioError
from ..pipes import Unread, read_up_to
from .files import AudioReader
from .pcm import Pcm
from .resampling import Resampler, resampled_length
from .samples import Samples, check_audio, convert_channels
from .wav_pipe import is_wav, may_end_early, read_wav_header, wav_header

_FRONT_BYTES = 12


class LiveReader:
    """Plain samples from a pipe, in pieces as they come.

    Args:
        file: stands at the first sample; its `read` gives what is there.
        pcm: what the samples are.
        rate_hz, channels: to convert to.
        size_bytes: of the samples, if a header told it.
        name: what the errors call the source.
    """

    def __init__(
        self, file: IO[bytes], pcm: Pcm, *, rate_hz: int, channels: int, size_bytes: int | None = None, name: str
    ) -> None:
        self._file, self._pcm, self._size, self.name = file, pcm, size_bytes, name
        self.rate_hz, self.channels = rate_hz, channels

    @property
    def num_samples(self) -> int | None:
        """Of all pieces together, as far as a header can be believed."""
        if self._size is None or may_end_early(self._size):
            return None
        return resampled_length(self._size // self._pcm.frame_bytes, self._pcm.rate_hz, self.rate_hz)

    def blocks(self, block_samples: int) -> Iterator[Samples]:
        """(C, T) float32 with T from 0 to about `block_samples`.

        Raises:
            AudioError: if the source ends within a sample, or before what its header promised, or if a
                sample is NaN or infinite.
        """
        resampler = Resampler(self.channels, self._pcm.rate_hz, self.rate_hz)
        most = max(1, block_samples * self._pcm.rate_hz // self.rate_hz) * self._pcm.frame_bytes
        position = 0
        for data in self._pieces(most):
            audio = check_audio(self._pcm.decode(data), name=self.name, offset=position)
            position += audio.shape[1]
            yield resampler.step(convert_channels(audio, self.channels))
        yield resampler.step(np.zeros((self.channels, 0), np.float32), last=True)

    def _pieces(self, most: int) -> Iterator[bytes]:
        """Whole frames of samples."""
        frame, held, taken = self._pcm.frame_bytes, b"", 0
        while (wanted := most if self._size is None else min(most, self._size - taken)) and (
            data := self._file.read(wanted)
        ):
            taken += len(data)
            held += data
            whole = len(held) // frame * frame
            if whole:
                yield held[:whole]
            held = held[whole:]
        if held:
            raise AudioError(f"{self.name} ends within a sample")
        if self._size is not None and taken < self._size and not may_end_early(self._size):
            raise AudioError(f"{self.name} ends after {taken} of {self._size} bytes of samples")


def open_live(file: IO[bytes], raw: Pcm | None, *, rate_hz: int, channels: int, name: str) -> LiveReader | AudioReader:
    """Read audio from a pipe: raw samples, a WAV as it comes, or any other file once it is there.

    Args:
        file: stands at its start; its `read` gives what is there.
        raw: what the samples are, if there is no header.
        rate_hz, channels: to convert to.
        name: what the errors call it.

    Raises:
        AudioError: if it is no audio.
    """
    if raw is not None:
        return LiveReader(file, raw, rate_hz=rate_hz, channels=channels, name=name)
    front = read_up_to(file, _FRONT_BYTES)
    if not is_wav(front):
        rest: IO[bytes] = Unread(front, file)  # pyright: ignore[reportAssignmentType]
        return AudioReader(rest, rate_hz=rate_hz, channels=channels, name=name)
    pcm, size = read_wav_header(file, name)
    return LiveReader(file, pcm, rate_hz=rate_hz, channels=channels, size_bytes=size, name=name)


class LiveWriter:
    """Samples to a pipe, flushed at every write.

    Args:
        file: takes the bytes.
        pcm: what they are to be; audio is converted to its rate and channels.
        rate_hz, channels: of the audio.
        wav: whether a WAV header stands in front.
        num_samples: of all the audio, for that header, if it is known.
    """

    def __init__(
        self, file: IO[bytes], pcm: Pcm, *, rate_hz: int, channels: int, wav: bool, num_samples: int | None = None
    ) -> None:
        self._file, self._pcm = file, pcm
        self._resampler = Resampler(pcm.channels, rate_hz, pcm.rate_hz)
        if wav:
            known = None if num_samples is None else resampled_length(num_samples, rate_hz, pcm.rate_hz)
            file.write(wav_header(pcm, known))
            file.flush()

    def write(self, audio: Samples) -> None:
        """Append (C, T) samples, T >= 0."""
        self._put(self._resampler.step(convert_channels(audio, self._pcm.channels)))

    def close(self) -> None:
        """Write what the resampler still holds. The file itself stays open."""
        self._put(self._resampler.step(np.zeros((self._pcm.channels, 0), np.float32), last=True))

    def _put(self, audio: Samples) -> None:
        if audio.shape[1]:
            self._file.write(self._pcm.encode(audio))
            self._file.flush()
