"""What a run is asked to do, as values that can be sent to other processes and machines."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ..codec.codec import Codec
from ..codec.engine import Engine
from ..codec.loading import load_engine, load_entropy_model, model_name
from ..errors import ConfigError

DTYPES = ("fp32", "fp16", "bf16")
BACKENDS = ("auto", "onnx", "torch")
FORMATS = ("parquet", "tar", "ecdc")
LAYOUTS = ("lists", "binary")


@dataclass(frozen=True)
class ModelChoice:
    """The model, and what runs it.

    Attributes:
        name: as for `Codec.from_pretrained`.
        backend: `"onnx"`, `"torch"`, or `"auto"`: ONNX Runtime on a CPU, torch otherwise.
        device: `"cpu"`, `"cuda"` or `"cuda:N"`.
        dtype: precision of the encoder; other than `"fp32"` with torch only. Codebooks are always searched in fp32.
        threads: for CPU work; `None` for the backend's choice.
    """

    name: str | None = None
    backend: str = "auto"
    device: str = "cpu"
    dtype: str = "fp32"
    threads: int | None = None

    def load(self) -> Codec:
        """The model, ready.

        Raises:
            ConfigError: for a choice that cannot be, or needs what is not installed.
            CheckpointError: if the model is not found or not sound.
        """
        if self.dtype not in DTYPES or self.backend not in BACKENDS:
            raise ConfigError(f"no dtype {self.dtype!r} or no backend {self.backend!r}")
        plain = self.device == "cpu" and self.dtype == "fp32"
        if plain and self.backend != "torch":
            return Codec(load_engine(self.name, self.backend, self.threads), lambda: load_entropy_model(self.name))
        if self.backend == "onnx":
            raise ConfigError("devices other than the CPU, and half precision, take the torch backend")
        return Codec(self._torch_engine(), lambda: load_entropy_model(self.name))

    def _torch_engine(self) -> Engine:
        if find_spec("torch") is None:
            raise ConfigError("the torch backend needs torch: pip install 'recodec[torch]'")
        import torch

        from ..codec.torch_engine import TorchEngine
        from ..model.encodec import EncodecModel

        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise ConfigError("torch finds no CUDA device here")
        model = EncodecModel.from_pretrained(self.name)
        mark = model.fingerprint()
        kind = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[self.dtype]
        model = model.fold_weight_norm().to(self.device, kind)
        return TorchEngine(model, model_name(self.name), mark, self.threads)


@dataclass(frozen=True)
class OutputChoice:
    """What the output looks like: together with the input and the model, all that its bytes depend on.

    Attributes:
        format: `"parquet"`, `"tar"` or `"ecdc"`.
        codes: in Parquet, `"lists"` (K lists of F) or `"binary"` (K x F little-endian 16-bit integers).
        num_quantizers: codebooks K.
        shard_clips: clips of a shard.
        lm: whether `.ecdc` files are coded with the model's language model, if it has one.
    """

    format: str
    codes: str
    num_quantizers: int
    shard_clips: int
    lm: bool = True

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ConfigError(f"format must be one of {', '.join(FORMATS)}, got {self.format!r}")
        if self.codes not in LAYOUTS:
            raise ConfigError(f"codes must be one of {', '.join(LAYOUTS)}, got {self.codes!r}")
        if self.shard_clips < 1:
            raise ConfigError(f"a shard must have at least 1 clip, got {self.shard_clips}")


@dataclass(frozen=True)
class Job:
    """A run, as each of its workers gets it.

    Attributes:
        folder: of the output.
        model: what encodes.
        output: what is written.
        columns: (input's name, output's name) of each column of metadata.
        schema: of those columns as the output has them: an Arrow schema, serialized.
        batch: the most clips that are encoded at once.
        workers: processes that decode and resample ahead of one encoder; 0 for a thread of its own process.
        long_s: clips longer than this are streamed, alone.
    """

    folder: str
    model: ModelChoice
    output: OutputChoice
    columns: tuple[tuple[str, str], ...]
    schema: bytes
    batch: int = 8
    workers: int = 0
    long_s: float = 60.0

    @property
    def records(self) -> Path:
        """Folder of the records of finished shards."""
        return records_folder(self.folder)


def own_folder(folder: str | Path) -> Path:
    """Where a run keeps what is no data. Readers of Parquet folders skip names that begin so."""
    return Path(folder) / "_tokenize"


def records_folder(folder: str | Path) -> Path:
    """Where the records of finished shards are."""
    return own_folder(folder) / "shards"
