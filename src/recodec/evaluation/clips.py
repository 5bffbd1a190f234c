"""Clips: what is evaluated. Recordings of a corpus, with what kind of sound each is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..audio.samples import READ_SAMPLES
from ..corpus import Entry, Part, Sound, list_input, open_recording, read_entry
from ..errors import AudioError, ConfigError

KINDS = ("speech", "music", "other")
_KIND_COLUMNS = ("kind", "group", "type", "label")


@dataclass(frozen=True)
class Clip:
    """A recording to evaluate.

    Attributes:
        path: the file, or the container with the place in it.
        kind: `"speech"`, `"music"` or `"other"`; it chooses the metrics that make sense.
        name: how tables call it; the file's name by default.
        entry: of the corpus, for a recording that is not a file of its own.
    """

    path: str
    kind: str = "other"
    name: str = ""
    entry: Entry | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise AudioError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if not self.name:
            object.__setattr__(self, "name", Path(self.path).name)

    def read(self) -> tuple[np.ndarray, int]:
        """Samples (C, T) float32 of one or two channels, and the rate in Hz.

        Raises:
            AudioError: if it cannot be read, is empty, was cut off, or has a NaN or infinite sample.
            FileNotFoundError: if there is no such file.
        """
        sound = self._sound()
        if isinstance(sound, tuple):
            return np.atleast_2d(sound[0]), sound[1]
        if not isinstance(sound, (str, bytes, Part)):
            raise AudioError(f"{self.path} has no audio")
        with open_recording(sound, self.path) as reader:
            return np.concatenate(list(reader.blocks(READ_SAMPLES)), axis=1), reader.rate_hz

    def _sound(self) -> Sound | None:
        if self.entry is None:
            return self.path
        (recording,) = read_entry(self.entry)
        if recording.sound is None:
            raise AudioError(f"{self.path} has no audio: {recording.error}")
        return recording.sound


def fit_length(audio: np.ndarray, length: int) -> np.ndarray:
    """Cut (C, T) to `length` samples, or append zeros."""
    if audio.shape[-1] >= length:
        return audio[..., :length]
    return np.pad(audio, ((0, 0), (0, length - audio.shape[-1])))


def kind_of(label: str | None) -> str:
    """Map a manifest's word for a kind of sound to ours; words we do not know are `"other"`."""
    word = (label or "").strip().lower()
    return word if word in KINDS else "other"


def gather_clips(
    paths: Iterable[str | Path], *, manifests: Iterable[str | Path] = (), kind: str = "other"
) -> list[Clip]:
    """The clips of any places where recordings lie (see `corpus.list_input`), each once.

    Args:
        paths: files, folders, tars, Parquet files, manifests, data sets or patterns.
        manifests: more of them.
        kind: of clips whose place does not tell it, in a column `kind`, `group`, `type` or `label`.

    Raises:
        AudioError: for a place that is not there, or has no recordings.
    """
    clips: dict[str, Clip] = {}
    for place in [*paths, *manifests]:
        try:
            listing = list_input(str(place))
        except (ConfigError, OSError) as error:
            raise AudioError(str(error)) from error
        column = next((name for name in _KIND_COLUMNS if name in listing.columns), None)
        for entry in listing.entries:
            for clip in _clips_of(entry, column, kind):
                if clip.path not in clips or column:  # what a manifest says of a file holds
                    clips[clip.path] = clip
    return list(clips.values())


def _clips_of(entry: Entry, column: str | None, kind: str) -> Iterable[Clip]:
    if entry.kind == "file":
        label = entry.meta.get(column) if column else None
        yield Clip(entry.path, kind_of(label) if column else kind, entry.id)
        return
    labels = [recording.meta.get(column) for recording in read_entry(entry)] if column else [kind] * entry.count
    for label in labels:
        one, entry = entry.cut(1)
        name = one.id if one.kind == "broken" else f"{one.id}/{one.first}"
        yield Clip(f"{one.path}/{one.first}", kind_of(label if isinstance(label, str) else None), name, one)
