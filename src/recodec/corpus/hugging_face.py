"""Data sets that `datasets.Dataset.save_to_disk` wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..errors import ConfigError
from .entries import Entry, Recording, Sound, TableRow
from .parquet import audio_column, recording_of, sound_of, without
from .table_rows import rows_of

_BATCH_ROWS = 32


def dataset_entries(folder: Path, column: str | None) -> tuple[list[Entry], dict[str, pa.DataType]]:
    """Entries of a data set, one a split, and the types of its other columns.

    Raises:
        ConfigError: if `datasets` is not installed, or there is no column of audio.
    """
    splits = [""]
    if (folder / "dataset_dict.json").is_file():
        splits = json.loads((folder / "dataset_dict.json").read_text(encoding="utf-8"))["splits"]
    entries, schemas = [], []
    for split in splits:
        rows = _load(folder / split)
        schema = rows.features.arrow_schema
        audio = audio_column(schema, column, str(folder / split))
        schemas.append(without(schema, audio))
        meta = {"split": split} if split else {}
        entries.append(Entry("dataset", str(folder / split), split or folder.name, 0, len(rows), meta, audio))
    schema = pa.unify_schemas(schemas, promote_options="permissive")
    if splits != [""] and "split" not in schema.names:
        schema = schema.append(pa.field("split", pa.string()))
    return [entry for entry in entries if entry.count], {field.name: field.type for field in schema}


def read_dataset(entry: Entry) -> Iterator[Recording]:
    """The clips of an entry."""
    rows = _load(Path(entry.path))
    last = entry.first + entry.count
    for start in range(entry.first, last, _BATCH_ROWS):
        table = rows.with_format("arrow")[start : min(start + _BATCH_ROWS, last)]
        for i, values in enumerate(rows_of(table)):
            yield recording_of({**entry.meta, **values}, entry, start + i, Path(entry.path))


def _load(folder: Path) -> Any:
    if find_spec("datasets") is None:
        raise ConfigError(f"{folder} is a data set of Hugging Face: pip install 'recodec[scale]'")
    datasets: Any = import_module("datasets")
    rows = datasets.load_from_disk(str(folder))
    assert isinstance(rows, datasets.Dataset)
    return rows


def dataset_rows(entry: Entry) -> Iterator[Recording]:
    """The recordings of an entry, whose audio is read when it is wanted."""
    for row in range(entry.first, entry.first + entry.count):
        yield Recording(
            f"{entry.id}/{row}", f"{entry.path}, row {row}", TableRow(_read_row, entry.path, entry.detail, row)
        )


_kept = lru_cache(maxsize=16)(_load)


def _read_row(path: str, column: str, number: int) -> Sound | None:
    values = _kept(Path(path)).with_format("arrow")[number : number + 1].select([column]).to_pylist()[0]
    return sound_of(values[column], Path(path))
