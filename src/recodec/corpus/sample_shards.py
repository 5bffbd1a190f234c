"""Shards of samples, as recipes make them: `.npy` files of clips laid end to end; `clips.tsv` says where each is."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ..errors import AudioError, ConfigError
from ..tables import read_cell
from ..text import counted
from .entries import Entry, Recording
from .names import Names, clean_id, printable

INDEX_NAME = "clips.tsv"
DEFAULT_RATE_HZ = 24_000
FULL_SCALE = 32768.0
_PLACE = ("shard", "start", "samples", "rate")


def is_sample_shards(folder: Path) -> bool:
    """Whether a folder is one of shards of samples."""
    return (folder / INDEX_NAME).is_file()


def sample_entries(folder: Path) -> tuple[list[Entry], list[str]]:
    """Entries of the clips of a folder, and the names of the index's other columns.

    Args:
        folder: with `clips.tsv`, whose columns `shard`, `start` and `samples` say where a clip is; its rate in Hz is
            in the column `rate`, or 24,000.

    Raises:
        ConfigError: for an index without those columns.
    """
    path, names = folder / INDEX_NAME, Names()
    with open(path, encoding="utf-8", newline="", errors="replace") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        columns = list(reader.fieldnames or ())
        if missing := [name for name in _PLACE[:3] if name not in columns]:
            raise ConfigError(f"{path} has no column {', '.join(missing)}")
        others = [name for name in columns if name not in _PLACE]
        rows = ({name: read_cell(text) for name, text in row.items() if name and text} for row in reader)
        entries = [_entry(folder, row, others, names) for row in rows]
    return entries, others


def bare_shard_entries(files: Sequence[Path], root: Path) -> list[Entry]:
    """Entries of shards without an index, which is all that training needs: each shard is one recording."""
    names = Names()
    entries = []
    for file in files:
        id = names.unique(clean_id(str(file.relative_to(root).with_suffix(""))))
        try:
            entries.append(Entry("samples", str(file), id, detail=f"0:{open_samples(file).size}:{DEFAULT_RATE_HZ}"))
        except AudioError as error:
            entries.append(Entry("broken", str(file), id, detail=str(error)))
    return entries


def _entry(folder: Path, row: dict[str, str], others: list[str], names: Names) -> Entry:
    parts = [row.get(name) for name in ("group", "package", "source")]
    shard = clean_id(row.get("shard") or "")
    id = names.unique(clean_id("/".join(part for part in parts if part) or shard))
    place = ":".join(row.get(name) or "" for name in ("start", "samples", "rate"))
    return Entry("samples", str(folder / shard), id, meta={name: row.get(name) or "" for name in others}, detail=place)


def place_of(entry: Entry) -> tuple[int, int, int]:
    """Where a clip begins in its shard, how many samples it has, and their rate in Hz.

    Raises:
        ValueError: if the index says something else.
    """
    begin, count, rate = (int(text or DEFAULT_RATE_HZ) for text in entry.detail.split(":"))
    return begin, count, rate


def open_samples(path: str | Path) -> np.ndarray:
    """The samples (T,) int16 of a shard, mapped into memory.

    Raises:
        AudioError: if it is damaged, or not a shard of samples.
    """
    try:
        shard = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise AudioError(f"the shard is damaged: {error}") from error
    if shard.ndim != 1 or shard.dtype != np.int16:
        raise AudioError(
            f"the shard has the type {shard.dtype} and {counted(shard.ndim, 'axis', 'axes')}, and not int16 and one"
        )
    return shard


def to_audio(samples: np.ndarray) -> np.ndarray:
    """Samples (T,) int16 as audio (1, T) float32, full scale 1."""
    return samples[None].astype(np.float32) / FULL_SCALE


def read_samples(entry: Entry) -> Iterator[Recording]:
    """The one recording of an entry."""
    try:
        begin, count, rate = place_of(entry)
        shard = open_samples(entry.path)
        if begin < 0 or count < 1 or begin + count > shard.size:
            raise AudioError(f"the shard has {counted(shard.size, 'sample')}, and not {count} from {begin} on")
        audio = to_audio(shard[begin : begin + count])
        yield Recording(entry.id, printable(entry.path), (audio, rate), entry.meta)
    except (ValueError, AudioError) as error:
        yield Recording(entry.id, printable(entry.path), None, entry.meta, f"{entry.path}: {error}")
