"""Manifests: lists of recordings as text, as tables or as JSON lines, read in one way everywhere."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError
from ..tables import read_cell

MANIFEST_SUFFIXES = frozenset({".txt", ".lst", ".csv", ".tsv", ".jsonl", ".ndjson"})
FILE_COLUMNS = ("file", "path", "filename", "audio", "file_name", "audio_filepath", "audio_path", "wav")


@dataclass(frozen=True)
class Manifest:
    """What a manifest lists.

    Attributes:
        files: a path for each row, as it is written; empty where a row names none.
        rows: the other columns of each row.
    """

    files: list[str]
    rows: list[dict[str, str]]


def read_manifest(path: Path) -> Manifest:
    """Read a manifest by its suffix: a path in each line (.txt, .lst), a table (.csv with quotes, .tsv), or an object
    in each line (.jsonl, .ndjson).

    A table has a header with one of `FILE_COLUMNS`; without one, its first column has the files.

    Raises:
        ConfigError: if it cannot be read as such, lists nothing, or has no column of files.
        OSError: if it cannot be opened.
    """
    try:
        if path.suffix.lower() in (".txt", ".lst"):
            lines = path.read_text(encoding="utf-8-sig").splitlines()
            rows = [{FILE_COLUMNS[0]: line.strip()} for line in lines if line.strip()]
        elif path.suffix.lower() in (".jsonl", ".ndjson"):
            rows = _read_json_lines(path)
        else:
            rows = _read_table(path)
    except UnicodeDecodeError as error:
        raise ConfigError(f"the manifest {path} is not UTF-8 text: {error}") from error
    except (csv.Error, ValueError, RecursionError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"the manifest {path} cannot be read: {error}") from error
    if not rows:
        raise ConfigError(f"the manifest {path} lists no files")
    column = next((name for name in FILE_COLUMNS if name in rows[0]), None)
    if column is None:
        raise ConfigError(f"the manifest {path} has no column named {' or '.join(FILE_COLUMNS)}")
    others = [{name: value for name, value in row.items() if name != column} for row in rows]
    return Manifest([row.get(column) or "" for row in rows], others)


def locate(manifest: Path, name: str) -> Path:
    """Where a file that a manifest names lies: in the folder beside it that is called like it, or in its own folder.

    The name may be a cell of one of our own tables.
    """
    folders = (manifest.with_suffix(""), manifest.parent)
    places = [folder / text for text in (name, read_cell(name)) for folder in folders]
    return next((place for place in places if place.exists()), manifest.parent / name)


def _read_table(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        delimiter = "\t" if "\t" in file.readline() else ","
        file.seek(0)
        lines = [line for line in csv.reader(file, delimiter=delimiter) if any(line)]
    if not lines:
        return []
    header = lines[0]
    if not any(name in FILE_COLUMNS for name in header) and locate(path, header[0]).is_file():
        return [{FILE_COLUMNS[0]: line[0]} for line in lines]
    return [{name: value for name, value in zip(header, line, strict=False) if name} for line in lines[1:]]


def _read_json_lines(path: Path) -> list[dict[str, str]]:
    """Objects, their values as strings: a column is of one type."""
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ConfigError(f"line {number} of the manifest {path} is not a JSON object")
            rows.append({name: _as_text(value) for name, value in row.items() if value is not None})
    return rows


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
