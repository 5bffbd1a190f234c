"""Samples: audio files, resampling, and the input of a model. NumPy, soundfile and soxr; no torch."""

from .batch import BatchFeature
from .feature_extraction import EncodecFeatureExtractor
from .files import AudioReader, AudioWriter, read_audio, write_audio
from .resampling import Resampler, resample, resampled_length
from .samples import check_audio, convert_channels

__all__ = [
    "AudioReader",
    "AudioWriter",
    "BatchFeature",
    "EncodecFeatureExtractor",
    "Resampler",
    "check_audio",
    "convert_channels",
    "read_audio",
    "resample",
    "resampled_length",
    "write_audio",
]
