"""Layers as torch modules, built from the records of `architecture.py`. Every layer is streamable."""

from .layers import Network, build_decoder, build_encoder
from .streamable import State, Streamable

__all__ = ["Network", "State", "Streamable", "build_decoder", "build_encoder"]
