"""Recordings read from the start to the end, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ..audio.files import AudioReader
from ..errors import AudioError, IncompleteError
from ..text import system_reason
from .entries import Entry, Part, Recording, open_bytes
from .files import read_broken, read_file
from .tars import read_tar


def read_entry(entry: Entry) -> Iterator[Recording]:
    """The recordings of an entry, always `entry.count` of them: what cannot be read has an error in its place."""
    given = 0
    why = "the container ends before it"
    try:
        for recording in _reader(entry.kind)(entry):
            yield recording
            given += 1
    except Exception as error:  # a damaged container: whatever its library raises, the others go on
        why = f"{entry.path} cannot be read from row {entry.first + given} on: {error}"
    for row in range(entry.first + given, entry.first + entry.count):
        yield Recording(f"{entry.id}/{row}", entry.path, error=why)


@contextmanager
def open_recording(
    sound: str | bytes | Part,
    name: str,
    *,
    rate_hz: int | None = None,
    channels: int | None = None,
    select: Sequence[int] | None = None,
    partial: bool = False,
) -> Iterator[AudioReader]:
    """The reader of a recording's file; other arguments and errors as of `AudioReader`."""
    with (
        open_bytes(sound) as file,
        AudioReader(file, rate_hz=rate_hz, channels=channels, name=name, select=select, partial=partial) as reader,
    ):
        yield reader


def reason(error: Exception) -> str:
    """An error in one line; without the advice that only verbs for single recordings can follow."""
    if isinstance(error, IncompleteError):
        return error.reason
    if isinstance(error, AudioError) or not isinstance(error, OSError) or not error.strerror:
        return " ".join(str(error).split()) or type(error).__name__
    return f"{error.filename}: {system_reason(error)}"


def _reader(kind: str) -> Callable[[Entry], Iterator[Recording]]:
    match kind:
        case "parquet":
            from .parquet import read_parquet

            return read_parquet
        case "dataset":
            from .hugging_face import read_dataset

            return read_dataset
        case "samples":
            from .sample_shards import read_samples

            return read_samples
    return {"file": read_file, "tar": read_tar, "broken": read_broken}[kind]
