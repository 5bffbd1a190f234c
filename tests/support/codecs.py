"""Configurations of small models of every kind, and audio for them."""

import numpy as np

from recodec import presets
from support.peers import variant

CONFIGS = {
    "reflect": presets.tiny(),
    "constant": variant(presets.tiny(), pad_mode="constant"),
    "trimmed left": variant(presets.tiny(), pad_mode="constant", trim_right_ratio=0.25, num_residual_layers=2),
    "segments": variant(
        presets.tiny(), sampling_rate=800, audio_channels=2, normalize=True, chunk_length_s=1.0, overlap=0.015,
        num_filters=4, upsampling_ratios=(2, 2, 2), norm_type="time_group_norm", use_causal_conv=False,
        target_bandwidths=(0.6, 1.2, 2.4),
    ),
    "whole": variant(presets.tiny(), use_causal_conv=False, use_conv_shortcut=False),
}  # fmt: skip
CAUSAL = ("reflect", "constant", "trimmed left")
FINGERPRINT = "0123456789abcdef" * 4


def music(config, num_samples, seed=0):
    """(C, T) tones and noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(num_samples) / config.sampling_rate
    tones = np.sin(2 * np.pi * np.array([[3.0], [7.0]])[: config.audio_channels] * time)
    return (0.3 * tones + 0.1 * rng.standard_normal((config.audio_channels, num_samples))).astype(np.float32)
