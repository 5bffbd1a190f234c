"""Samples: audio files, resampling, and the input of a model. NumPy, soundfile and soxr; no torch."""

from .batch import BatchFeature
from .feature_extraction import EncodecFeatureExtractor

__all__ = ["BatchFeature", "EncodecFeatureExtractor"]
