"""What users hand to the codec, checked before any engine sees it."""

from __future__ import annotations

import operator

import numpy as np

from ..audio.samples import MAX_LEVEL
from ..config import EncodecConfig
from ..errors import AudioError, ConfigError, CorruptError


def choose_quantizers(config: EncodecConfig, bandwidth: float | None, num_quantizers: int | None) -> int:
    """Codebooks K for a bandwidth in kbps or a number of codebooks; for `config.default_bandwidth` if neither is given.

    Raises:
        ConfigError: if the model has no such bandwidth or number, or if both are given.
    """
    if bandwidth is not None and num_quantizers is not None:
        raise ConfigError("give bandwidth or num_quantizers, not both")
    if num_quantizers is not None:
        num_quantizers = check_count(num_quantizers, "num_quantizers")
    return config.choose_quantizers(config.default_bandwidth if bandwidth is None else bandwidth, num_quantizers)


def check_count(value: int, name: str, *, least: int = 1) -> int:
    """A number of things, of any integer type.

    Raises:
        ConfigError: for one below `least`, or anything else.
    """
    try:
        count = operator.index(value)
    except TypeError:
        count = least - 1
    if count < least:
        raise ConfigError(f"{name} must be an integer of at least {least}, got {value!r:.60}")
    return count


def side_threads(jobs: int) -> int:
    """Threads for `Ahead` beside the one that calls; none for one job. Errors as `check_count`."""
    return jobs if check_count(jobs, "jobs") > 1 else 0


def check_audio(audio: np.ndarray, config: EncodecConfig, *, may_be_empty: bool = False) -> np.ndarray:
    """Audio (C, T) of any floating-point type as contiguous float32.

    Raises:
        AudioError: for another shape or type, samples that are not finite or far beyond full scale, or no samples.
    """
    try:
        audio = np.asarray(audio)
    except (TypeError, ValueError) as error:
        raise AudioError(f"audio must be an array of numbers ({error})") from error
    if audio.ndim != 2 or audio.shape[0] != config.audio_channels:
        raise AudioError(f"audio must be ({config.audio_channels}, samples) for this model, got shape {audio.shape}")
    if not np.issubdtype(audio.dtype, np.floating):
        raise AudioError(f"audio must be of a floating-point type, full scale being 1.0, got {audio.dtype}")
    if audio.shape[1] == 0 and not may_be_empty:
        raise AudioError("audio has no samples")
    with np.errstate(over="ignore"):  # what float32 cannot hold is found below
        audio = np.ascontiguousarray(audio, np.float32)
    if not np.isfinite(audio).all():
        raise AudioError("audio has samples that are not finite (NaN or infinite)")
    if audio.size and float(np.abs(audio).max()) > MAX_LEVEL:
        raise AudioError(f"audio has samples far beyond full scale (1): the most that is taken is {MAX_LEVEL:g}")
    return audio


def check_codes(codes: np.ndarray, config: EncodecConfig) -> np.ndarray:
    """Codes (K, F) of any integer type as contiguous int64.

    Raises:
        CorruptError: for another shape or type, or codes that the codebooks do not have.
    """
    try:
        codes = np.asarray(codes)
    except (TypeError, ValueError) as error:
        raise CorruptError(f"codes must be an array of integers ({error})") from error
    if codes.ndim != 2 or not 1 <= codes.shape[0] <= config.num_quantizers:
        raise CorruptError(f"codes must be (1 to {config.num_quantizers}, frames), got shape {codes.shape}")
    if not np.issubdtype(codes.dtype, np.integer):
        raise CorruptError(f"codes must be integers, got {codes.dtype}")
    if codes.size and (int(codes.min()) < 0 or int(codes.max()) >= config.codebook_size):
        raise CorruptError(f"codes must be from 0 to {config.codebook_size - 1}, got {codes.min()} to {codes.max()}")
    return np.ascontiguousarray(codes, np.int64)
