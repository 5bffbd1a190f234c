"""Where training audio comes from: shards, folders, manifests, tars, data sets. Anything gives any stretch of it."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import soundfile

from ..audio import convert_channels, resample
from ..errors import AudioError, ConfigError

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".w64", ".caf"})
MANIFEST_SUFFIXES = frozenset({".txt", ".tsv", ".csv", ".lst"})


class Recording(Protocol):
    """One recording, of which any stretch can be had."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def samples(self) -> int:
        """Its length, at its own rate."""
        ...

    @property
    def rate_hz(self) -> int:
        """Its sampling rate."""
        ...

    def read(self, start: int, count: int) -> np.ndarray:
        """(C, count) float32, full scale 1.

        Raises:
            AudioError: if it cannot be read.
        """
        ...


@dataclass(frozen=True)
class Shard:
    """int16 samples of a `.npy` file at the model's rate, mapped into memory."""

    path: Path
    samples: int
    rate_hz: int

    @property
    def name(self) -> str:
        return str(self.path)

    def read(self, start: int, count: int) -> np.ndarray:
        return np.load(self.path, mmap_mode="r")[None, start : start + count].astype(np.float32) / 32768.0


@dataclass(frozen=True)
class SoundFile:
    """Anything that libsndfile reads: `open` gives its bytes, seekable."""

    name: str
    open: Callable[[], BinaryIO]
    samples: int
    rate_hz: int

    def read(self, start: int, count: int) -> np.ndarray:
        try:
            with self.open() as file, soundfile.SoundFile(file) as sound:
                sound.seek(start)
                audio = sound.read(count, dtype="float32", always_2d=True).T
        except (OSError, ValueError, RuntimeError, soundfile.SoundFileError) as error:
            raise AudioError(f"{self.name} cannot be read: {error}") from error
        if audio.shape[1] != count or not np.isfinite(audio).all():
            raise AudioError(f"{self.name} is damaged between samples {start} and {start + count}")
        return audio


class Group:
    """The recordings of one kind, drawn by their length.

    Args:
        recordings: at least one long enough.
        rate_hz, channels: of the crops.
        crop_samples: T.

    Raises:
        AudioError: if none is as long as a crop.
    """

    def __init__(self, recordings: Sequence[Recording], *, rate_hz: int, channels: int, crop_samples: int) -> None:
        self._rate_hz, self._channels, self._crop_samples = rate_hz, channels, crop_samples
        self._recordings = [r for r in recordings if r.samples >= self._needed(r)]
        if not self._recordings:
            raise AudioError(f"no recording is as long as a crop of {crop_samples / rate_hz:g} s")
        lengths = np.array([r.samples / r.rate_hz for r in self._recordings])
        self.seconds = float(lengths.sum())
        self._chances = lengths / lengths.sum()

    def crop(self, random: np.random.Generator, failed: set[str]) -> np.ndarray | None:
        """A random stretch (C, T); `None` where the recording cannot be read, whose name is added to `failed`."""
        recording = self._recordings[random.choice(len(self._recordings), p=self._chances)]
        needed = self._needed(recording)
        start = int(random.integers(recording.samples - needed + 1))
        try:
            audio = recording.read(start, needed)
        except AudioError:
            failed.add(recording.name)
            return None
        audio = resample(convert_channels(audio, self._channels), recording.rate_hz, self._rate_hz)
        return audio[:, : self._crop_samples]

    def _needed(self, recording: Recording) -> int:
        """Samples at the recording's own rate that give a crop at ours."""
        return -(-self._crop_samples * recording.rate_hz // self._rate_hz)


def open_groups(
    data: str | Mapping[str, str], names: Sequence[str], *, rate_hz: int, channels: int, crop_samples: int
) -> tuple[dict[str, Group], set[str]]:
    """Find the recordings of each group.

    Args:
        data: a folder of shards `<group>-<nnn>.npy`; or by group a folder of audio files (searched through), a manifest
            (a text file with a path in each line, or in the column `path` or `file` of a table), a webdataset tar
            (or a pattern of them), or a folder that `datasets.Dataset.save_to_disk` wrote.
        names: of the groups that are wanted; those without data are left out.
        rate_hz, channels, crop_samples: of the crops.

    Returns:
        the groups, and the names of files that cannot be read.

    Raises:
        AudioError: if nothing is left.
        ConfigError: for a place of an unknown kind.
    """
    failed: set[str] = set()
    groups: dict[str, Group] = {}
    options = {"rate_hz": rate_hz, "channels": channels, "crop_samples": crop_samples}
    for name in names:
        if isinstance(data, str):
            found: list[Recording] = list(_shards(Path(data), name, rate_hz, crop_samples))
        elif name in data:
            found = list(_recordings(data[name], failed))
        else:
            found = []
        if found:
            groups[name] = Group(found, **options)
    if not groups:
        where = data if isinstance(data, str) else ", ".join(data.values())
        raise AudioError(f"{where} holds no int16 shards, nor other audio, of the groups {', '.join(names)}")
    return groups, failed


def _shards(folder: Path, group: str, rate_hz: int, crop_samples: int) -> Iterator[Shard]:
    for path in sorted(folder.glob(f"{group}-*.npy")):
        array = np.load(path, mmap_mode="r")
        if array.ndim == 1 and array.dtype == np.int16 and array.size >= crop_samples:
            yield Shard(path, array.size, rate_hz)


def _recordings(place: str, failed: set[str]) -> Iterator[Recording]:
    path = Path(place)
    if path.suffix == ".tar" or "*" in place:
        for tar in sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor)))):
            yield from _opened(_tar_members(tar), failed)
    elif (path / "dataset_info.json").is_file() or (path / "state.json").is_file():
        yield from _opened(_dataset_rows(path), failed)
    elif path.is_dir():
        yield from _opened(_files(sorted(p for p in path.rglob("*") if p.suffix.lower() in AUDIO_SUFFIXES)), failed)
    elif path.suffix in MANIFEST_SUFFIXES and path.is_file():
        yield from _opened(_files(_manifest(path)), failed)
    else:
        raise ConfigError(f"{place} is no folder, manifest, tar or data set")


Openers = Iterator[tuple[str, Callable[[], BinaryIO]]]


def _opened(openers: Openers, failed: set[str]) -> Iterator[SoundFile]:
    """Those that are sound files; the names of others are added to `failed`."""
    for name, opener in openers:
        try:
            with opener() as file, soundfile.SoundFile(file) as sound:
                if sound.frames > 0:
                    yield SoundFile(name, opener, sound.frames, sound.samplerate)
                    continue
        except (OSError, ValueError, RuntimeError, soundfile.SoundFileError):
            pass
        failed.add(name)


class _PathOpener:
    """Opens a file; unlike a closure it can go to another process."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> BinaryIO:
        return open(self._path, "rb")


class _PartOpener:
    """Opens a part of a file, such as a member of a tar."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self._path, self._offset, self._size = path, offset, size

    def __call__(self) -> BinaryIO:
        with open(self._path, "rb") as file:
            file.seek(self._offset)
            return io.BytesIO(file.read(self._size))


class _RowOpener:
    """Opens the audio of a row of a data set on the disk."""

    def __init__(self, folder: Path, row: int) -> None:
        self._folder, self._row = folder, row

    def __call__(self) -> BinaryIO:
        audio = _dataset(self._folder)[self._row]["audio"]
        return open(audio["path"], "rb") if audio["bytes"] is None else io.BytesIO(audio["bytes"])


def _files(paths: Sequence[Path]) -> Openers:
    for path in paths:
        yield str(path), _PathOpener(path)


def _manifest(path: Path) -> list[Path]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    separator = {".tsv": "\t", ".csv": ","}.get(path.suffix)
    column = 0
    if separator is not None and lines:
        head = lines[0].split(separator)
        named = [i for i, name in enumerate(head) if name in ("path", "file")]
        if named:
            column, lines = named[0], lines[1:]
    names = [line if separator is None else line.split(separator)[column] for line in lines]
    return [path.parent / name for name in names]


def _tar_members(path: Path) -> Openers:
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            if member.isfile() and Path(member.name).suffix.lower() in AUDIO_SUFFIXES:
                yield f"{path}/{member.name}", _PartOpener(path, member.offset_data, member.size)


def _dataset_rows(folder: Path) -> Openers:
    for row in range(len(_dataset(folder))):
        yield f"{folder}, row {row}", _RowOpener(folder, row)


_open_datasets: dict[Path, Any] = {}


def _dataset(folder: Path) -> Any:
    """A data set with undecoded audio, opened once in each process."""
    if folder not in _open_datasets:
        try:
            datasets = import_module("datasets")
        except ImportError as error:
            raise ConfigError(f"{folder} needs the package datasets: pip install datasets") from error
        found = datasets.load_from_disk(str(folder))
        _open_datasets[folder] = found.cast_column("audio", datasets.Audio(decode=False))
    return _open_datasets[folder]
