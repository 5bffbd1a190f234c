"""Recodec: EnCodec, complete. A neural audio codec: model, files, streams and training.

    from recodec import Codec            # recordings to bytes and back; needs no torch
    from recodec import EncodecModel     # the model, as in transformers; needs torch

Names are loaded when they are first used, so that `import recodec` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import (
    AudioError,
    BitstreamError,
    CheckpointError,
    ConfigError,
    CorruptError,
    IncompleteError,
    ModelMismatchError,
    RecodecError,
    TruncatedError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from .audio.feature_extraction import AutoProcessor, EncodecFeatureExtractor, EncodecProcessor
    from .codec.codec import Codec
    from .config import EncodecConfig
    from .model.encodec import EncodecModel

__version__ = "0.1.0"

_LAZY = {
    "AutoProcessor": ".audio.feature_extraction",
    "Codec": ".codec.codec",
    "EncodecConfig": ".config",
    "EncodecFeatureExtractor": ".audio.feature_extraction",
    "EncodecModel": ".model.encodec",
    "EncodecProcessor": ".audio.feature_extraction",
}

__all__ = [
    "AudioError",
    "AutoProcessor",
    "BitstreamError",
    "CheckpointError",
    "Codec",
    "ConfigError",
    "CorruptError",
    "EncodecConfig",
    "EncodecFeatureExtractor",
    "EncodecModel",
    "EncodecProcessor",
    "IncompleteError",
    "ModelMismatchError",
    "RecodecError",
    "TruncatedError",
    "UnsupportedError",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(_LAZY[name], __name__), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModuleNotFoundError(f"{name} needs torch: pip install 'recodec[torch]'", name="torch") from error
    globals()[name] = value  # the next use is a plain look-up
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
