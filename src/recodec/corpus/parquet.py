"""Parquet files with a column of audio, and what such a column may hold."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import AudioError, ConfigError
from .entries import Entry, Recording, Sound, TableRow
from .manifests import FILE_COLUMNS
from .names import printable
from .table_rows import rows_of, values_of

_BATCH_ROWS = 32
_USUAL_NAMES = ("audio", "sound", "wav", "flac", "mp3", "speech")


def parquet_entries(
    files: Sequence[tuple[Path, str]], column: str | None
) -> tuple[list[Entry], dict[str, pa.DataType]]:
    """Entries of files and their ids, and the types of their other columns.

    Raises:
        ConfigError: if one has no column of audio, or they do not belong together.
    """
    entries: list[Entry] = []
    schemas: list[pa.Schema] = []
    for file, id in files:
        try:
            entry, schema = parquet_entry(file, id, column)
        except (pa.ArrowException, OSError) as error:
            entries.append(Entry("broken", str(file), id, detail=f"{file} is not a Parquet file, or damaged: {error}"))
            continue
        entries += [entry] if entry.count else []
        schemas.append(schema)
    try:
        schema = pa.unify_schemas(schemas, promote_options="permissive") if schemas else pa.schema([])
    except pa.ArrowException as error:
        raise ConfigError(f"the Parquet files do not belong together: {error}") from error
    return entries, {field.name: field.type for field in schema}


def parquet_entry(path: Path, id: str, column: str | None) -> tuple[Entry, pa.Schema]:
    """The entry of a file, and the schema of its other columns.

    Raises:
        ConfigError: if it has no column of audio, or two columns of one name.
    """
    with pq.ParquetFile(path) as file:
        schema, count = file.schema_arrow, file.metadata.num_rows
    if twice := [name for name, count in Counter(schema.names).items() if count > 1]:
        raise ConfigError(f"{path} has more than one column of the name {', '.join(twice)}: rename them")
    audio = audio_column(schema, column, str(path))
    return Entry("parquet", str(path), id, count=count, detail=audio), without(schema, audio)


def without(schema: pa.Schema, column: str) -> pa.Schema:
    """The schema of the other columns."""
    return pa.schema([field for field in schema if field.name != column])


def audio_column(schema: pa.Schema, column: str | None, name: str) -> str:
    """The name of the column of audio: the one asked for, or that of Hugging Face's feature, or one of a usual name.

    Raises:
        ConfigError: if there is none.
    """
    if column is not None:
        if column in schema.names:
            return column
        raise ConfigError(f"{name} has no column {column!r}; it has {', '.join(schema.names)}")
    features = _features(schema)
    marked = [key for key, feature in features.items() if isinstance(feature, dict) and feature.get("_type") == "Audio"]
    fitting = [field.name for field in schema if _may_be_audio(field)]
    listed = [field.name for field in schema if field.name in FILE_COLUMNS and _is_text(field.type)]
    found = next((key for key in [*marked, *fitting, *listed] if key in schema.names), None)
    if found is None:
        raise ConfigError(
            f"{name} has no column of audio that shows itself as such, among {', '.join(schema.names)}: call it audio, "
            "or name it with --audio-column of recodec tokenize (column= in Python)"
        )
    return found


def _features(schema: pa.Schema) -> dict[str, Any]:
    try:
        known = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        return dict(known["info"]["features"])
    except (ValueError, KeyError, TypeError):
        return {}


def _may_be_audio(field: pa.Field) -> bool:
    if pa.types.is_struct(field.type):
        names = {field.type.field(i).name for i in range(field.type.num_fields)}
        return names >= {"bytes", "path"} or names >= {"array", "sampling_rate"}
    return field.name.lower() in _USUAL_NAMES and (_is_bytes(field.type) or _is_text(field.type))


def _is_bytes(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return "binary" in str(kind) and not pa.types.is_nested(kind)  # of any width, and views, which are new in Arrow


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return str(kind) in ("string", "large_string", "string_view")


def read_parquet(entry: Entry) -> Iterator[Recording]:
    """The recordings of an entry."""
    with pq.ParquetFile(entry.path) as file:
        row, last, groups = 0, entry.first + entry.count, []
        skipped = 0
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            if row + size <= entry.first:
                skipped += size
            elif row < last:
                groups.append(group)
            row += size
        row = skipped
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=groups):
            begin, end = max(0, entry.first - row), min(batch.num_rows, last - row)
            for i, values in enumerate(rows_of(batch.slice(begin, max(0, end - begin)))):
                yield recording_of(values, entry, row + begin + i, Path(entry.path).parent)
            row += batch.num_rows


def recording_of(values: dict[str, Any], entry: Entry, row: int, folder: Path) -> Recording:
    """A row of a table as a recording; relative paths in it begin at the folder."""
    value = values.pop(entry.detail)
    path = value.get("path") if isinstance(value, dict) else value if isinstance(value, str) else None
    place = f"{entry.path}/{row}" + (f"/{path}" if path else "")
    try:
        sound = sound_of(value, folder)
        error = "the row holds no audio" if sound is None else None
    except AudioError as problem:
        sound, error = None, str(problem)
    return Recording(f"{entry.id}/{row}", printable(place), sound, values, error)


def sound_of(value: Any, folder: Path) -> Sound | None:
    """What a cell of a column of audio holds; `None` if that is not audio. Relative paths begin at the folder.

    Raises:
        AudioError: for an array of something else than samples.
    """
    match value:
        case bytes():
            return value
        case str():
            return str(folder / value)
        case {"bytes": bytes() as content}:
            return content
        case {"array": list() as samples, "sampling_rate": int() as rate}:
            return _samples(samples), rate
        case {"path": str() as path}:
            return str(folder / path)
        case _:
            return None


def _samples(values: list[Any]) -> np.ndarray:
    """(T,) or (C, T) float32."""
    try:
        samples = np.asarray(values, np.float32)
    except (ValueError, TypeError) as error:
        raise AudioError("the array of the row is not one of samples: its channels differ in length, "
                         "or something in it is not a number") from error  # fmt: skip
    if samples.ndim > 2:
        raise AudioError(f"the array of the row has {samples.ndim} axes, and audio has (channels, samples)")
    return samples


def parquet_rows(entry: Entry) -> Iterator[Recording]:
    """The recordings of an entry, whose audio is read when it is wanted."""
    for row in range(entry.first, entry.first + entry.count):
        sound = TableRow(_read_row, entry.path, entry.detail, row)
        yield Recording(f"{entry.id}/{row}", f"{entry.path}/{row}", sound)


@lru_cache(maxsize=4)
def _group(path: str, column: str, group: int) -> list[Any]:
    """The audio of a row group; some are kept, since crops come back to the same ones."""
    with pq.ParquetFile(path) as file:
        return values_of(file.read_row_group(group, columns=[column]).column(0))


@lru_cache(maxsize=64)
def _group_ends(path: str) -> list[int]:
    with pq.ParquetFile(path) as file:
        return list(accumulate(file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)))


def _read_row(path: str, column: str, number: int) -> Sound | None:
    ends = _group_ends(path)
    group = bisect_right(ends, number)
    rows = _group(path, column, group)
    return sound_of(rows[number - (ends[group - 1] if group else 0)], Path(path).parent)
