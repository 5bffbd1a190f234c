"""Clips: what is tokenized, one by one, and where each lies in the input."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np

AUDIO_SUFFIXES = frozenset(
    {".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64"}
)

Sound = str | bytes | tuple[np.ndarray, int]
"""Where a clip's audio is: the path of a file, the bytes of one, or samples (C, T) or (T,) and their rate in Hz."""


@dataclass(frozen=True)
class Clip:
    """One recording of the input.

    Attributes:
        id: unique in the data set; with parts divided by `/`.
        path: where it came from, for people.
        sound: its audio, if that could be reached.
        meta: what the input tells of it besides, by the input's names.
        error: why there is no `sound`.
    """

    id: str
    path: str
    sound: Sound | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class Entry:
    """A run of clips that lie together in the input: one file, or some rows of a container.

    Attributes:
        kind: of the source that can read it; a key of `sources.READERS`.
        path: of the file or the container.
        id: of the clip, or what the ids of the container's clips begin with.
        first: the first of its rows.
        count: of its rows.
        meta: of the one clip.
        detail: what the reader needs to know besides: a column, a reason.
    """

    kind: str
    path: str
    id: str
    first: int = 0
    count: int = 1
    meta: dict[str, Any] = field(default_factory=dict)
    detail: str = ""

    def cut(self, count: int) -> tuple[Entry, Entry]:
        """The first rows, and the others."""
        values = {name: value for name, value in asdict(self).items() if name not in ("first", "count")}
        return (
            Entry(**values, first=self.first, count=count),
            Entry(**values, first=self.first + count, count=self.count - count),
        )

    def to_json(self) -> dict[str, Any]:
        """All that is not the default."""
        default = Entry("", "", "")
        return {name: value for name, value in asdict(self).items() if value != getattr(default, name)}


@dataclass(frozen=True)
class Shard:
    """The clips of one output shard.

    Attributes:
        index: number of the shard.
        first: clips of the data set that come before it.
        entries: where its clips are, in order.
    """

    index: int
    first: int
    entries: tuple[Entry, ...]

    @property
    def clips(self) -> int:
        """How many it has, sound or broken."""
        return sum(entry.count for entry in self.entries)

    def to_json(self) -> dict[str, Any]:
        """For a line of the plan."""
        return {"shard": self.index, "first": self.first, "entries": [entry.to_json() for entry in self.entries]}

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Shard:
        """What `to_json` gave."""
        return cls(line["shard"], line["first"], tuple(Entry(**entry) for entry in line["entries"]))


def clean_id(name: str) -> str:
    """A name of the input as an id: a relative path that does not leave its folder, in valid Unicode."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("/", "..", ".")]
    return printable("/".join(parts) or "clip")


def printable(text: str) -> str:
    """A file's name as valid Unicode: the system may have bytes in it that are none."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "?")
