"""An input, whatever it is, as a list of entries."""

from __future__ import annotations

import glob
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..text import counted
from .entries import Entry
from .files import file_entries, is_audio, manifest_entries, walk
from .manifests import MANIFEST_SUFFIXES
from .names import Names, clean_id
from .sample_shards import bare_shard_entries, is_sample_shards, sample_entries
from .tars import tar_entries

_TAR_ENDS = (".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True)
class Listing:
    """What an input holds.

    Attributes:
        entries: of all recordings, in an order that depends on nothing but the input; no two have the same id.
        columns: of the metadata, by the input's names: `"string"`, `"binary"`, or a type of Arrow.
        others: how many files of which suffix a folder has besides, which do not look like recordings.
    """

    entries: Sequence[Entry]
    columns: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, int] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many recordings there are."""
        return sum(entry.count for entry in self.entries)

    def passed_over(self) -> str | None:
        """One line on the files that do not look like recordings; `None` if there are none."""
        if not self.others:
            return None
        kinds = ", ".join(f"{count} {suffix or 'without a suffix'}" for suffix, count in sorted(self.others.items()))
        files = counted(sum(self.others.values()), "file that does not look like a recording was",
                        "files that do not look like recordings were")  # fmt: skip
        return f"{files} passed over: {kinds}"


def list_input(source: str, column: str | None = None) -> Listing:
    """List an input.

    Args:
        source: a folder of audio files, of tars, of Parquet files, of shards of samples (see `sample_shards`) or of a
            data set that was saved to disk; one
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
        from .hugging_face import dataset_entries

        return Listing(*dataset_entries(folder, column))
    if is_sample_shards(folder):
        entries, names = sample_entries(folder)
        return Listing(entries, dict.fromkeys(names, "string"))
    files = list(walk(folder))
    for fits in (is_audio, _is_tar, _is_parquet):
        chosen = [file for file in files if fits(file)]
        if chosen:
            others = Counter(file.suffix.lower() for file in files if not fits(file))
            return replace(_list_files(chosen, folder, column), others=others)
    if shards := [file for file in files if file.suffix == ".npy"]:
        return Listing(bare_shard_entries(shards, folder))
    raise ConfigError(f"the folder {folder} has no audio files, tars or Parquet files")


def _list_files(files: Sequence[Path], root: Path, column: str | None) -> Listing:
    if all(_is_tar(file) for file in files):
        return _list_tars(files, root)
    if all(_is_parquet(file) for file in files):
        return _list_parquet(files, root, column)
    if len(files) == 1 and files[0].suffix.lower() in MANIFEST_SUFFIXES:
        entries, names = manifest_entries(files[0])
        return Listing(entries, dict.fromkeys(names, "string"))
    return Listing(file_entries(files, root))


def _list_tars(files: Iterable[Path], root: Path) -> Listing:
    entries: list[Entry] = []
    suffixes: dict[str, bool] = {}
    names = Names()
    for file in files:
        found, more = tar_entries(file, names.unique(clean_id(str(file.relative_to(root)))))
        entries += found
        suffixes.update(more)
    return Listing(entries, {name: "string" if suffixes[name] else "binary" for name in sorted(suffixes)})


def _list_parquet(files: Iterable[Path], root: Path, column: str | None) -> Listing:
    from .parquet import parquet_entries

    names = Names()
    return Listing(
        *parquet_entries([(file, names.unique(clean_id(str(file.relative_to(root))))) for file in files], column)
    )


def is_dataset(folder: Path) -> bool:
    """Whether a folder is one that `datasets.Dataset.save_to_disk` wrote."""
    return (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()


def _is_tar(file: Path) -> bool:
    return file.name.lower().endswith(_TAR_ENDS)


def _is_parquet(file: Path) -> bool:
    return file.suffix.lower() == ".parquet"
