"""Models by name or path, on the engine of one's choice. Engines are imported when they are needed."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..checkpoint import resolve_file
from ..config import EncodecConfig
from ..entropy.config import CONFIG_NAME
from ..entropy.files import WEIGHTS_NAME
from ..errors import CheckpointError, ConfigError, ModelMismatchError
from ..wire.header import Header
from .engine import Engine
from .entropy import EntropyModel

if TYPE_CHECKING:
    from .meta_lm import MetaLM

ENGINES = ("auto", "onnx", "torch")
DEFAULT_MODEL = "recodec_24khz"
HUB_MODELS = {name: f"facebook/{name}" for name in ("encodec_24khz", "encodec_48khz", "encodec_32khz")}


def load_engine(name_or_path: str | Path | None, engine: str, threads: int | None) -> Engine:
    """Load a model.

    Args:
        name_or_path: `None` for the default model, a folder, the id of a model on the hub, or (torch
            only) a file of weights.
        engine: `"onnx"`, `"torch"`, or `"auto"`: ONNX Runtime, except for a file of weights.
        threads: for CPU work; `None` leaves the choice to the engine.

    Raises:
        CheckpointError: if the model is not found or not sound.
        ConfigError: for an unknown engine, one that is not installed, or a bad number of threads.
    """
    if engine not in ENGINES:
        raise ConfigError(f"engine must be one of {', '.join(ENGINES)}, got {engine!r}")
    if threads is not None and threads < 1:
        raise ConfigError(f"threads must be at least 1, got {threads}")
    alone = name_or_path is not None and os.path.isfile(name_or_path)
    if engine == "torch" or (engine == "auto" and alone):
        return _torch_engine(name_or_path, threads)
    from ..runtime import OnnxEngine

    return OnnxEngine.from_pretrained(name_or_path, name=model_name(name_or_path), threads=threads)


def load_entropy_model(name_or_path: str | Path | None) -> EntropyModel | None:
    """The language model that comes with a model, as `lm.safetensors` and `lm_config.json`; `None` if none does.

    Args:
        name_or_path: as for `load_engine`; beside a file of weights it is looked for in their folder.

    Raises:
        ConfigError, CheckpointError: if it is there, and is not sound.
    """
    if name_or_path is not None and os.path.isfile(name_or_path):
        name_or_path = Path(name_or_path).parent
    try:
        folder = resolve_file(name_or_path, CONFIG_NAME).parent
        resolve_file(name_or_path, WEIGHTS_NAME)
    except CheckpointError:
        return None
    return EntropyModel.load(folder)


def find_coder(header: Header, name_or_path: str | Path | None) -> EntropyModel | None:
    """The language model that coded a stream: that of a given model, or of the one that the header names.

    `None` if the stream needs none, or it is not at hand.

    Raises:
        ModelMismatchError: if the given model has another one, or none.
        ConfigError, CheckpointError: if it is not sound.
    """
    if not header.table_rule:
        return None
    coder = load_entropy_model(model_called(header.model) if name_or_path is None else name_or_path)
    if name_or_path is None:
        known = coder is not None and coder.fingerprint.startswith(header.lm_fingerprint)
        return coder if known and coder is not None and coder.table_rule == header.table_rule else None
    if coder is None:
        raise ModelMismatchError(f"{name_or_path} holds no language model")
    header.check_lm(coder.fingerprint, coder.table_rule)
    return coder


def model_name(name_or_path: str | Path | None) -> str:
    """What files call a model: the last part of its hub id or folder."""
    if name_or_path is None:
        return DEFAULT_MODEL
    path = Path(name_or_path)
    if path.is_dir():
        path = path.resolve()
    return path.stem if path.is_file() else path.name


def model_called(name: str) -> str | None:
    """Where a model that a file names is found, as `load_engine` takes it; the default model for unknown names."""
    return HUB_MODELS.get(name)


def load_meta_lm(path: str | Path, config: EncodecConfig) -> MetaLM:
    """Meta's language model from Meta's checkpoint; see `MetaLM.load`.

    Raises:
        ConfigError: if torch is not installed.
        FileNotFoundError, CheckpointError: as `MetaLM.load`.
    """
    _need_torch("Meta's language model")
    from .meta_lm import MetaLM

    return MetaLM.load(path, config)


def _torch_engine(name_or_path: str | Path | None, threads: int | None) -> Engine:
    _need_torch("the torch engine")
    from ..model.encodec import EncodecModel
    from .torch_engine import TorchEngine

    model = EncodecModel.from_pretrained(name_or_path)
    return TorchEngine(model, model_name(name_or_path), model.fingerprint(), threads)


def _need_torch(what: str) -> None:
    if find_spec("torch") is None:
        raise ConfigError(f"{what} needs torch: pip install 'recodec[torch]'")
