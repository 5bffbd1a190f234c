"""What a codec is to the evaluation: audio to bytes and back, counted and timed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...audio import convert_channels, resample
from ..clips import fit_length


@dataclass(frozen=True)
class PageFile:
    """An `.ecdc` file that the npm package decodes in a page.

    Attributes:
        make: gives its bytes.
        decoder: that plays it, `"auto"`, `"encodec"` or `"spectral"`.
    """

    make: Callable[[], bytes]
    decoder: str


@dataclass(frozen=True)
class Encoded:
    """What an encoder made.

    Attributes:
        content: what the decoder needs, in the codec's own form.
        payload_bytes: bytes of the coded audio itself, without headers and container; `None` for an
            anchor, which is not a codec.
        count_entropy_bytes: counts the same after entropy coding, where the codec has it as an option. Its time is
            not the codec's.
        codes: (K, F) integers of a codec with codebooks.
        codebook_size: entries N of a codebook.
        page_file: the same as a file that a page can play, of the default model only.
    """

    content: Any
    payload_bytes: int | None
    count_entropy_bytes: Callable[[], int] | None = None
    codes: np.ndarray | None = None
    codebook_size: int | None = None
    page_file: PageFile | None = None


class AudioCodec(Protocol):
    """A codec at one setting. Implementations need no thread safety; each process makes its own."""

    @property
    def name(self) -> str:
        """Family and variant, for example `opus` or `recodec:runs/a`."""
        ...

    @property
    def bandwidth_kbps(self) -> float | None:
        """The setting, which the actual rate may differ from; `None` if it has none."""
        ...

    def takes(self, rate_hz: int, channels: int) -> tuple[int, int]:
        """The (rate in Hz, channels) that it wants for a recording of this rate and these channels."""
        ...

    def encode(self, audio: np.ndarray, rate_hz: int) -> Encoded:
        """(C, T) float32 in a format of `takes` to bytes."""
        ...

    def decode(self, encoded: Encoded, rate_hz: int, num_samples: int) -> np.ndarray:
        """Back to (C, num_samples) float32, in step with what went in."""
        ...


@dataclass(frozen=True)
class Coded:
    """A recording that went through a codec, with what that cost.

    Attributes:
        audio: (C, T) float32, shape and rate of the original.
        seconds: its duration.
        encoded: see `Encoded`.
        encode_s, decode_s: time the codec took, without resampling.
    """

    audio: np.ndarray
    seconds: float
    encoded: Encoded
    encode_s: float
    decode_s: float


def transcode(codec: AudioCodec, audio: np.ndarray, rate_hz: int) -> Coded:
    """Send (C, T) through a codec, converting rate and channels on the way in and back on the way out.

    A codec of fewer channels gets the mean, and what it gives is copied to all channels.
    """
    channels, length = audio.shape
    its_rate, its_channels = codec.takes(rate_hz, channels)
    fitted = resample(convert_channels(audio, its_channels), rate_hz, its_rate).astype(np.float32, copy=False)
    start = time.perf_counter()
    encoded = codec.encode(fitted, its_rate)
    between = time.perf_counter()
    decoded = codec.decode(encoded, its_rate, fitted.shape[-1])
    end = time.perf_counter()
    back = resample(decoded.astype(np.float32, copy=False), its_rate, rate_hz)
    back = fit_length(convert_channels(back, channels), length)
    return Coded(back, length / rate_hz, encoded, between - start, end - between)
