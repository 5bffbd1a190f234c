"""Recordings of a corpus, one by one, and where each lies."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import IO, Any, cast

import numpy as np

from ..audio.spliced import Spliced
from ..errors import AudioError


@dataclass(frozen=True)
class Part:
    """Some bytes of a file, such as a member of a tar."""

    path: str
    offset: int
    size: int

    def open(self) -> IO[bytes]:
        """The bytes, as a file of their own, which are read as they are asked for.

        Raises:
            AudioError: if the file ends before them.
            OSError: if it cannot be opened.
        """
        if os.path.getsize(self.path) < self.offset + self.size:
            raise AudioError(f"{self.path} ends within the recording at byte {self.offset}")
        file = open(self.path, "rb")  # noqa: SIM115
        return cast(IO[bytes], Spliced(file, [(self.offset, self.offset + self.size)], closes=True))


@dataclass(frozen=True)
class TableRow:
    """The audio of one row of a table, which `read` finds when it is wanted."""

    read: Callable[[str, str, int], Sound | None]
    path: str
    column: str
    number: int


Sound = str | bytes | tuple[np.ndarray, int] | Part | TableRow
"""Where the audio of a recording is: the path of a file, the bytes of one, samples (C, T) or (T,) and their rate in
Hz, or a place in a larger file."""


def open_bytes(sound: str | bytes | Part) -> IO[bytes]:
    """The file of a recording; never one that a read could wait for, such as a pipe.

    Raises:
        AudioError: for a name that is not that of a file.
        OSError: if it cannot be opened.
    """
    if isinstance(sound, bytes):
        return io.BytesIO(sound)
    if isinstance(sound, Part):
        return sound.open()
    if os.path.exists(sound) and not os.path.isfile(sound):
        raise AudioError(f"{sound} is not a file")
    return open(sound, "rb")


@dataclass(frozen=True)
class Recording:
    """One recording of a corpus.

    Attributes:
        id: unique in the corpus; with parts divided by `/`.
        path: where it came from, for people.
        sound: its audio, if that could be reached.
        meta: what the corpus tells of it besides, by the corpus's names.
        error: why there is no `sound`.
    """

    id: str
    path: str
    sound: Sound | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class Entry:
    """A run of recordings that lie together: one file, or some rows of a container.

    Attributes:
        kind: of the source that can read it: `"file"`, `"tar"`, `"parquet"`, `"dataset"`,
            `"samples"` or `"broken"`.
        path: of the file or the container.
        id: of the recording, or what the ids of the container's recordings begin with.
        first: the first of its rows.
        count: of its rows.
        meta: of the one recording.
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
