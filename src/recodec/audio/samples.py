"""Arrays of samples: what counts as audio, and one channel or two. Shapes are (C, T)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PARTIAL_TAKES, AudioError, IncompleteError

READ_SAMPLES = 2**14
"""Samples per channel that are read at once."""

MAX_CHANNELS = 2
MAX_LEVEL = 1e6
"""120 dB above full scale. Beyond it, sums of squares and the scales of models that normalize lose their meaning."""

Samples = NDArray[np.float32]


def check_audio(audio: NDArray[Any], *, name: str = "audio", offset: int = 0) -> Samples:
    """Audio as float32, after a look at every sample.

    Args:
        audio: (C, T) of floating point; full scale is 1, and going beyond is allowed.
        name: what the errors call it.
        offset: position of the first sample in the recording, for a piece of one.

    Raises:
        AudioError: for another shape or type, other than 1 or 2 channels, no samples, a NaN or infinite sample, or one
            beyond `MAX_LEVEL`; the message gives its position.
    """
    if not isinstance(audio, np.ndarray):
        raise AudioError(f"{name} must be an array of NumPy, (channels, samples), got {type(audio).__name__}")
    if audio.ndim != 2:
        raise AudioError(f"{name} must be (channels, samples), got shape {audio.shape}")
    if not np.issubdtype(audio.dtype, np.floating):
        raise AudioError(f"{name} must be of floating point with full scale 1, got {audio.dtype}")
    check_channels(audio.shape[0], name=name)
    if audio.shape[1] == 0:
        raise AudioError(f"{name} has no samples")
    return check_samples(audio, name=name, offset=offset)


def check_samples(audio: NDArray[Any], *, name: str, offset: int = 0) -> Samples:
    """(C, T) of floating point, of any number of channels, as float32, after a look at every sample.

    Arguments and errors as in `check_audio`.
    """
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused below
        samples = audio.astype(np.float32, copy=False)
    finite = np.isfinite(samples)
    if not finite.all():
        position = int((~finite).any(axis=0).argmax())
        channel = int((~finite[:, position]).argmax())
        value = "NaN" if np.isnan(samples[channel, position]) else "infinite"
        raise AudioError(f"sample {offset + position} of channel {channel} of {name} is {value}")
    loud = np.abs(samples) > MAX_LEVEL
    if loud.any():
        position = int(loud.any(axis=0).argmax())
        raise AudioError(
            f"sample {offset + position} of {name} is {float(np.abs(samples[:, position]).max()):.3g}, far beyond "
            f"full scale (1); the most that is taken is {MAX_LEVEL:g}"
        )
    return samples


def check_channels(channels: int, *, name: str = "audio") -> None:
    """Refuse a number of channels that no model takes.

    Raises:
        AudioError: for other than 1 or 2 channels; the message says how many there are.
    """
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"{name} has {channels} channels; only mono (1) and stereo (2) are supported")


def convert_channels(audio: Samples, channels: int) -> Samples:
    """(C, T) to (channels, T): the mean of stereo for mono, two copies of mono for stereo.

    Raises:
        AudioError: if either number of channels is not 1 or 2.
    """
    check_channels(audio.shape[0])
    check_channels(channels)
    if channels == audio.shape[0]:
        return audio
    if channels == 1:
        return audio.mean(axis=0, keepdims=True, dtype=np.float32)
    return np.repeat(audio, 2, axis=0)


def missing_text(share: float) -> str:
    """What to say of a share of a file that is missing."""
    return f"{f'{100 * share:.0f}' if share >= 0.005 else 'less than 1'} % of it is missing"


def cut_off(name: str, there: int, promised: int, rate_hz: int) -> IncompleteError:
    """The error for a missing end."""
    return IncompleteError(
        f"{name} was cut off: {there / rate_hz:.3f} s of {promised / rate_hz:.3f} s are there ({there} of {promised} "
        "samples)",
        f"{PARTIAL_TAKES} them",
    )
