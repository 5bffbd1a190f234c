"""Samples to pipes, converted as they pass: nothing waits for the end."""

from __future__ import annotations

from types import TracebackType
from typing import IO

import numpy as np

from .mixing import Mixer
from .pcm import Pcm
from .resampling import Resampler, resampled_length
from .samples import Samples
from .wav import wav_header


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
        self.clipped = 0
        self._mixer = Mixer(channels, pcm.channels)
        self._resampler = Resampler(pcm.channels, rate_hz, pcm.rate_hz)
        if wav:
            known = None if num_samples is None else resampled_length(num_samples, rate_hz, pcm.rate_hz)
            file.write(wav_header(pcm, known))
            file.flush()

    def write(self, audio: Samples) -> None:
        """Append (C, T) samples, T >= 0."""
        self._put(self._resampler.step(self._mixer(audio)))

    def close(self) -> None:
        """Write what the resampler still holds. The file itself stays open."""
        self._put(self._resampler.step(np.zeros((self._pcm.channels, 0), np.float32), last=True))

    def __enter__(self) -> LiveWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    def _put(self, audio: Samples) -> None:
        if audio.shape[1]:
            if not self._pcm.format.startswith("f"):
                self.clipped += int(np.count_nonzero(np.abs(audio) > 1))
            self._file.write(self._pcm.encode(audio))
            self._file.flush()
