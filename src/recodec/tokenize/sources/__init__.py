"""What can be tokenized: each source lists its clips as entries, and reads entries again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..clips import Clip, Entry
from .files import read_broken, read_file
from .hugging_face import read_dataset
from .listing import Listing, list_input
from .parquet import read_parquet
from .tars import read_tar

READERS: dict[str, Callable[[Entry], Iterator[Clip]]] = {
    "file": read_file,
    "tar": read_tar,
    "parquet": read_parquet,
    "dataset": read_dataset,
    "broken": read_broken,
}

__all__ = ["Listing", "list_input", "read_entry"]


def read_entry(entry: Entry) -> Iterator[Clip]:
    """The clips of an entry, always `entry.count` of them: what cannot be read has an error in its place."""
    given = 0
    reason = "the container ends before it"
    try:
        for clip in READERS[entry.kind](entry):
            yield clip
            given += 1
    except Exception as error:  # a damaged container: whatever its library raises, the others go on
        reason = f"{entry.path} cannot be read from row {entry.first + given} on: {error}"
    for row in range(entry.first + given, entry.first + entry.count):
        yield Clip(f"{entry.id}/{row}", entry.path, error=reason)
