"""What a run is asked to do, as values that can be sent to other processes and machines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..codec import ModelChoice
from ..errors import ConfigError

FORMATS = ("parquet", "tar", "ecdc")
LAYOUTS = ("lists", "binary")


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
    """Where a run keeps what is not data. Readers of Parquet folders skip names that begin so."""
    return Path(folder) / "_tokenize"


def records_folder(folder: str | Path) -> Path:
    """Where the records of finished shards are."""
    return own_folder(folder) / "shards"
