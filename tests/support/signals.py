"""Signals that several tests use."""

from __future__ import annotations

import io

import numpy as np


def noise(seconds: float, rate_hz: int, *, seed: int = 0, channels: int = 1, level: float = 0.1) -> np.ndarray:
    """White noise (C, T) float32."""
    shape = (channels, round(seconds * rate_hz))
    return (level * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def sine(seconds: float, rate_hz: int, hz: float, *, amplitude: float = 0.5) -> np.ndarray:
    """A sine (1, T) float32."""
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    return (amplitude * np.sin(2 * np.pi * hz * time)).astype(np.float32)[None]


def voice(seconds: float, rate_hz: int, *, seed: int = 0) -> np.ndarray:
    """Something that measures of speech take for speech (1, T): a gliding buzz with syllables and formants."""
    from scipy import signal

    time = np.arange(round(seconds * rate_hz)) / rate_hz
    rng = np.random.default_rng(seed)
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.7 * time + rng.uniform(0, 6))
    buzz = signal.sawtooth(2 * np.pi * np.cumsum(pitch) / rate_hz) + 0.05 * rng.standard_normal(len(time))
    out = np.zeros_like(buzz)
    for hz, width in ((600, 90), (1200, 120), (2600, 200)):
        b, a = signal.iirpeak(hz, hz / width, fs=rate_hz)
        out += signal.lfilter(b, a, buzz)
    syllables = np.clip(np.sin(2 * np.pi * 3.5 * time + rng.uniform(0, 6)) + 0.4, 0, 1)
    return (0.2 * out * syllables).astype(np.float32)[None]


def as_file(audio: np.ndarray, rate_hz: int, form: str = "WAV") -> bytes:
    """Audio (C, T) as the bytes of a file of 16 bits a sample."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, audio.T, rate_hz, format=form, subtype="PCM_16")
    return file.getvalue()
