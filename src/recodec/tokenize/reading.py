"""Reading shards of codes back: by number, or one after the other. No torch here; `dataset.py` adds it."""

from __future__ import annotations

import bisect
import io
import json
import tarfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .. import ecdc
from ..errors import CorruptError, RecodecError

_KEPT_GROUPS = 8

Item = dict[str, Any]
"""A clip: `codes` (K, F) int64, `scales` (S,) float32 or `None`, and all other columns of its row."""


class ShardFile(Protocol):
    """A shard's file. Errors: `CorruptError` for what is not a shard of codes."""

    def __len__(self) -> int: ...

    def row(self, number: int) -> Item: ...

    def rows(self) -> Iterator[Item]: ...

    def ids(self) -> Iterator[Item]:
        """The rows with their ids only."""
        ...


class CodeShards:
    """All clips of a folder of shards, as a sequence.

    Args:
        path: a folder that `tokenize` wrote, or one shard.

    Raises:
        FileNotFoundError: if there are no shards.
        CorruptError: if one is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.files = shard_files(path)
        self.shards = [open_shard(file) for file in self.files]
        self._ends = list(accumulate(len(shard) for shard in self.shards))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, number: int) -> Item:
        size = len(self)
        place = number + size if number < 0 else number
        if not 0 <= place < size:
            raise IndexError(f"there is no clip {number} among {size}")
        shard = bisect.bisect_right(self._ends, place)
        return self.shards[shard].row(place - (self._ends[shard - 1] if shard else 0))

    def __iter__(self) -> Iterator[Item]:
        for shard in self.shards:
            yield from shard.rows()


def shard_files(path: str | Path) -> list[Path]:
    """The shards of a folder in their order, or the one shard that a path is.

    Raises:
        FileNotFoundError: if there are none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    for pattern in ("codes-*.parquet", "codes-*.tar", "index-*.parquet"):
        found = sorted(path.glob(pattern))
        if found:
            return found
    raise FileNotFoundError(2, "there are no shards of codes", str(path))


def open_shard(file: Path) -> ShardFile:
    """One shard.

    Raises:
        CorruptError: if it is none.
    """
    with _damage_named(file):
        return _TarShard(file) if file.suffix == ".tar" else _ParquetShard(file)


@contextmanager
def _damage_named(file: Path) -> Iterator[None]:
    """Whatever a library makes of damaged bytes becomes a `CorruptError`; errors of the file system stay."""
    try:
        yield
    except RecodecError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise CorruptError(f"{file} is not a shard of codes, or damaged: {error}") from error


class _ParquetShard:
    """Codes in Parquet, or a table of `.ecdc` files. Some of its row groups are kept in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with pq.ParquetFile(path) as file:
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            names = set(file.schema_arrow.names)
        if not {"codes", "num_codebooks"} <= names and "file" not in names:
            raise CorruptError(f"{path} has no column of codes")
        self._ends = list(accumulate(sizes))
        self._kept: OrderedDict[int, list[Item]] = OrderedDict()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def row(self, number: int) -> Item:
        group = bisect.bisect_right(self._ends, number)
        if group not in self._kept:
            self._kept[group] = self._read(group)
            if len(self._kept) > _KEPT_GROUPS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(group)
        return self._item(self._kept[group][number - (self._ends[group - 1] if group else 0)])

    def rows(self) -> Iterator[Item]:
        for group in range(len(self._ends)):
            yield from map(self._item, self._read(group))

    def ids(self) -> Iterator[Item]:
        with _damage_named(self._path), pq.ParquetFile(self._path) as file:
            for batch in file.iter_batches(columns=["id"]):
                yield from batch.to_pylist()

    def _read(self, group: int) -> list[Item]:
        with _damage_named(self._path), pq.ParquetFile(self._path) as file:
            return rows_of(file.read_row_group(group))

    def _item(self, row: Item) -> Item:
        item = dict(row)
        if "codes" not in item:
            item["codes"], item["scales"], _ = ecdc.unpack(self._path.parent / item.pop("file"))
        return _checked(item, self._path)


def rows_of(table: pa.Table) -> list[Item]:
    """Rows of a table, their codes as arrays: lists of numbers would take fifty times the memory."""
    if "codes" not in table.column_names:
        return table.to_pylist()
    rows = table.drop_columns(["codes"]).to_pylist()
    column = table.column("codes").combine_chunks()
    for i, row in enumerate(rows):
        value = column[i]
        if pa.types.is_binary(value.type):
            flat = np.frombuffer(value.as_py(), "<i2")
        else:
            flat = value.values.flatten().to_numpy(zero_copy_only=False)
        row["codes"] = (flat, row["num_codebooks"], row["num_frames"])
    return rows


class _TarShard:
    """Codes in a tar. Where its members are is found once; they are read as they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        found: dict[str, dict[str, tuple[int, int]]] = {}
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                key, _, suffix = member.name.partition(".")
                found.setdefault(key, {})[suffix] = (member.offset_data, member.size)
        self._places = [places for places in found.values() if {"codes.npy", "json"} <= places.keys()]

    def __len__(self) -> int:
        return len(self._places)

    def row(self, number: int) -> Item:
        places = self._places[number]
        with open(self._path, "rb") as file:
            contents = []
            for suffix in ("json", "codes.npy"):
                offset, size = places[suffix]
                file.seek(offset)
                contents.append(file.read(size))
        with _damage_named(self._path):
            item = json.loads(contents[0])
            item["codes"] = np.lib.format.read_array(io.BytesIO(contents[1]), allow_pickle=False)
            return _checked(item, self._path)

    def rows(self) -> Iterator[Item]:
        return map(self.row, range(len(self)))

    def ids(self) -> Iterator[Item]:
        with open(self._path, "rb") as file, _damage_named(self._path):
            for places in self._places:
                offset, size = places["json"]
                file.seek(offset)
                yield {"id": json.loads(file.read(size))["id"]}


def _checked(item: Item, path: Path) -> Item:
    """The row with its codes (K, F) and scales as arrays."""
    codes: Any = item["codes"]
    if isinstance(codes, tuple):
        flat, books, frames = codes
        if flat.size != books * frames:
            raise CorruptError(f"{path}: {item.get('id')} has {flat.size} codes, not {books} x {frames}")
        codes = flat.reshape(books, frames)
    if codes.ndim != 2 or not np.issubdtype(codes.dtype, np.integer):
        raise CorruptError(f"{path}: {item.get('id')} has codes of shape {codes.shape} and type {codes.dtype}")
    scales = item.get("scales")
    return {
        **item,
        "codes": codes.astype(np.int64),
        "scales": None if scales is None else np.asarray(scales, np.float32),
    }
