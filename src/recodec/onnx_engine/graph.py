"""One ONNX graph under construction.

Weights are declared by name and shape; their numbers are not part of the graph. Whoever runs it hands
them over (`sessions.py`), whoever ships it embeds them (`embed`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

OPSET = 18
IR_VERSION = 8  # what came with that operator set: old runtimes can read it
TIME = 3  # axis of time in (B, C, 1, T)

Shape = Sequence[int | str]
"""Sizes of a tensor; those that differ from call to call have a name."""


class Graph:
    """Collects nodes. Tensors are known by their names; every method that makes one returns its name."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[Any] = []
        self._initializers: dict[str, TensorProto] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    # ---- ends ------------------------------------------------------------------------------

    def input(self, name: str, shape: Shape, kind: int = TensorProto.FLOAT) -> str:
        """Declare an input."""
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, shape: Shape, kind: int = TensorProto.FLOAT) -> None:
        """Declare a tensor that some node makes as an output."""
        self._outputs.append(helper.make_tensor_value_info(name, kind, shape))

    # ---- constants -------------------------------------------------------------------------

    def weight(self, name: str, shape: Sequence[int], kind: int = TensorProto.FLOAT) -> str:
        """Declare a weight whose numbers come from elsewhere, float32 or of another kind."""
        if name not in self._initializers:
            tensor = TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
            size = helper.tensor_dtype_to_np_dtype(kind).itemsize * int(np.prod(shape))
            # ONNX wants a place for numbers that are stored outside. `sessions.py` hands them over by name instead.
            for key, value in (("location", "weights"), ("offset", "0"), ("length", str(size))):
                tensor.external_data.add(key=key, value=value)
            self._initializers[name] = tensor
        return name

    def ints(self, *values: int) -> str:
        """A vector of int64."""
        return self._constant(f"ints({','.join(map(str, values))})", np.array(values, np.int64))

    def number(self, value: float) -> str:
        """A float32 scalar."""
        return self._constant(f"number({value})", np.array(value, np.float32))

    def numbers(self, *values: float) -> str:
        """A vector of float32."""
        return self._constant(f"numbers({','.join(map(str, values))})", np.array(values, np.float32))

    def byte(self, value: int) -> str:
        """A uint8 scalar."""
        return self._constant(f"byte({value})", np.array(value, np.uint8))

    def _constant(self, name: str, value: np.ndarray) -> str:
        if name not in self._initializers:
            self._initializers[name] = numpy_helper.from_array(value, name)
        return name

    # ---- nodes -----------------------------------------------------------------------------

    def op(self, kind: str, *inputs: str, into: str | None = None, **attributes: Any) -> str:
        """Add a node with one output, which is called `into` if that is given."""
        return self.ops(kind, *inputs, into=(into or f"{kind}_{len(self._nodes)}",), **attributes)[0]

    def ops(self, kind: str, *inputs: str, into: Sequence[str], **attributes: Any) -> Sequence[str]:
        """Add a node with several outputs of the names given."""
        self._nodes.append(helper.make_node(kind, inputs, into, f"{kind}_{len(self._nodes)}", **attributes))
        return into

    def slice(self, x: str, begin: str, end: str, *, axis: int = TIME, into: str | None = None) -> str:
        """x[begin:end] along an axis."""
        return self.op("Slice", x, begin, end, self.ints(axis), into=into)

    def size(self, x: str, axis: int = TIME) -> str:
        """Length of an axis, a vector of one int64."""
        return self.op("Shape", x, start=axis, end=axis + 1)

    # ---- the whole -------------------------------------------------------------------------

    def model(self) -> ModelProto:
        """The graph as an ONNX model, without the numbers of its weights; states come last among its outputs."""
        outputs = sorted(self._outputs, key=lambda value: value.name.endswith(".next"))
        graph = helper.make_graph(self._nodes, self._name, self._inputs, outputs, list(self._initializers.values()))
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="recodec")


def embed(model: ModelProto, weights: Mapping[str, np.ndarray]) -> ModelProto:
    """Put the numbers of its weights into a model, in place; then it can stand alone."""
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name], tensor.name))
    return model
