"""Shards of audio for the trainer: clips laid end to end in plain NumPy files, and one index.

A folder of shards holds

- `<group>-<nnn>.npy`: a 1-D int16 array, 24 kHz mono, of at most 64 MiB (a longer clip makes a
  longer shard); `group` is speech, music or sfx;
- `clips.tsv`: one line a clip with the columns of `COLUMNS`, in the order in which clips were added.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from recodec.atomic import atomic_write, write_text
from recodec.tables import safe_cell

RATE_HZ = 24_000
GROUPS: tuple[str, ...] = ("speech", "music", "sfx")
COLUMNS = ("shard", "start", "samples", "group", "package", "source")
SHARD_SAMPLES = 32 * 2**20  # 64 MiB of int16


def to_int16(audio: NDArray[np.floating]) -> NDArray[np.int16]:
    """Float samples to the nearest int16, full scale being 2^15; what lies outside is clipped."""
    return np.clip(np.rint(audio * 32768.0), -32768, 32767).astype(np.int16)


class ShardWriter:
    """Writes a folder of shards; a context manager.

    The index is written last and only on success, so a folder without `clips.tsv` is unfinished.

    Args:
        folder: made if missing; must hold no shards yet.
        shard_samples: most samples in a shard.

    Raises:
        FileExistsError: if the folder holds shards already.
    """

    def __init__(self, folder: str | Path, *, shard_samples: int = SHARD_SAMPLES) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        taken = sorted(self.folder.glob("*.npy")) + sorted(self.folder.glob("clips.tsv"))
        if taken:
            raise FileExistsError(f"{self.folder} holds shards already ({taken[0].name})")
        self._shard_samples = shard_samples
        self._pending: dict[str, list[NDArray[np.int16]]] = {group: [] for group in GROUPS}
        self._filled = dict.fromkeys(GROUPS, 0)
        self._numbers = dict.fromkeys(GROUPS, 0)
        self._lines = ["\t".join(COLUMNS)]
        self.samples = dict.fromkeys(GROUPS, 0)
        """Samples added so far, by group."""

    def add(self, clip: NDArray[np.int16], group: str, package: str, source: str) -> None:
        """Append a clip (T,) to the group's current shard.

        Raises:
            ValueError: for an unknown group, a clip that is not 1-D int16, or a name with a tab or newline.
        """
        if group not in GROUPS:
            raise ValueError(f"group must be one of {GROUPS}, got {group!r}")
        if clip.dtype != np.int16 or clip.ndim != 1:
            raise ValueError(f"a clip is 1-D int16, got {clip.ndim}-D {clip.dtype}")
        if any(mark in package + source for mark in "\t\n\r"):
            raise ValueError(f"a name cannot hold a tab or a newline: {source!r}")
        if clip.size == 0:
            return
        if self._filled[group] + clip.size > self._shard_samples:
            self._flush(group)
        fields = (self._name(group), self._filled[group], clip.size, group, package, source)
        self._lines.append("\t".join(str(safe_cell(field)) for field in fields))
        self._pending[group].append(clip)
        self._filled[group] += clip.size
        self.samples[group] += clip.size

    def _name(self, group: str) -> str:
        return f"{group}-{self._numbers[group]:03d}.npy"

    def _flush(self, group: str) -> None:
        if not self._pending[group]:
            return
        with atomic_write(self.folder / self._name(group), overwrite=False) as file:
            np.save(file, np.concatenate(self._pending[group]))
        self._pending[group] = []
        self._filled[group] = 0
        self._numbers[group] += 1

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        for group in GROUPS:
            self._flush(group)
        write_text(self.folder / "clips.tsv", "\n".join(self._lines) + "\n", overwrite=False)
