"""Clips: what is evaluated. A file, or a manifest of files, with what kind of sound each is."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..audio import read_audio
from ..errors import AudioError

KINDS = ("speech", "music", "other")
_FILE_COLUMNS = ("file", "path", "filename", "audio")
_KIND_COLUMNS = ("kind", "group", "type", "label")


@dataclass(frozen=True)
class Clip:
    """A recording to evaluate.

    Attributes:
        path: the file.
        kind: `"speech"`, `"music"` or `"other"`; it chooses the metrics that make sense.
        name: how tables call it; the file's name by default.
    """

    path: str
    kind: str = "other"
    name: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise AudioError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if not self.name:
            object.__setattr__(self, "name", Path(self.path).name)

    def read(self) -> tuple[np.ndarray, int]:
        """Samples (C, T) float32, and the rate in Hz.

        Raises:
            AudioError: if the file cannot be read, is empty, holds a NaN or an infinity, or has more
                than two channels.
        """
        return read_audio(self.path)


def fit_length(audio: np.ndarray, length: int) -> np.ndarray:
    """Cut (C, T) to `length` samples, or append zeros."""
    if audio.shape[-1] >= length:
        return audio[..., :length]
    return np.pad(audio, ((0, 0), (0, length - audio.shape[-1])))


def kind_of(label: str | None) -> str:
    """Map a manifest's word for a kind of sound to ours; words we do not know are `"other"`."""
    word = (label or "").strip().lower()
    return word if word in KINDS else "other"


def read_manifest(path: str | Path, *, folder: str | Path | None = None) -> list[Clip]:
    """Clips of a CSV or TSV table with a header: a column of files, and one of kinds if there is any.

    Args:
        path: the table. Columns are found by name: `file` (or `path`, `filename`, `audio`) and
            `kind` (or `group`, `type`, `label`).
        folder: where relative files lie; by default the table's folder, or a folder beside it that
            is named like it (`dev.tsv` and `dev/`).

    Raises:
        AudioError: if it has no column of files, or no row.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AudioError(f"{path} cannot be read: {error}") from error
    rows = list(csv.DictReader(text.splitlines(), delimiter="\t" if "\t" in text.partition("\n")[0] else ","))
    if not rows:
        raise AudioError(f"{path} lists no files")
    file_column = _column(rows[0], _FILE_COLUMNS)
    if file_column is None:
        raise AudioError(f"{path} has no column named {' or '.join(_FILE_COLUMNS)}")
    kind_column = _column(rows[0], _KIND_COLUMNS)
    clips = []
    for row in rows:
        name = row[file_column]
        kind = kind_of(row[kind_column]) if kind_column else "other"
        clips.append(Clip(str(locate(path, name, folder)), kind, name))
    return clips


def _column(row: dict[str, str], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in row), None)


def locate(manifest: Path, name: str, folder: str | Path | None) -> Path:
    """Where a file that a manifest names lies: in the folder given, in one beside the manifest, or in its own."""
    if folder is not None:
        return Path(folder) / name
    beside = manifest.with_suffix("") / name
    return beside if beside.exists() else manifest.parent / name
