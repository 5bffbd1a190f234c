"""Layers as torch modules, built from the records of `architecture.py`. Every layer is streamable."""

from .layers import Network, build_decoder, build_encoder
from .streamable import Streamable

__all__ = ["Network", "Streamable", "build_decoder", "build_encoder"]
