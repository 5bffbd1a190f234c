"""An input, whatever it is, as a list of entries."""

from __future__ import annotations

import glob
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ...errors import ConfigError
from ..clips import Entry, clean_id
from .files import MANIFEST_SUFFIXES, file_entry, is_audio, manifest_entries, walk
from .hugging_face import dataset_entries, is_dataset
from .parquet import parquet_entry
from .tars import tar_entries

_TAR_ENDS = (".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class Listing:
    """What an input holds.

    Attributes:
        entries: of all clips, in an order that depends on nothing but the input.
        schema: of the metadata, by the input's names.
    """

    entries: Sequence[Entry]
    schema: pa.Schema


def list_input(source: str, column: str | None = None) -> Listing:
    """List an input.

    Args:
        source: a folder of audio files, of tars, of Parquet files or of a data set that was saved to disk; one
            such file or a manifest; or a pattern of files with `*`, `?`, `[...]`, or `{000..099}`.
        column: of audio in a table, where it does not show itself as such.

    Raises:
        ConfigError: if there is nothing of the kind.
        OSError: if it cannot be read.
    """
    path = Path(source)
    if path.is_dir():
        return _list_folder(path, column)
    if path.is_file():
        return _list_files([path], path.parent, column)
    files = sorted(Path(name) for pattern in expand_braces(source) for name in glob.glob(pattern, recursive=True))
    files = [file for file in dict.fromkeys(files) if file.is_file()]
    if not files:
        raise ConfigError(f"there is no file or folder {source}")
    return _list_files(files, _fixed_part(source), column)


def expand_braces(pattern: str) -> list[str]:
    """`a-{000..002}.tar` as `a-000.tar`, `a-001.tar`, `a-002.tar`."""
    found = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if found is None:
        return [pattern]
    first, last = found.groups()
    names = [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
    return [
        name
        for number in names
        for name in expand_braces(pattern[: found.start()] + number + pattern[found.end() :])
    ]  # fmt: skip


def _fixed_part(pattern: str) -> Path:
    """The folder that all files of a pattern lie below."""
    parts = itertools.takewhile(lambda part: not re.search(r"[*?\[{]", part), Path(pattern).parts[:-1])
    return Path(*parts)


def _list_folder(folder: Path, column: str | None) -> Listing:
    if is_dataset(folder):
        return Listing(*dataset_entries(folder, column))
    files = list(walk(folder))
    for fits in (is_audio, _is_tar, _is_parquet):
        chosen = [file for file in files if fits(file)]
        if chosen:
            return _list_files(chosen, folder, column)
    raise ConfigError(f"{folder} holds no audio files, tars or Parquet files")


def _list_files(files: Sequence[Path], root: Path, column: str | None) -> Listing:
    if all(_is_tar(file) for file in files):
        return _list_tars(files, root)
    if all(_is_parquet(file) for file in files):
        return _list_parquet(files, root, column)
    if len(files) == 1 and files[0].suffix.lower() in MANIFEST_SUFFIXES:
        entries, names = manifest_entries(files[0])
        return Listing(entries, pa.schema([(name, pa.string()) for name in names]))
    return Listing([file_entry(file, root) for file in files], pa.schema([]))


def _list_tars(files: Iterable[Path], root: Path) -> Listing:
    entries: list[Entry] = []
    suffixes: dict[str, bool] = {}
    for file in files:
        found, more = tar_entries(file, clean_id(str(file.relative_to(root))))
        entries += found
        suffixes.update(more)
    kinds = {True: pa.string(), False: pa.binary()}
    return Listing(entries, pa.schema([(name, kinds[suffixes[name]]) for name in sorted(suffixes)]))


def _list_parquet(files: Iterable[Path], root: Path, column: str | None) -> Listing:
    entries: list[Entry] = []
    schemas: list[pa.Schema] = []
    for file in files:
        id = clean_id(str(file.relative_to(root)))
        try:
            entry, schema = parquet_entry(file, id, column)
        except (pa.ArrowException, OSError) as error:
            entries.append(Entry("broken", str(file), id, detail=f"{file} is no Parquet file: {error}"))
            continue
        entries += [entry] if entry.count else []
        schemas.append(schema)
    try:
        return Listing(entries, pa.unify_schemas(schemas, promote_options="permissive") if schemas else pa.schema([]))
    except pa.ArrowException as error:
        raise ConfigError(f"the Parquet files do not belong together: {error}") from error


def _is_tar(file: Path) -> bool:
    return file.name.lower().endswith(_TAR_ENDS)


def _is_parquet(file: Path) -> bool:
    return file.suffix.lower() == ".parquet"
