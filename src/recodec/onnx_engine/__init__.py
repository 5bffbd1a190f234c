"""The codec's networks on ONNX Runtime. No torch.

`OnnxEngine` runs a model on NumPy arrays; `export.export_model` writes its graphs for use elsewhere.
"""

from ..hub import cache_folder
from .engine import OnnxEngine
from .stream import StreamState

__all__ = ["OnnxEngine", "StreamState", "cache_folder"]
