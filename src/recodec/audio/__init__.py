"""Samples: audio files, resampling, and the input of a model. NumPy, soundfile and soxr; no torch."""

from .batch import BatchFeature
from .feature_extraction import EncodecFeatureExtractor
from .files import AudioReader, read_audio
from .mixing import Mixer
from .resampling import Resampler, resample, resampled_length
from .samples import check_audio, convert_channels
from .writer import AudioWriter, write_audio

__all__ = [
    "AudioReader",
    "AudioWriter",
    "BatchFeature",
    "EncodecFeatureExtractor",
    "Mixer",
    "Resampler",
    "check_audio",
    "convert_channels",
    "read_audio",
    "resample",
    "resampled_length",
    "write_audio",
]
