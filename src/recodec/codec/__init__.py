"""The codec in use: recordings, streams and files, on NumPy arrays and on any engine."""

from .codec import Codec
from .engine import Engine
from .latency import Latency
from .streams import StreamDecoder, StreamEncoder

__all__ = ["Codec", "Engine", "Latency", "StreamDecoder", "StreamEncoder"]
