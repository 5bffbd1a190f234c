"""The codec in use: recordings, streams and files, on NumPy arrays and on any engine.

These names are what the rooms above use; the files of this room are its own business.
"""

from .codec import Codec
from .container import DEFAULT_PACKET_S, AnyLM, open_reader
from .ecdc_file import EcdcReader, EcdcWriter
from .engine import Decoder, Engine
from .files import CodedFile
from .latency import Latency
from .loading import DECODERS, DTYPES, ENGINES, ModelChoice, load_language_model, read_spectral
from .streams import StreamDecoder, StreamEncoder

__all__ = [
    "DECODERS",
    "DEFAULT_PACKET_S",
    "DTYPES",
    "ENGINES",
    "AnyLM",
    "Codec",
    "CodedFile",
    "Decoder",
    "EcdcReader",
    "EcdcWriter",
    "Engine",
    "Latency",
    "ModelChoice",
    "StreamDecoder",
    "StreamEncoder",
    "load_language_model",
    "open_reader",
    "read_spectral",
]
