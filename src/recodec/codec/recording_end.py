"""Where the audio of a recording ends: before its last frame does."""

from __future__ import annotations

import numpy as np


class RecordingEnd:
    """Cuts audio to the length that the stream's end tells: what the last frame makes beyond it is dropped.

    Args:
        hop: samples of a frame.
        total: length of the recording, if it is known from the start.
        given: where the audio begins.
        wanted: the first sample that is wanted.
    """

    def __init__(self, hop: int, total: int | None, given: int, wanted: int) -> None:
        self._total, self._given, self._wanted = total, given, wanted
        self._surplus = hop - 1  # the end may count as few as one sample of the last frame
        self._held: np.ndarray | None = None

    def known(self, total: int) -> None:
        """The length is now certain."""
        self._total = total

    def trim(self, audio: np.ndarray) -> np.ndarray:
        """The next samples (C, T), to those that are certain."""
        audio = audio if self._held is None else np.concatenate([self._held, audio], axis=1)
        certain = audio.shape[1] if self._total is not None else max(0, audio.shape[1] - self._surplus)
        audio, self._held = audio[:, :certain], audio[:, certain:]
        return self._cut(audio)

    def rest(self, audio: np.ndarray) -> np.ndarray:
        """The last samples, all that there are where no end has told a length."""
        return self._cut(audio if self._held is None else np.concatenate([self._held, audio], axis=1))

    def _cut(self, audio: np.ndarray) -> np.ndarray:
        stop = audio.shape[1] if self._total is None else max(0, self._total - self._given)
        # Decoding began earlier, to be warm at the wanted sample; what it made until then is dropped.
        begin = max(0, self._wanted - self._given)
        self._given += min(audio.shape[1], stop)
        return audio[:, begin:stop]
