"""Folders, globs and manifests: one file a clip."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path

from ...errors import ConfigError
from ...evaluation.clips import locate
from ..clips import AUDIO_SUFFIXES, Clip, Entry, clean_id, printable

MANIFEST_SUFFIXES = frozenset({".csv", ".tsv", ".jsonl"})
FILE_COLUMNS = ("file", "path", "filename", "audio", "file_name", "audio_filepath")


def read_file(entry: Entry) -> Iterator[Clip]:
    """The one clip of an entry."""
    yield Clip(entry.id, printable(entry.path), entry.path, entry.meta)


def read_broken(entry: Entry) -> Iterator[Clip]:
    """The one clip of an entry that the listing found to be no audio."""
    yield Clip(entry.id, printable(entry.path), None, entry.meta, entry.detail)


def walk(folder: Path) -> Iterator[Path]:
    """All files of a folder, in the order of their names, without hidden ones."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(place, name)


def file_entry(path: Path, root: Path) -> Entry:
    """The entry of a file below a folder."""
    return Entry("file", str(path), clean_id(os.path.relpath(path, root)))


def is_audio(path: Path) -> bool:
    """Whether the name is that of an audio file. What is in it shows when it is read."""
    return path.suffix.lower() in AUDIO_SUFFIXES


def manifest_entries(path: Path) -> tuple[list[Entry], list[str]]:
    """Entries of a CSV, TSV or JSON-lines manifest, and the names of its other columns.

    Files are named relative to the manifest's folder, or to one beside it that is called like it.

    Raises:
        ConfigError: if it is no table, or has no column of files.
    """
    try:
        rows = _read_json_lines(path) if path.suffix == ".jsonl" else _read_table(path)
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise ConfigError(f"{path} is no manifest: {error}") from error
    if not rows:
        raise ConfigError(f"{path} lists no files")
    column = next((name for name in FILE_COLUMNS if name in rows[0]), None)
    if column is None:
        raise ConfigError(f"{path} has no column named {' or '.join(FILE_COLUMNS)}")
    others = list(dict.fromkeys(name for row in rows for name in row if name != column))
    entries: list[Entry] = []
    taken: set[str] = set()
    for row in rows:
        name = row.get(column) or ""
        unique = _unique(clean_id(name), taken)
        meta = {key: value for key, value in row.items() if key != column and value is not None}
        if name:
            entries.append(Entry("file", str(locate(path, name, None)), unique, meta=meta))
        else:
            entries.append(Entry("broken", str(path), unique, meta=meta, detail="the manifest names no file"))
    return entries, others


def _read_table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        delimiter = "\t" if "\t" in file.readline() else ","
        file.seek(0)
        rows = csv.DictReader(file, delimiter=delimiter, restkey="")
        return [{name: value for name, value in row.items() if name} for row in rows]


def _read_json_lines(path: Path) -> list[dict[str, str]]:
    """Objects, their values as strings: a column is of one type."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ConfigError(f"{path} is no manifest: a line is no object")
            rows.append({name: _as_text(value) for name, value in row.items() if value is not None})
    return rows


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _unique(name: str, taken: set[str]) -> str:
    unique, number = name, 1
    while unique in taken:
        number += 1
        unique = f"{name}~{number}"
    taken.add(unique)
    return unique
