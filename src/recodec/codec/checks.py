"""What users hand to the codec, checked before any engine sees it."""

from __future__ import annotations

import numpy as np

from ..config import EncodecConfig
from ..errors import AudioError, ConfigError, CorruptError

USUAL_BANDWIDTH_KBPS = 6.0


def choose_quantizers(config: EncodecConfig, bandwidth: float | None, num_quantizers: int | None) -> int:
    """Codebooks K for a bandwidth in kbps or a number of codebooks; `default_bandwidth` for neither.

    Raises:
        ConfigError: if the model has no such bandwidth or number, or if both are given.
    """
    if num_quantizers is not None:
        if bandwidth is not None:
            raise ConfigError("give bandwidth or num_quantizers, not both")
        if not 1 <= num_quantizers <= config.num_quantizers:
            raise ConfigError(f"num_quantizers must be from 1 to {config.num_quantizers}, got {num_quantizers}")
        return num_quantizers
    bandwidth = default_bandwidth(config) if bandwidth is None else bandwidth
    if bandwidth not in config.target_bandwidths:
        choices = ", ".join(f"{choice:g}" for choice in config.target_bandwidths)
        raise ConfigError(f"the model has no bandwidth of {bandwidth:g} kbps; it has {choices}")
    return config.quantizers_for(bandwidth)


def default_bandwidth(config: EncodecConfig) -> float:
    """The model's highest bandwidth that is at most 6 kbps, or its lowest."""
    fitting = [bandwidth for bandwidth in config.target_bandwidths if bandwidth <= USUAL_BANDWIDTH_KBPS]
    return max(fitting, default=config.target_bandwidths[0])


def check_audio(audio: np.ndarray, config: EncodecConfig, *, may_be_empty: bool = False) -> np.ndarray:
    """Audio (C, T) of any floating-point type as contiguous float32.

    Raises:
        AudioError: for another shape or type, samples that are not finite, or no samples.
    """
    audio = np.asarray(audio)
    if audio.ndim != 2 or audio.shape[0] != config.audio_channels:
        raise AudioError(f"audio must be ({config.audio_channels}, samples) for this model, got shape {audio.shape}")
    if not np.issubdtype(audio.dtype, np.floating):
        raise AudioError(f"audio must be of a floating-point type, full scale being 1.0, got {audio.dtype}")
    if audio.shape[1] == 0 and not may_be_empty:
        raise AudioError("audio holds no samples")
    with np.errstate(over="ignore"):  # what float32 cannot hold is found below
        audio = np.ascontiguousarray(audio, np.float32)
    if not np.isfinite(audio).all():
        raise AudioError("audio holds samples that are not finite (NaN or infinite)")
    return audio


def check_codes(codes: np.ndarray, config: EncodecConfig) -> np.ndarray:
    """Codes (K, F) of any integer type as contiguous int64.

    Raises:
        CorruptError: for another shape or type, or codes that the codebooks do not have.
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or not 1 <= codes.shape[0] <= config.num_quantizers:
        raise CorruptError(f"codes must be (1 to {config.num_quantizers}, frames), got shape {codes.shape}")
    if not np.issubdtype(codes.dtype, np.integer):
        raise CorruptError(f"codes must be integers, got {codes.dtype}")
    if codes.size and (int(codes.min()) < 0 or int(codes.max()) >= config.codebook_size):
        raise CorruptError(f"codes must be from 0 to {config.codebook_size - 1}, got {codes.min()} to {codes.max()}")
    return np.ascontiguousarray(codes, np.int64)
