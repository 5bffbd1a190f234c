"""Opus and MP3: the real libopus and LAME, through PyAV, at the rates that they actually use."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...audio import resample
from ...errors import AudioError, ConfigError
from ..clips import fit_length
from .base import Encoded

_OPUS_RATES_HZ = (8_000, 12_000, 16_000, 24_000, 48_000)
_MP3_RATES_HZ = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


@dataclass(frozen=True)
class _Classic:
    """An encoder of FFmpeg in a container that keeps its delay, so that decoding gives it back in step."""

    bandwidth_kbps: float
    name: str
    encoder: str
    container: str
    sample_format: str
    rates_hz: tuple[int, ...]
    fallback_hz: int

    def __post_init__(self) -> None:
        if not 1 <= self.bandwidth_kbps <= 512:
            raise ConfigError(f"{self.name} takes 1 to 512 kbps, got {self.bandwidth_kbps:g}")

    def takes(self, rate_hz: int, channels: int) -> tuple[int, int]:
        return (rate_hz if rate_hz in self.rates_hz else self.fallback_hz), min(channels, 2)

    def encode(self, audio: np.ndarray, rate_hz: int) -> Encoded:
        import av

        file = io.BytesIO()
        payload_bytes = 0
        with av.open(file, "w", format=self.container) as out:
            stream: Any = out.add_stream(self.encoder, rate=rate_hz)
            stream.layout = "mono" if audio.shape[0] == 1 else "stereo"
            stream.format = self.sample_format
            stream.bit_rate = round(self.bandwidth_kbps * 1000)
            for packet in [p for frame in [*_frames(audio, rate_hz, stream), None] for p in stream.encode(frame)]:
                payload_bytes += packet.size
                out.mux(packet)
        return Encoded(file.getvalue(), payload_bytes)

    def decode(self, encoded: Encoded, rate_hz: int, num_samples: int) -> np.ndarray:
        import av

        pieces, its_rate = [], rate_hz
        with av.open(io.BytesIO(encoded.content)) as container:
            for frame in container.decode(audio=0):
                pieces.append(_samples(frame))
                its_rate = frame.sample_rate
        if not pieces:
            raise AudioError(f"{self.name} gave back no audio")
        decoded = np.concatenate(pieces, axis=1)
        return fit_length(resample(decoded, its_rate, rate_hz), num_samples)


def opus(bandwidth_kbps: float) -> _Classic:
    """libopus with its defaults (variable rate, application "audio", 20 ms frames, full complexity).

    It takes 24 kHz as it is. Opus may leave its target: count the payload.
    """
    return _Classic(bandwidth_kbps, "opus", "libopus", "ogg", "s16", _OPUS_RATES_HZ, 48_000)


def mp3(bandwidth_kbps: float) -> _Classic:
    """LAME at a constant rate; it takes the nearest rate that MPEG has for the sampling rate."""
    return _Classic(bandwidth_kbps, "mp3", "libmp3lame", "mp3", "s16p", _MP3_RATES_HZ, 48_000)


def _frames(audio: np.ndarray, rate_hz: int, stream: Any) -> list[Any]:
    """(C, T) float32 as frames of 16-bit samples, of the size that the encoder wants."""
    import av

    planar = stream.format.is_planar
    layout = stream.layout.name
    integers = np.clip(np.rint(audio * 32768), -32768, 32767).astype(np.int16)
    size = stream.codec_context.frame_size or 1024
    frames = []
    for begin in range(0, integers.shape[1], size):
        piece = integers[:, begin : begin + size]
        flat = piece if planar else piece.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(flat), format=stream.format.name, layout=layout)
        frame.sample_rate = rate_hz
        frame.pts = begin
        frames.append(frame)
    return frames


def _samples(frame: Any) -> np.ndarray:
    """A decoded frame as (C, T) float32."""
    values = frame.to_ndarray()
    channels = frame.layout.nb_channels
    if not frame.format.is_planar:
        values = values.reshape(-1, channels).T
    if values.dtype == np.int16:
        return values.astype(np.float32) / 32768
    return values.astype(np.float32)
