"""What crops may go through before they are mixed: a room, and an equalizer. Speed is changed where a crop is read."""

from __future__ import annotations

import numpy as np

_RESPONSE_S = 1.0
_SHELF_SLOPE = 1.0
_LOW_SHELF_HZ = (60.0, 400.0)
_HIGH_SHELF_HZ = (2000.0, 8000.0)
_PEAK_HZ = (100.0, 8000.0)
_PEAK_Q = (0.5, 2.0)
_HIGHEST = 0.45  # of the sampling rate


def reverberate(audio: np.ndarray, rate_hz: int, random: np.random.Generator) -> np.ndarray:
    """(C, T) in a simple room: the direct sound, and noise that decays by 60 dB within 0.3 to 1.3 s.

    The noise has 5 to 20 dB less energy than the direct sound. The level stays as it was.
    """
    decay_s, below_db = random.uniform(0.3, 1.3), random.uniform(5.0, 20.0)
    size = min(audio.shape[1], round(_RESPONSE_S * rate_hz))
    response = random.standard_normal(size) * 10.0 ** (-3.0 * np.arange(size) / (decay_s * rate_hz))
    response *= 10.0 ** (-below_db / 20.0) / np.sqrt(np.sum(response**2))
    response[0] = 1.0
    length = audio.shape[1] + size
    wet = np.fft.irfft(np.fft.rfft(audio, length) * np.fft.rfft(response, length), length)[:, : audio.shape[1]]
    return (wet * _level(audio, wet)).astype(np.float32)


def equalize(audio: np.ndarray, rate_hz: int, random: np.random.Generator, most_db: float) -> np.ndarray:
    """(C, T) through a low shelf, a high shelf and a peak, drawn at random. The level stays as it was.

    The filters are those of R. Bristow-Johnson's cookbook: corners of 60 to 400 Hz and 2 to 8 kHz with slope 1, and the
    peak from 100 Hz to 8 kHz with Q from 0.5 to 2. Each raises or lowers by up to `most_db`.
    """
    length = audio.shape[1] + min(audio.shape[1], round(_RESPONSE_S * rate_hz))
    turns = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)  # 1 / z
    response = np.ones_like(turns)
    for kind, bounds in (("low", _LOW_SHELF_HZ), ("high", _HIGH_SHELF_HZ), ("peak", _PEAK_HZ)):
        hz = min(float(np.exp(random.uniform(*np.log(bounds)))), _HIGHEST * rate_hz)
        gain_db, q = random.uniform(-most_db, most_db), random.uniform(*_PEAK_Q)
        above, below = coefficients(kind, hz / rate_hz, gain_db, q)
        response *= np.polyval(above[::-1], turns) / np.polyval(below[::-1], turns)
    wet = np.fft.irfft(np.fft.rfft(audio, length) * response, length)[:, : audio.shape[1]]
    return (wet * _level(audio, wet)).astype(np.float32)


def coefficients(kind: str, frequency: float, gain_db: float, q: float) -> tuple[np.ndarray, np.ndarray]:
    """Numerator and denominator (3,) each, in powers of 1 / z, of a second-order filter.

    Args:
        kind: `"low"` or `"high"` shelf, or `"peak"`.
        frequency: its corner or centre, as a part of the sampling rate.
        gain_db: of the shelf or the peak.
        q: of the peak.
    """
    a, angle = 10.0 ** (gain_db / 40.0), 2 * np.pi * frequency
    cosine, sine = np.cos(angle), np.sin(angle)
    if kind == "peak":
        alpha = sine / (2 * q)
        return (
            np.array([1 + alpha * a, -2 * cosine, 1 - alpha * a]),
            np.array([1 + alpha / a, -2 * cosine, 1 - alpha / a]),
        )
    alpha = sine / 2 * np.sqrt((a + 1 / a) * (1 / _SHELF_SLOPE - 1) + 2)
    side, root = (1.0 if kind == "low" else -1.0), 2 * np.sqrt(a) * alpha
    least, most = (a + 1) - side * (a - 1) * cosine, (a + 1) + side * (a - 1) * cosine
    above = np.array([least + root, 2 * side * ((a - 1) - side * (a + 1) * cosine), least - root])
    below = np.array([most + root, -2 * side * ((a - 1) + side * (a + 1) * cosine), most - root])
    return a * above, below


def _level(dry: np.ndarray, wet: np.ndarray) -> float:
    """The factor that gives `wet` the energy of `dry`."""
    return float(np.sqrt(np.sum(dry**2) / max(float(np.sum(wet**2)), 1e-12)))
