"""Recordings of which any stretch can be had: what training draws its crops from."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ..audio.mixing import Mixer
from ..audio.resampling import check_rate
from ..audio.samples import Samples, check_samples
from ..audio.stretches import Shape, read_stretch, shape_of
from ..errors import AudioError, RecodecError
from .entries import Entry, Part, Recording, Sound, TableRow, open_bytes
from .reading import read_entry, reason
from .tars import tar_parts


@dataclass(frozen=True)
class Stretches:
    """One recording.

    Attributes:
        name: for messages.
        sound: where its audio is.
        num_samples, rate_hz, channels, places: see `audio.stretches.Shape`.
        id: of the recording in its corpus.
    """

    name: str
    sound: Sound
    num_samples: int
    rate_hz: int
    channels: int
    places: int = 0
    id: str = ""

    def read(self, start: int, count: int) -> Samples:
        """(C, count) float32, full scale 1, at the recording's own rate.

        Raises:
            AudioError: if it cannot be read.
        """
        try:
            sound = _found(self.sound)
            if isinstance(sound, tuple):
                return check_samples(np.atleast_2d(sound[0])[:, start : start + count], name=self.name, offset=start)
            with _opened(sound) as file:
                return read_stretch(file, self.name, start, count)
        except RecodecError:
            raise
        except Exception as error:  # whatever a library makes of one recording, a run goes on with the others
            raise AudioError(f"{self.name} cannot be read: {reason(error)}") from error


def stretches_of(entries: Iterable[Entry], channels: int, left_out: dict[str, str]) -> Iterator[Stretches]:
    """The recordings of entries that can serve; of others, the name and the reason are added to `left_out`.

    Args:
        entries: of a listing.
        channels: that they are to be brought to.
        left_out: takes reasons by name.
    """
    for entry in entries:
        for recording in _placed(entry):
            try:
                if recording.sound is None:
                    raise AudioError(recording.error or "it has no audio")
                shape = _shape(recording)
                Mixer(shape.channels, channels, mask=shape.places, name=recording.path)
            except (RecodecError, OSError) as error:
                left_out[recording.path] = reason(error)
            except Exception as error:  # whatever a library makes of one file, the others serve
                left_out[recording.path] = f"{type(error).__name__}: {error}"
            else:
                yield Stretches(recording.path, recording.sound, *shape, id=recording.id)


def _placed(entry: Entry) -> Iterator[Recording]:
    """The recordings of an entry, without their audio where that is read when it is wanted."""
    try:
        if entry.kind == "tar" and Path(entry.path).suffix.lower() == ".tar":
            yield from tar_parts(entry)
        elif entry.kind == "parquet":
            from .parquet import parquet_rows

            yield from parquet_rows(entry)
        elif entry.kind == "dataset":
            from .hugging_face import dataset_rows

            yield from dataset_rows(entry)
        elif entry.kind == "tar":
            yield Recording(entry.id, entry.path, error="a packed tar has no stretches: unpack it to .tar")
        else:
            yield from read_entry(entry)
    except Exception as error:  # a damaged container: whatever its library raises
        yield Recording(entry.id, entry.path, error=f"it is damaged: {error}")


def _shape(recording: Recording) -> Shape:
    sound = _found(recording.sound)
    if isinstance(sound, tuple):
        samples, rate_hz = sound
        check_rate(rate_hz, name=recording.path)
        audio = np.atleast_2d(samples)
        if not audio.shape[1]:
            raise AudioError(f"{recording.path} has no samples")
        return Shape(audio.shape[1], rate_hz, len(audio), 0)
    with _opened(sound) as file:
        return shape_of(file, recording.path)


def _found(sound: Sound | None) -> str | bytes | Part | tuple[np.ndarray, int]:
    """The audio itself, for a row of a table."""
    if isinstance(sound, TableRow):
        sound = sound.read(sound.path, sound.column, sound.number)
    if sound is None or isinstance(sound, TableRow):
        raise AudioError("the row has no audio")
    return sound


def _opened(sound: str | bytes | Part) -> IO[bytes]:
    file = open_bytes(sound)
    return file if isinstance(file, io.BytesIO) or file.seekable() else io.BytesIO(file.read())
