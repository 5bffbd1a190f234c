"""Configurations of known models. Each function returns a fresh `EncodecConfig`."""

from __future__ import annotations

from .config import EncodecConfig


def encodec_24khz() -> EncodecConfig:
    """Meta's causal 24 kHz mono model (`facebook/encodec_24khz`), 1.5 to 24 kbps."""
    return EncodecConfig()


def encodec_48khz() -> EncodecConfig:
    """Meta's non-causal 48 kHz stereo model (`facebook/encodec_48khz`), 3 to 24 kbps."""
    return EncodecConfig(
        target_bandwidths=(3.0, 6.0, 12.0, 24.0),
        sampling_rate=48_000,
        audio_channels=2,
        normalize=True,
        chunk_length_s=1.0,
        overlap=0.01,
        norm_type="time_group_norm",
        use_causal_conv=False,
    )


def encodec_32khz() -> EncodecConfig:
    """MusicGen's non-causal 32 kHz mono model (`facebook/encodec_32khz`), 2.2 kbps."""
    return EncodecConfig(
        target_bandwidths=(2.2,),
        sampling_rate=32_000,
        num_filters=64,
        upsampling_ratios=(8, 5, 4, 4),
        use_causal_conv=False,
        codebook_size=2048,
        use_conv_shortcut=False,
    )


def recodec_24khz() -> EncodecConfig:
    """Our default model: 24 kHz mono, 16 filters (paper table A.3), zero padding, 1.5 to 12 kbps.

    Zero padding costs nothing in quality and removes the wait at the start of a stream.
    """
    return EncodecConfig(target_bandwidths=(1.5, 3.0, 6.0, 12.0), num_filters=16, pad_mode="constant")


def tiny() -> EncodecConfig:
    """A toy model for tests: everything the 24 kHz model has, in a few thousand weights."""
    return EncodecConfig(
        hidden_size=16, num_filters=2, codebook_size=64, target_bandwidths=(0.45, 0.9, 1.8, 3.6), num_lstm_layers=1
    )


def named(model: str) -> EncodecConfig | None:
    """The configuration of a model by the name that its files have; `None` for other names."""
    known = (encodec_24khz, encodec_48khz, encodec_32khz, recodec_24khz)
    return next((preset() for preset in known if preset.__name__ == model), None)
