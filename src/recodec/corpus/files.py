"""Folders, globs and manifests: one file a recording."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..audio.suffixes import AUDIO_SUFFIXES
from .entries import Entry, Recording
from .manifests import locate, read_manifest
from .names import Names, clean_id, printable


def read_file(entry: Entry) -> Iterator[Recording]:
    """The one recording of an entry."""
    yield Recording(entry.id, printable(entry.path), entry.path, entry.meta)


def read_broken(entry: Entry) -> Iterator[Recording]:
    """The one recording of an entry that the listing found not to be audio."""
    yield Recording(entry.id, printable(entry.path), None, entry.meta, entry.detail)


def walk(folder: Path) -> Iterator[Path]:
    """All files of a folder, in the order of their names, without hidden ones."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(place, name)


def is_audio(path: Path) -> bool:
    """Whether the name is that of an audio file. What is in it shows when it is read."""
    return path.suffix.lower() in AUDIO_SUFFIXES


def file_entries(files: Iterable[Path], root: Path) -> list[Entry]:
    """Entries of files below a folder."""
    names = Names()
    return [Entry("file", str(file), names.unique(clean_id(os.path.relpath(file, root)))) for file in files]


def manifest_entries(path: Path) -> tuple[list[Entry], list[str]]:
    """Entries of the files that a manifest lists, and the names of its other columns.

    Files are named relative to the manifest's folder, or to one beside it that is called like it.

    Raises:
        ConfigError, OSError: as `read_manifest`.
    """
    manifest, names = read_manifest(path), Names()
    columns = list(dict.fromkeys(name for row in manifest.rows for name in row))
    entries: list[Entry] = []
    for file, meta in zip(manifest.files, manifest.rows, strict=True):
        id = names.unique(clean_id(file))
        if file and "\0" not in file:
            entries.append(Entry("file", str(locate(path, file)), id, meta=meta))
        else:
            entries.append(Entry("broken", str(path), id, meta=meta, detail="the manifest names no file"))
    return entries, columns
