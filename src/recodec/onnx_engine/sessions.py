"""ONNX Runtime sessions of one model, each made when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from . import telemetry  # isort: skip  # noqa: F401  # before ONNX Runtime is imported
import onnxruntime as ort  # isort: skip

from ..checkpoint import TRAINING_STATISTICS, codebooks_of
from ..config import EncodecConfig
from ..errors import ConfigError
from .cache import GraphCache
from .plan import SIGNALS
from .weights import Tensors, graph_weights

if TYPE_CHECKING:
    from onnx import ModelProto

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
_ERRORS_ONLY = 3
# TensorFloat-32 rounds to 10 bits: codes would differ from those of any other machine.
_PROVIDERS: dict[str, list[Any]] = {"cpu": [_CPU], "cuda": [(_CUDA, {"use_tf32": "0"}), _CPU]}


@dataclass(frozen=True)
class StateSpec:
    """A state that a graph takes: its name, its sizes for a batch of 1, and the axis of the batch."""

    name: str
    shape: tuple[int, ...]
    batch_axis: int

    def zeros(self, batch: int) -> np.ndarray:
        """The state of `batch` streams whose past is silence."""
        shape = list(self.shape)
        shape[self.batch_axis] = batch
        return np.zeros(shape, np.float32)


class Session:
    """A graph ready to run; safe to use from several threads at once."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self._session = session
        self.states = tuple(
            _spec(value.name, value.shape) for value in session.get_inputs() if value.name not in SIGNALS
        )

    def run(self, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Arrays by name in, the outputs of the names given out."""
        return self._session.run(outputs, inputs)  # type: ignore[return-value]  # no sequences or maps here


def _spec(name: str, shape: Sequence[int | str]) -> StateSpec:
    axis = list(shape).index("batch")
    return StateSpec(name, tuple(1 if isinstance(size, str) else size for size in shape), axis)


class Sessions:
    """Makes and keeps sessions. All graphs of a network share one copy of its weights.

    Args:
        config: of the model.
        tensors: of its checkpoint in our layout, with weight norm folded.
        threads: for each session; `None` for as many as there are cores.
        device: `"cpu"`, `"cuda"`, or `"auto"` for CUDA where there is a device for it.

    Raises:
        ConfigError: for an unknown device, for CUDA where it is not to be had, or a bad number of threads.
    """

    def __init__(
        self, config: EncodecConfig, tensors: Tensors, *, threads: int | None = None, device: str = "cpu"
    ) -> None:
        if threads is not None and threads < 1:
            raise ConfigError(f"threads must be at least 1, got {threads}")
        self.config, self.threads, self.device = config, threads, device
        self._tensors = {name: t for name, t in tensors.items() if not name.endswith(TRAINING_STATISTICS)}
        self._providers = _providers(device)
        self._cache = GraphCache(config)
        self._weights: dict[str, dict[str, ort.OrtValue]] = {}
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    @property
    def on_cpu(self) -> bool:
        """Whether no other device is used."""
        return self._providers == [_CPU]

    def get(self, name: str) -> Session:
        """The session of a graph named as in `build.build`."""
        session = self._sessions.get(name)
        if session is None:
            with self._lock:
                # Looked for again: another thread may have made it while this one waited for the lock.
                session = self._sessions.get(name) or self._make(name)
                self._sessions[name] = session
        return session

    def _make(self, name: str) -> Session:
        graph = self._cache.load(name)
        if graph is not None:
            with suppress(Exception):  # a damaged file, which ONNX Runtime refuses: build it anew
                return self._start(name, graph)
        if find_spec("onnx") is None:
            raise ConfigError(
                f"the graph {name} of this model does not come with recodec, and building it takes the package onnx: "
                "pip install 'recodec[onnx]'"
            )
        graph = self._build(name).SerializeToString()
        session = self._start(name, graph)
        self._cache.save(name, graph)
        return session

    def _build(self, name: str) -> ModelProto:
        from .build import build

        return build(self.config, name)

    def codebooks(self) -> np.ndarray:
        """(K, N, D) float32. What only looks codes up itself needs no copy of them in ONNX Runtime beside it."""
        with self._lock:  # while a session is made, the codebooks are in neither place
            held = self._weights.get("quantizer")
            if held is None:
                return codebooks_of(self._tensors, self.config)
        shape = self.config.num_quantizers, self.config.codebook_size, self.config.hidden_size
        return held["quantizer.embed"].numpy().reshape(shape)

    def _start(self, name: str, graph: bytes) -> Session:
        options = ort.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # as fast without, and it never gives memory back
        # Threads that spin between the small pieces of an LSTM steal the time of those at work (docs/streaming.md).
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if self.threads is not None:
            options.intra_op_num_threads = self.threads
        weights = self._weights_of(name)
        options.add_external_initializers(list(weights), list(weights.values()))
        session = ort.InferenceSession(graph, options, providers=self._providers)
        # ONNX Runtime goes on with the CPU where CUDA fails, and raises nothing.
        if self.device == "cuda" and _CUDA not in session.get_providers():
            raise ConfigError("ONNX Runtime found no CUDA device that it can use")
        return Session(session)

    def _weights_of(self, name: str) -> dict[str, ort.OrtValue]:
        part, _, detail = name.partition(".")
        match part:
            case "encoder":
                return self._part(part)
            case "decoder":
                return self._part(part) | {"quantizer.embed": self._part("quantizer")["quantizer.embed"]}
            case _:
                books = self._part(part)
                ends = ("embed", "offset")
                return {key: books[key] for k in range(int(detail)) for key in (f"quantizer.{k}.{e}" for e in ends)}

    def _part(self, part: str) -> dict[str, ort.OrtValue]:
        if part not in self._weights:
            arrays = self._take(part)
            # One after the other, so that no two forms of all weights are in memory at once.
            self._weights[part] = {name: ort.OrtValue.ortvalue_from_numpy(arrays.pop(name)) for name in list(arrays)}
        return self._weights[part]

    def _take(self, part: str) -> dict[str, np.ndarray]:
        """The weights of a part as its graphs want them; the checkpoint's form of them has done its work."""
        arrays = graph_weights(self.config, self._tensors, part)
        self._tensors = {name: t for name, t in self._tensors.items() if not name.startswith(f"{part}.")}
        return arrays


def _providers(device: str) -> list[Any]:
    has_cuda = _CUDA in ort.get_available_providers()
    if device == "auto":
        device = "cuda" if has_cuda else "cpu"
    if device not in _PROVIDERS:
        raise ConfigError(f'device must be "cpu", "cuda" or "auto", got {device!r}')
    if device == "cuda" and not has_cuda:
        raise ConfigError("this ONNX Runtime has no CUDA: install the package onnxruntime-gpu")
    return _PROVIDERS[device]
