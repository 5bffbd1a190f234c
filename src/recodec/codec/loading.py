"""Models by name or path, on the engine of one's choice. Engines are imported when they are needed."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checkpoint import (
    Spectral,
    check_fit,
    check_spectral,
    codebook_digest,
    read_safetensors,
    read_weights,
    split_vocos,
    vocos_config,
)
from ..config import CONFIG_NAME as MODEL_CONFIG_NAME
from ..config import EncodecConfig
from ..errors import CheckpointError, ConfigError, ModelMismatchError
from ..hub import is_weights_file, model_called, model_name, resolve_file, resolve_weights
from ..spectral import SPECTRAL_CONFIG_NAME, SPECTRAL_WEIGHTS_NAME, SpectralConfig
from ..wire.v1.header import Header
from .engine import Decoder, Engine

if TYPE_CHECKING:
    from ..lm.coder import LanguageModel
    from ..lm.meta_coder import MetaLanguageModel

ENGINES = ("auto", "onnx", "torch")
DECODERS = ("auto", "encodec", "spectral")
MAX_THREADS = 1024
VOCOS_CONFIG_NAME = "config.yaml"
DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}
"""Precisions by their short names."""
INT8 = "int8"
"""A precision of spectral decoders alone."""


@dataclass(frozen=True)
class ModelChoice:
    """Which model, and what runs it: a value that can be compared, pickled and sent to other processes.

    Attributes:
        name: `None` or `"recodec_24khz"` for the shipped model, a folder, the id of a model on the hub, or
            (torch only) a file of weights.
        engine: `"onnx"`, `"torch"`, or `"auto"`: ONNX Runtime on a CPU in float32, torch for anything else.
        device: `"cpu"`, `"cuda"`, `"cuda:N"`, or `"auto"` for a GPU where there is one.
        dtype: precision of encoder and decoder: `"fp32"`, `"fp16"` or `"bf16"` (`"float32"`, `"float16"` and
            `"bfloat16"` are taken, too); other than float32 with torch only. Codebooks are always searched in float32.
            `"int8"`: a spectral decoder computes the products of its blocks with 8-bit integers, on the ONNX engine and
            a CPU; all else is float32, so that codes are the same.
        threads: for CPU work; `None` leaves the choice to the engine.
        decoder: `"auto"`, `"encodec"` or `"spectral"` (see `Codec.decode`), or where a spectral decoder is: a folder,
            or the id of one on the hub.

    Raises:
        ConfigError: for an unknown engine or precision, or a bad number of threads.
    """

    name: str | None = None
    engine: str = "auto"
    device: str = "cpu"
    dtype: str = "fp32"
    threads: int | None = None
    decoder: str = "auto"

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ConfigError(f"engine must be one of {', '.join(ENGINES)}, got {self.engine!r}")
        short = {name: key for key, name in DTYPES.items()}.get(self.dtype, self.dtype)
        if short not in (*DTYPES, INT8):
            raise ConfigError(f"dtype must be one of {', '.join(DTYPES.values())}, {INT8}, got {self.dtype!r}")
        if short == INT8 and (self.engine == "torch" or self.device != "cpu" or self.decoder == "encodec"):
            raise ConfigError("dtype int8 takes the ONNX engine, a CPU and a spectral decoder")
        object.__setattr__(self, "dtype", short)
        if self.threads is not None and not 1 <= self.threads <= MAX_THREADS:
            raise ConfigError(f"threads must be from 1 to {MAX_THREADS}, got {self.threads}")

    @classmethod
    def of(
        cls,
        name_or_path: str | Path | None,
        engine: str,
        device: str,
        dtype: Any,
        threads: int | None,
        decoder: str | Path = "auto",
    ) -> ModelChoice:
        """The choice that arguments as of `Codec.from_pretrained` stand for; a `torch.dtype` is named."""
        name = None if name_or_path is None else str(name_or_path)
        precision = "float32" if dtype is None else str(dtype).removeprefix("torch.")
        return cls(name, engine, str(device), precision, threads, str(decoder))

    def absolute(self) -> ModelChoice:
        """The same model, also from another working directory."""
        name = self.name if self.name is None or not os.path.exists(self.name) else os.path.abspath(self.name)
        here = self.decoder not in DECODERS and os.path.exists(self.decoder)
        return replace(self, name=name, decoder=os.path.abspath(self.decoder) if here else self.decoder)

    def load_engine(self) -> Engine[Any]:
        """The engine.

        Raises:
            CheckpointError: if the model is not found or not valid.
            ConfigError: for an engine that is not installed, or a device that is not there.
        """
        int8 = self.dtype == INT8
        plain = self.device == "cpu" and (int8 or self.dtype == "fp32") and not is_weights_file(self.name)
        if int8 and not plain:
            raise ConfigError(f"dtype {INT8} takes the ONNX engine, which reads no file of weights: name its folder")
        if self.engine == "torch" or (self.engine == "auto" and not plain):
            return self._torch_engine()
        if not int8 and self.dtype != "fp32":
            raise ConfigError(f"precision {self.dtype} takes the torch engine")
        from ..onnx_engine import OnnxEngine

        return OnnxEngine.from_pretrained(
            self.name, name=model_name(self.name), threads=self.threads, device=self.device, int8=int8
        )

    def _torch_engine(self) -> Engine[Any]:
        need_torch("the torch engine")
        import torch

        from ..model.encodec import EncodecModel
        from .torch_engine import TorchEngine

        there = torch.cuda.is_available()
        device = ("cuda" if there else "cpu") if self.device == "auto" else self.device
        if device.startswith("cuda") and not there:
            raise ConfigError("torch finds no CUDA device here")
        try:
            torch.zeros(1, device=device)
        except (RuntimeError, AssertionError) as error:
            raise ConfigError(f"torch has no device {device!r} here; device is cpu, cuda, cuda:N or auto") from error
        model = EncodecModel.from_pretrained(self.name)
        fingerprint = model.fingerprint()
        model = model.fold_weight_norm().to(device, getattr(torch, DTYPES[self.dtype]))
        return TorchEngine(model, model_name(self.name), fingerprint, self.threads)


def load_language_model(name_or_path: str | Path | None) -> LanguageModel | None:
    """The language model that comes with a model, as `lm.safetensors` and `lm_config.json`; `None` if none does.

    Args:
        name_or_path: as `ModelChoice.name`; for a file of weights it is looked for in their folder.

    Raises:
        ConfigError, CheckpointError: if it is there, and is not valid.
    """
    from ..lm.coder import LanguageModel
    from ..lm.config import CONFIG_NAME
    from ..lm.weights import WEIGHTS_NAME

    if name_or_path is not None and is_weights_file(name_or_path):
        name_or_path = Path(name_or_path).parent
    try:
        folder = resolve_file(name_or_path, CONFIG_NAME).parent
        resolve_file(name_or_path, WEIGHTS_NAME)
    except CheckpointError:
        return None
    lm = LanguageModel.load(folder)
    if (folder / MODEL_CONFIG_NAME).is_file():
        _check_fit(lm, EncodecConfig.from_json_file(folder / MODEL_CONFIG_NAME), folder)
    return lm


def load_spectral(choice: ModelChoice, engine: Engine[Any]) -> Decoder[Any] | None:
    """The spectral decoder of a model, ready to decode; arguments and errors as in `read_spectral`.

    Args:
        choice: of model and decoder.
        engine: that runs the model.
    """
    found = read_spectral(choice, engine.config, engine.codebooks)
    if found is None and choice.dtype == INT8:
        raise ConfigError(f"dtype {INT8} takes a spectral decoder, and this model has none")
    return None if found is None else engine.spectral_decoder(*found)


def read_spectral(choice: ModelChoice, config: EncodecConfig, codebooks: np.ndarray) -> Spectral | None:
    """The spectral decoder that a choice names, or that lies beside its model.

    Args:
        choice: of model and decoder.
        config: of the model.
        codebooks: (K, N, D) of the model.

    Returns:
        its configuration and its tensors; `None` if the choice names none, and none comes with the model.

    Raises:
        CheckpointError: if it is named and not found, not valid, or made for other codes.
        ConfigError: if its configuration is not valid, or reading it takes torch, which is not installed.
    """
    named = choice.decoder not in DECODERS
    place = choice.decoder if named else choice.name
    if not named and place is not None and is_weights_file(place):
        place = str(Path(place).parent)
    try:
        path = resolve_file(place, SPECTRAL_CONFIG_NAME)
    except CheckpointError:
        if not named:
            return None
        shape, tensors, source = _read_vocos(choice.decoder, config)
    else:
        shape, source = SpectralConfig.from_json_file(path), resolve_file(place, SPECTRAL_WEIGHTS_NAME)
        tensors = read_safetensors(source)
    check_fit(shape, config, codebooks)
    return shape, check_spectral(shape, tensors, source)


def _read_vocos(name_or_path: str, config: EncodecConfig) -> tuple[SpectralConfig, dict[str, np.ndarray], Path]:
    """A Vocos checkpoint: `config.yaml` beside `model.safetensors` or `pytorch_model.bin`."""
    import yaml

    try:
        path = resolve_file(name_or_path, VOCOS_CONFIG_NAME)
    except CheckpointError as error:
        raise CheckpointError(
            f"{name_or_path!r} is not a spectral decoder: it has no {SPECTRAL_CONFIG_NAME}, and no {VOCOS_CONFIG_NAME} "
            f"of a Vocos ({error})"
        ) from error
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path} is not valid YAML") from error
    weights = resolve_weights(name_or_path)
    if weights.suffix == ".bin":
        need_torch("a Vocos checkpoint in pytorch_model.bin")
        from ..nn.pickled import read_pickled as read
    else:
        read = read_weights
    tensors, books = split_vocos(read(weights), config, weights)
    return vocos_config(settings, config, codebook_digest(books)), tensors, weights


def _check_fit(lm: LanguageModel, config: EncodecConfig, folder: Path) -> None:
    """Make sure that a language model speaks the codes of the model beside it.

    Raises:
        CheckpointError: if it does not.
    """
    for name, found, wanted in (
        ("codebook_size", lm.config.codebook_size, config.codebook_size),
        ("frame_rate", lm.config.frame_rate, config.frame_rate),
    ):
        if found != wanted:
            raise CheckpointError(f"the language model in {folder} has a {name} of {found}, the model one of {wanted}")


def find_lm(header: Header, name_or_path: str | Path | None) -> LanguageModel | None:
    """The language model that coded a stream: that of a given model, or of the one that the header names.

    `None` if the stream needs none, or it is not here.

    Raises:
        ModelMismatchError: if the given model has another one, or none.
        ConfigError, CheckpointError: if it is not valid.
    """
    if not header.table_rule:
        return None
    lm = load_language_model(model_called(header.model) if name_or_path is None else name_or_path)
    if name_or_path is None:
        known = lm is not None and lm.fingerprint.startswith(header.lm_fingerprint)
        return lm if known and lm is not None and lm.table_rule == header.table_rule else None
    if lm is None:
        raise ModelMismatchError(f"{name_or_path} has no language model")
    header.check_lm(lm.fingerprint, lm.table_rule)
    return lm


def load_meta_lm(path: str | Path, config: EncodecConfig) -> MetaLanguageModel:
    """Meta's language model from Meta's checkpoint; see `MetaLanguageModel.load`.

    Raises:
        ConfigError: if torch is not installed.
        FileNotFoundError, CheckpointError: as `MetaLanguageModel.load`.
    """
    need_torch("Meta's language model")
    from ..lm.meta_coder import MetaLanguageModel

    return MetaLanguageModel.load(path, config)


def need_torch(what: str) -> None:
    if find_spec("torch") is None:
        raise ConfigError(f"{what} needs torch: pip install 'recodec[torch]'")
