"""Audio files written, whole or in blocks."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..atomic import atomic_write
from ..errors import AudioError, ConfigError
from ..text import counted
from .resampling import check_rate
from .samples import Samples, check_audio, check_channels
from .sndfile import SndFile

MAX_VORBIS_RATE_HZ = 200_000  # beyond it the Vorbis encoder crashes (python-soundfile issue 187)
MAX_WAV_BYTES = 2**32 - 2**16
SUBTYPES = {
    ".wav": ("PCM_16", "PCM_24", "FLOAT"),
    ".flac": ("PCM_16", "PCM_24"),
    ".ogg": ("VORBIS", "OPUS"),
    ".oga": ("VORBIS", "OPUS"),
    ".opus": ("OPUS",),
    ".mp3": ("MPEG_LAYER_III",),
    ".aiff": ("PCM_16", "PCM_24", "FLOAT"),
    ".aif": ("PCM_16", "PCM_24", "FLOAT"),
    ".caf": ("PCM_16", "PCM_24", "FLOAT"),
    ".au": ("PCM_16", "PCM_24", "FLOAT"),
    ".w64": ("PCM_16", "PCM_24", "FLOAT"),
}
"""What a file may hold by its suffix; the first is the usual one."""

_FORMATS = {".oga": "OGG", ".opus": "OGG", ".aif": "AIFF"}
_SAMPLE_BYTES = {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4}


class AudioWriter:
    """Writes an audio file block by block; a context manager. The file appears whole or not at all.

    Samples beyond [-1, 1] are clipped to it, and counted in `clipped`; floating-point samples are kept as they are.
    PCM samples are rounded to the nearest step, full scale being 2^15 or 2^23 steps.

    Args:
        path: ends in one of `SUBTYPES`.
        rate_hz: sampling rate.
        channels: 1 or 2.
        subtype: one of those that `SUBTYPES` has for the suffix; the first by default.
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
        self.rate_hz = check_rate(rate_hz)
        self.channels = channels
        self.num_samples = 0
        suffix = self.path.suffix.lower()
        if suffix not in SUBTYPES:
            raise ConfigError(f"{self.path} must end in one of {', '.join(SUBTYPES)}")
        self.subtype = SUBTYPES[suffix][0] if subtype is None else subtype
        if self.subtype not in SUBTYPES[suffix]:
            raise ConfigError(f"a {suffix} file takes {', '.join(SUBTYPES[suffix])}, not {self.subtype}")
        check_channels(channels)
        if self.subtype == "VORBIS" and rate_hz > MAX_VORBIS_RATE_HZ:
            raise ConfigError(f"{self.path} cannot have {rate_hz} Hz with {self.subtype}")
        self._format = _FORMATS.get(suffix, suffix[1:].upper())
        self.clipped = 0
        self._overwrite = overwrite

    def __enter__(self) -> AudioWriter:
        with ExitStack() as stack:
            file = stack.enter_context(atomic_write(self.path, overwrite=self._overwrite))
            try:
                self._sound = SndFile(file, self.rate_hz, self.channels, self.subtype, self._format)
            except soundfile.LibsndfileError as error:
                raise ConfigError(f"{self.path} cannot have {self.rate_hz} Hz with {self.subtype}") from error
            stack.callback(self._raise_kept)  # once it is closed, which writes as well
            stack.enter_context(self._sound)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

    def write(self, audio: NDArray[Any]) -> None:
        """Append (C, T) samples, T being 0 or more."""
        if np.shape(audio) == (self.channels, 0):
            return
        audio = check_audio(audio, name=f"the audio for {self.path}", offset=self.num_samples)
        if audio.shape[0] != self.channels:
            raise AudioError(f"{self.path} has {counted(self.channels, 'channel')}, the audio {audio.shape[0]}")
        size = (self.num_samples + audio.shape[1]) * self.channels * _SAMPLE_BYTES.get(self.subtype, 0)
        if self._format == "WAV" and size > MAX_WAV_BYTES:
            raise AudioError(f"{self.path} grows above 4 GiB, which a WAV cannot hold; write .flac")
        if self.subtype != "FLOAT":
            self.clipped += int(np.count_nonzero(np.abs(audio) > 1))
        try:
            self._sound.write(_quantize(audio, self.subtype).T)
        except (soundfile.LibsndfileError, AssertionError):  # the latter is how soundfile notes a short write
            self._raise_kept()
            raise
        self.num_samples += audio.shape[1]

    def _raise_kept(self) -> None:
        if self._sound.file_error is not None:
            raise self._sound.file_error


def write_audio(
    path: str | Path, audio: NDArray[Any], rate_hz: int, *, subtype: str | None = None, overwrite: bool = False
) -> None:
    """Write (C, T) samples to a file at once. Arguments and errors as for `AudioWriter`."""
    audio = check_audio(audio, name=f"the audio for {path}")
    with AudioWriter(path, rate_hz, audio.shape[0], subtype=subtype, overwrite=overwrite) as writer:
        writer.write(audio)


def _quantize(audio: Samples, subtype: str) -> NDArray[Any]:
    """Samples as libsndfile stores them; its own conversion from float rounds downwards."""
    if subtype == "PCM_16":
        return np.clip(np.rint(audio * 2.0**15), -(2**15), 2**15 - 1).astype(np.int16)
    if subtype == "PCM_24":
        steps = np.rint(audio.astype(np.float64) * 2.0**23)
        return np.clip(steps, -(2**23), 2**23 - 1).astype(np.int32) << 8  # the upper 24 bits are stored
    return audio if subtype == "FLOAT" else np.clip(audio, -1.0, 1.0)
