"""What only FFmpeg reads (m4a, aac, webm, wma, the sound of a video), through PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import av
import numpy as np
from av.error import FFmpegError

from ..errors import PARTIAL_TAKES, AudioError, IncompleteError
from .mixing import mask_of
from .samples import Samples, missing_text

# Containers that hold sound themselves. Play lists and the like are left out: they make FFmpeg open other files.
_CONTAINERS = (
    "mov", "matroska", "asf", "wv", "aac", "ac3", "eac3", "dts", "truehd", "ogg", "flac", "mp3", "wav", "w64", "aiff",
    "au", "caf", "ape", "tta", "tak", "dsf", "iff", "mpc", "mpc8", "amr", "avi", "flv", "mpegts", "mpeg", "rm", "voc",
    "shn", "xwma", "oma", "g722", "gsm", "adx", "apm", "argo_asf", "gxf", "kvag", "loas", "mmf", "sox", "wtv", "sbc",
)  # fmt: skip
# Until version 19, PyAV raised for tags that are not UTF-8; since then it has no such option.
_OLD_OPTIONS: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}


class AvDecoder:
    """The first sound of a file by FFmpeg. See `decoders.FileDecoder`.

    Args:
        file: that can seek.
        name: what the errors call it.
        partial: take what there is before damage, or where the end is missing.
        missing: the share of the file that is.

    Raises:
        AudioError: if FFmpeg does not know it, or it has no sound.
    """

    note: str | None = None

    def __init__(self, file: IO[bytes], name: str, *, partial: bool = False, missing: float = 0.0) -> None:
        self._name, self._partial = name, partial
        try:
            self._container = av.open(
                file, "r", container_options={"format_whitelist": ",".join(_CONTAINERS)}, **_OLD_OPTIONS
            )
        except (FFmpegError, OSError, ValueError) as error:
            raise _unreadable(
                name, missing, f"is not an audio file that can be read here ({_reason(error)})"
            ) from error
        if not self._container.streams.audio:
            self._container.close()
            raise _unreadable(name, missing, "has no sound")
        self._stream = self._container.streams.audio[0]
        # A stream that FFmpeg could not make sense of has no decoder, and lacks these.
        self.rate_hz = int(getattr(self._stream, "rate", None) or 0)
        self.channels = int(getattr(self._stream, "channels", None) or 0)
        if not self.rate_hz or not self.channels:
            self._container.close()
            raise _unreadable(name, missing, "does not say its sampling rate and channels")
        self.is_mp3 = self._container.format.name == "mp3"
        # A container's duration is rounded, and counts what decoders drop at the start.
        self.num_samples: int | None = None
        self.places = mask_of([channel.name for channel in self._stream.layout.channels])

    def close(self) -> None:
        """End without its samples."""
        self._container.close()

    def pieces(self) -> Iterator[Samples]:
        # To float samples of the same rate and layout; FFmpeg drops the encoder's delay itself.
        resampler = av.AudioResampler(format="fltp", layout=self._stream.layout, rate=self.rate_hz)
        count = 0
        try:
            with self._container:
                for frame in self._container.decode(self._stream):
                    if (frame.sample_rate, frame.layout.nb_channels) != (self.rate_hz, self.channels):
                        raise AudioError(
                            f"{self._name} changes after {count} samples from {self.rate_hz} Hz and {self.channels} "
                            f"channel(s) to {frame.sample_rate} Hz and {frame.layout.nb_channels}: split it first"
                        )
                    for part in resampler.resample(frame):
                        yield part.to_ndarray().astype(np.float32, copy=False)
                        count += part.samples
                for part in resampler.resample(None):
                    yield part.to_ndarray().astype(np.float32, copy=False)
        except AudioError:
            raise
        except (FFmpegError, OSError, ValueError) as error:
            if self._partial and count:
                return
            raise IncompleteError(
                f"{self._name} is damaged after {count} samples ({_reason(error)}), or was cut off there",
                f"{PARTIAL_TAKES} what is before",
            ) from error


def _unreadable(name: str, missing: float, reason: str) -> AudioError:
    """The error for a file that FFmpeg makes nothing of: if some of it is missing, that is why."""
    if missing:
        return IncompleteError(f"{name} was cut off: {missing_text(missing)}, and what is left cannot be read alone")
    return AudioError(f"{name} {reason}")


def _reason(error: Exception) -> str:
    text = " ".join(str(getattr(error, "strerror", None) or error).split())
    # FFmpeg's parsers have errors without a text.
    return "its data cannot be decoded" if text.startswith("Error number") else text
