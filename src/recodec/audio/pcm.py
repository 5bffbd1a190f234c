"""Samples as plain bytes, without a header: what `ffmpeg -f s16le`, `arecord -t raw` and `aplay` speak."""

from __future__ import annotations

from dataclasses import InitVar, dataclass

import numpy as np

from ..errors import AudioError, ConfigError
from .resampling import check_rate
from .samples import Samples

# Name: (bytes of a sample, how NumPy reads it). NumPy has no integers of 24 bits.
FORMATS = {
    "u8": (1, "u1"),
    "s16le": (2, "<i2"),
    "s16be": (2, ">i2"),
    "s24le": (3, ""),
    "s32le": (4, "<i4"),
    "s32be": (4, ">i4"),
    "f32le": (4, "<f4"),
    "f32be": (4, ">f4"),
    "f64le": (8, "<f8"),
}

MAX_CHANNELS = 64


@dataclass(frozen=True)
class Pcm:
    """Interleaved samples of one type.

    Attributes:
        rate_hz: sampling rate.
        channels: 1 to 64.
        format: one of `FORMATS`, named as ffmpeg names them.

    Raises:
        ConfigError: for an unknown format.
        AudioError: for a rate or a number of channels that audio does not have.
    """

    rate_hz: int
    channels: int
    format: str = "s16le"
    name: InitVar[str] = "raw audio"

    def __post_init__(self, name: str) -> None:
        if self.format not in FORMATS:
            raise ConfigError(f"samples may be {', '.join(FORMATS)}, not {self.format!r}")
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise AudioError(f"{name} has {self.channels} channels, and may have 1 to {MAX_CHANNELS}")
        check_rate(self.rate_hz, name=name)

    @classmethod
    def parse(cls, text: str) -> Pcm:
        """From `RATE:CHANNELS:FORMAT`, for example `48000:2:s16le`.

        Raises:
            ConfigError: for anything else.
        """
        rate, _, rest = text.partition(":")
        channels, _, name = rest.partition(":")
        if not (text.isascii() and rate.isdecimal() and channels.isdecimal() and len(text) < 40):
            raise ConfigError(f"raw audio is RATE:CHANNELS:FORMAT, for example 48000:2:s16le, not {text!r}")
        try:
            return cls(int(rate), int(channels), name)
        except AudioError as error:
            raise ConfigError(str(error)) from error

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return FORMATS[self.format][0] * self.channels

    def decode(self, data: bytes) -> Samples:
        """Whole frames to (C, T) float32, full scale being 1. Floats are not checked."""
        width, dtype = FORMATS[self.format]
        if self.format == "s24le":
            wide = np.zeros((len(data) // width, 4), np.uint8)
            wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, width)
            values = wide.view("<i4").reshape(-1) / 2.0**31
        else:
            values = np.frombuffer(data, dtype)
            if self.format == "u8":
                values = (values - 128.0) / 128
            elif values.dtype.kind == "i":
                values = values / 2.0 ** (8 * width - 1)
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused later
            return np.ascontiguousarray(values.reshape(-1, self.channels).T, np.float32)

    def encode(self, audio: Samples) -> bytes:
        """(C, T) to bytes. Integers are clipped to full scale and rounded to the nearest step; floats are kept."""
        width, dtype = FORMATS[self.format]
        values = audio.T.astype(np.float64).reshape(-1)
        if np.dtype(dtype or "i4").kind == "f":
            return values.astype(dtype).tobytes()
        values = np.clip(values, -1.0, 1.0)
        full = 2.0 ** (8 * width - 1)
        steps = np.minimum(np.rint(values * full), full - 1)
        if self.format == "s24le":
            return steps.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
        return (steps + (128 if self.format == "u8" else 0)).astype(dtype).tobytes()
