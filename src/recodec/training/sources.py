"""Groups of recordings that training draws crops from: shards of samples, or whatever else a corpus may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..audio import Mixer, resample
from ..audio.samples import Samples
from ..corpus import is_audio, list_input, open_samples, stretches_of, to_audio, walk
from ..errors import AudioError, ConfigError, RecodecError
from ..text import system_reason

EVERYTHING = "all"
"""The group of a folder that is not divided into groups."""

SILENCE = 1e-3
"""Root mean square of a crop up to which there is nothing to learn from it."""

SILENT = "is silent from its start to its end"

_LISTEN_S = 10


class Source(Protocol):
    """One recording, of which any stretch can be had."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    @property
    def num_samples(self) -> int:
        """Its length, at its own rate."""
        ...

    @property
    def rate_hz(self) -> int:
        """Its sampling rate."""
        ...

    @property
    def places(self) -> int:
        """Mask of its loudspeakers; 0 where that is not known."""
        ...

    def read(self, start: int, count: int) -> Samples:
        """(C, count) float32, full scale 1.

        Raises:
            AudioError: if it cannot be read.
        """
        ...


@dataclass(frozen=True)
class SampleShard:
    """int16 samples of a `.npy` file, or some of them from `begin` on, mapped into memory."""

    path: Path
    num_samples: int
    rate_hz: int
    places: int = 0
    begin: int = 0

    @property
    def name(self) -> str:
        return str(self.path)

    def read(self, start: int, count: int) -> Samples:
        start += self.begin
        return to_audio(open_samples(self.path)[start : start + count])


class Group:
    """The recordings of one kind, drawn by their length.

    Args:
        sources: at least one long enough.
        rate_hz, channels: of the crops.
        crop_samples: T.

    Raises:
        AudioError: if none is as long as a crop.
    """

    def __init__(self, sources: Sequence[Source], *, rate_hz: int, channels: int, crop_samples: int) -> None:
        self._rate_hz, self._channels, self._crop_samples = rate_hz, channels, crop_samples
        self._sources = [source for source in sources if source.num_samples >= self._needed(source.rate_hz)]
        if not self._sources:
            raise AudioError(f"no recording is as long as a crop of {crop_samples / rate_hz:g} s")
        lengths = np.array([source.num_samples / source.rate_hz for source in self._sources])
        self.seconds = float(lengths.sum())
        self._chances = lengths / lengths.sum()
        self._silence = Silence(self._sources)

    def crop(self, random: np.random.Generator, failed: dict[str, str], speed: float = 1.0) -> np.ndarray | None:
        """A random stretch (C, T); `None` where the recording cannot serve, whose reason is added to `failed`.

        Args:
            random: draws it.
            failed: takes reasons by name.
            speed: factor by which it is played faster, with its pitch: samples are taken as if there were so many more
                of them a second. A recording too short for that is taken as it is.
        """
        number = int(random.choice(len(self._sources), p=self._chances))
        source = self._sources[number]
        played_hz = source.rate_hz if speed == 1 else round(source.rate_hz * speed)
        needed = self._needed(played_hz)
        if needed > source.num_samples:
            played_hz, needed = source.rate_hz, self._needed(source.rate_hz)
        start = int(random.integers(source.num_samples - needed + 1))
        try:
            audio = source.read(start, needed)
            if is_silent(audio) and self._silence.fills(number):
                failed[source.name] = SILENT
                return None
            mixed = Mixer(len(audio), self._channels, mask=source.places, name=source.name)(audio)
            return resample(mixed, played_hz, self._rate_hz)[:, : self._crop_samples]
        except AudioError as error:
            failed[source.name] = str(error)
            return None

    def _needed(self, rate_hz: int) -> int:
        """Samples at a recording's rate that give a crop at ours."""
        return -(-self._crop_samples * rate_hz // self._rate_hz)


class Silence:
    """Which recordings hold nothing else: found out when a stretch of one is silent, and known from then on."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._found: dict[int, bool] = {}

    def fills(self, number: int) -> bool:
        """Whether all of a recording is silent.

        Raises:
            AudioError: if it cannot be read.
        """
        if number not in self._found:
            source = self._sources[number]
            step = _LISTEN_S * source.rate_hz
            starts = range(0, source.num_samples, step)
            pieces = (source.read(start, min(step, source.num_samples - start)) for start in starts)
            self._found[number] = all(map(is_silent, pieces))
        return self._found[number]


def is_silent(audio: np.ndarray) -> bool:
    """Whether no stretch of audio is louder than silence."""
    return float(np.abs(audio).max(initial=0.0)) <= SILENCE


class NothingToTrainError(AudioError):
    """A corpus of which no recording can serve.

    Args:
        reason: what is wrong.
        left_out: reasons by the names of recordings.
    """

    def __init__(self, reason: str, left_out: Mapping[str, str]) -> None:
        super().__init__(reason)
        self.left_out = left_out


@dataclass
class Found:
    """The groups of a corpus.

    Attributes:
        groups: by name.
        left_out: reasons by the names of recordings that cannot serve.
    """

    groups: dict[str, Group]
    left_out: dict[str, str]


def open_groups(
    data: str | Mapping[str, str], names: Sequence[str], *, rate_hz: int, channels: int, crop_samples: int
) -> Found:
    """Find the recordings of each group.

    Args:
        data: a folder of shards `<group>-<nnn>.npy`; a folder with a subfolder for each group; any other corpus (a
            folder of audio files, a manifest, tars, Parquet files, a data set that was saved to disk), all of
            which is one group; or a corpus for each group, all of which are taken.
        names: of the groups that a folder may be divided into; what it has besides is in `left_out`.
        rate_hz, channels, crop_samples: of the crops.

    Raises:
        NothingToTrainError: if nothing is left.
        ConfigError: for a place that is missing or of an unknown kind.
    """
    left_out: dict[str, str] = {}
    options = {"rate_hz": rate_hz, "channels": channels, "crop_samples": crop_samples}
    groups: dict[str, Group] = {}
    for name, sources in _sources_by_group(data, names, left_out, rate_hz, channels, crop_samples):
        try:
            groups[name] = Group(_long_enough(sources, crop_samples / rate_hz, left_out), **options)
        except AudioError as error:
            left_out[f"the group {name}"] = str(error)
    if not groups:
        where = data if isinstance(data, str) else ", ".join(data.values())
        reasons = "; ".join(
            why if why.startswith(name) else f"{name}: {why}" for name, why in list(left_out.items())[:3]
        )
        raise NothingToTrainError(f"{where} has nothing to train on" + (f" ({reasons})" if reasons else ""), left_out)
    return Found(groups, left_out)


def _long_enough(sources: Iterable[Source], crop_s: float, left_out: dict[str, str]) -> list[Source]:
    """The recordings that a crop fits in; the others are left out with their lengths."""
    found: list[Source] = []
    for source in sources:
        seconds = source.num_samples / source.rate_hz
        if seconds < crop_s:
            left_out[source.name] = f"it has {seconds:.3f} s, and a crop {crop_s:g} s"
        else:
            found.append(source)
    return found


def _sources_by_group(
    data: str | Mapping[str, str], names: Sequence[str], left_out: dict[str, str], rate_hz: int, channels: int,
    crop_samples: int,
) -> Iterator[tuple[str, Iterator[Source]]]:  # fmt: skip
    if not isinstance(data, str):
        for name in sorted(data, key=lambda name: names.index(name) if name in names else len(names)):
            yield name, _recordings(data[name], channels, left_out)
        return
    folder = Path(data)
    if not folder.exists() and "*" not in data and "{" not in data:
        raise ConfigError(f"there is no folder or file {data}, which the setting data names")
    shards = {name: sorted(folder.glob(f"{name}-*.npy")) for name in names} if folder.is_dir() else {}
    if any(shards.values()):
        for name, paths in shards.items():
            if paths:
                yield name, _shards(paths, left_out, rate_hz, crop_samples)
        return
    parts = [name for name in names if (folder / name).is_dir()]
    for name in parts:
        yield name, _recordings(str(folder / name), channels, left_out)
    if parts:
        _note_unused(folder, parts, left_out)
    else:
        yield EVERYTHING, _recordings(data, channels, left_out)


def _note_unused(folder: Path, parts: Sequence[str], left_out: dict[str, str]) -> None:
    """Say what a folder of groups has besides them: it may be a split that must not be trained on."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in parts:
            continue
        if path.is_dir() and any(map(is_audio, walk(path))):
            left_out[str(path)] = (
                f"a folder beside the groups {', '.join(parts)}; group_weights.{path.name}=0.2 makes it one"
            )
        elif is_audio(path) and not path.is_dir():
            left_out[str(path)] = f"a file beside the folders of the groups {', '.join(parts)}"


def _recordings(place: str, channels: int, left_out: dict[str, str]) -> Iterator[Source]:
    try:
        listing = list_input(place)
    except OSError as error:
        raise ConfigError(f"{place} cannot be read: {system_reason(error)}") from error
    except RecodecError as error:
        raise ConfigError(f"{error}, in the setting data") from error
    yield from stretches_of(listing.entries, channels, left_out)


def _shards(paths: Sequence[Path], left_out: dict[str, str], rate_hz: int, crop_samples: int) -> Iterator[SampleShard]:
    for path in paths:
        try:
            array = open_samples(path)
        except AudioError as error:
            left_out[str(path)] = str(error)
            continue
        if array.size < crop_samples:
            left_out[str(path)] = "the shard is shorter than a crop"
        else:
            yield SampleShard(path, array.size, rate_hz)
