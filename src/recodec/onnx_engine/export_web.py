"""What the npm package `recodec` (`js/`) loads: graphs without weights, weights in half precision, one manifest.

A page asks for graphs one by one, when it first needs them, and all graphs of a network share one file of weights. A
weight is stored in half precision if that changes no bit of it, and else in single precision, so that the page
computes with the numbers that Python computes with, and makes the same codes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto

from ..atomic import write_bytes
from ..checkpoint import Spectral, fingerprint, fold
from ..config import EncodecConfig
from .build import build
from .plan import Phase, StreamPlan, decoder_plan, encoder_plan, phases_by_network, spectral_plan
from .spectral_graph import spectral_graph
from .spectral_weights import spectral_weights
from .weights import Tensors, graph_weights

MANIFEST_NAME = "recodec.json"
FORMAT_VERSION = 1

_LM_NAME = "lm.safetensors"


@dataclass(frozen=True)
class WebLM:
    """A language model, as the manifest names it.

    Attributes:
        facts: `sizes` in the order of `lm/native/model.h`, by name, `fingerprint` and `table_rule`.
        weights: the bytes of its `lm.safetensors`.
    """

    facts: Mapping[str, Any]
    weights: bytes


def export_web(
    name: str,
    config: EncodecConfig,
    tensors: Tensors,
    out_dir: str | Path,
    *,
    spectral: Spectral | None = None,
    lm: WebLM | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write the files that `Codec.load` of the npm package takes.

    Args:
        name: of the model, as `.ecdc` files carry it.
        config, tensors: of its checkpoint in our layout.
        out_dir: is made if need be.
        spectral: configuration and tensors of a spectral decoder.
        lm: the language model.
        overwrite: whether files of those names may be replaced.

    Returns:
        the files written, the manifest first.

    Raises:
        FileExistsError: if one of the files is there already and may not be replaced.
    """
    folded = fold(tensors, config)
    weights = {part: Weights(graph_weights(config, folded, part)) for part in ("encoder", "decoder", "quantizer")}
    if spectral is not None:
        weights["spectral"] = Weights(spectral_weights(*spectral))
    networks = _networks(config, None if spectral is None else spectral[0])
    files: dict[str, bytes] = {}
    for part, graphs in networks.items():
        for phase, graph in graphs.items():
            files[f"{part}.{phase}.onnx"] = _placed(graph, weights).SerializeToString()
    files |= {f"{part}.weights": held.packed() for part, held in weights.items()}
    if lm is not None:
        files[_LM_NAME] = lm.weights
    manifest = {
        "format": "recodec-web",
        "version": FORMAT_VERSION,
        "name": name,
        "fingerprint": fingerprint(folded, config),
        "also_decodes": list(config.also_decodes),
        "config": _facts(config),
        "networks": {part: _network(config, spectral, part, list(graphs)) for part, graphs in networks.items()},
        "weights": {part: {"halves": held.halves, "singles": held.singles} for part, held in weights.items()},
        "language_model": None if lm is None else {"file": _LM_NAME, **lm.facts},
        "files": {key: {"bytes": len(d), "sha256": hashlib.sha256(d).hexdigest()} for key, d in files.items()},
    }
    return _write(Path(out_dir), {MANIFEST_NAME: json.dumps(manifest, indent=1).encode(), **files}, overwrite)


class Weights:
    """Arrays of one network in one file: first those that half precision holds exactly, then the others.

    Args:
        arrays: by the names that the graphs give them, float32. An array that is a part of another's memory, as the
            single codebooks are, is stored once.

    Attributes:
        halves, singles: how many numbers are stored in each precision.
        offsets: of each array, in bytes, where all are in single precision.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.offsets: dict[str, int] = {}
        owners: dict[int, str] = {}
        whole = [name for name, array in arrays.items() if not _is_part(array, arrays)]
        exact = [name for name in whole if _is_half(arrays[name])]
        others = [name for name in whole if not _is_half(arrays[name])]
        self._exact, self._others = [arrays[name] for name in exact], [arrays[name] for name in others]
        self.halves, self.singles = (sum(a.size for a in part) for part in (self._exact, self._others))
        position = 0
        for name in [*exact, *others]:
            self.offsets[name] = position
            owners[_address(arrays[name])] = name
            position += arrays[name].nbytes
        for name, array in arrays.items():
            if name not in self.offsets:
                # Stored arrays do not overlap, so a part belongs to the last of them that begins at or before it.
                owner = max((at for at in owners if at <= _address(array)), default=0)
                self.offsets[name] = self.offsets[owners[owner]] + _address(array) - owner

    def packed(self) -> bytes:
        """The bytes of the file, little-endian."""
        halves = b"".join(array.astype("<f2").tobytes() for array in self._exact)
        return halves + b"".join(array.astype("<f4").tobytes() for array in self._others)


def _address(array: np.ndarray) -> int:
    return array.ctypes.data


def _is_part(array: np.ndarray, arrays: Mapping[str, np.ndarray]) -> bool:
    begin, end = _address(array), _address(array) + array.nbytes
    return any(
        other.nbytes > array.nbytes and _address(other) <= begin and end <= _address(other) + other.nbytes
        for other in arrays.values()
    )


def _is_half(array: np.ndarray) -> bool:
    # A number too large for half precision becomes infinite, and is then not equal.
    with np.errstate(over="ignore"):
        return bool((array.astype(np.float16).astype(np.float32) == array).all())


def _networks(config: EncodecConfig, spectral: Any) -> dict[str, dict[str, ModelProto]]:
    """The graphs by network and by phase, or by number of codebooks."""
    found = {
        part: {phase.value: build(config, f"{part}.{phase.value}") for phase in _without_twins(phases)}
        for part, phases in phases_by_network(config).items()
    }
    found["quantizer"] = {str(count): build(config, f"quantizer.{count}") for count in config.quantizer_counts}
    if spectral is not None:
        found["spectral"] = {phase.value: spectral_graph(spectral, phase) for phase in spectral_plan(spectral).phases}
    return found


def _plans(config: EncodecConfig) -> dict[str, StreamPlan]:
    return {"encoder": encoder_plan(config), "decoder": decoder_plan(config)}


def _without_twins(phases: Sequence[Phase]) -> list[Phase]:
    """A stream that starts from a past of zeros (`phases` begins with its start) serves a short recording as well."""
    return [phase for phase in phases if phase is not Phase.WHOLE or phases[0] is not Phase.STEP]


def _placed(graph: ModelProto, weights: Mapping[str, Weights]) -> ModelProto:
    """Say of each weight in which network's file it lies, and where, in place."""
    for tensor in graph.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            part = next(part for part, held in weights.items() if tensor.name in held.offsets)
            places = {"location": part, "offset": str(weights[part].offsets[tensor.name])}
            for entry in tensor.external_data:
                entry.value = places.get(entry.key, entry.value)
    return graph


def _facts(config: EncodecConfig) -> dict[str, Any]:
    return {
        "sampling_rate": config.sampling_rate,
        "channels": config.audio_channels,
        "hop": config.hop_length,
        "codebooks": config.num_quantizers,
        "codebook_size": config.codebook_size,
        "code_bits": config.codebook_nbits,
        "latent_size": config.hidden_size,
        "bandwidths": {f"{b:g}": config.quantizers_for(b) for b in config.target_bandwidths},
        "default_bandwidth": config.default_bandwidth,
        "normalize": config.normalize,
        "streamable": config.is_streamable,
        "segment_length": config.chunk_length or 0,
        "segment_stride": config.segment_stride or 0,
    }


def _network(config: EncodecConfig, spectral: Spectral | None, part: str, graphs: list[str]) -> dict[str, Any]:
    facts: dict[str, Any] = {"graphs": {phase: f"{part}.{phase}.onnx" for phase in graphs}}
    facts["weights"] = ["decoder", "quantizer"] if part == "decoder" else [part]
    plan = _plans(config).get(part)
    if part == "spectral" and spectral is not None:
        plan = spectral_plan(spectral[0])
        adapted = bool(spectral[0].condition_codebooks)
        counts = range(1, config.num_quantizers + 1)
        facts["conditions"] = [spectral[0].condition(count) for count in counts] if adapted else None
    if plan is not None:
        facts["plan"] = {**asdict(plan), "start": plan.start.value}
    return facts


def _write(folder: Path, files: Mapping[str, bytes], overwrite: bool) -> list[Path]:
    paths = [folder / name for name in files]
    for path in paths:
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} exists already")
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in zip(paths, files.values(), strict=True):
        write_bytes(path, data, overwrite=overwrite)
    return paths
