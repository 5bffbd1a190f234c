"""Which packages and which of their files make the corpus: `packages.tsv` and `manifest.tsv.gz`."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SPLITS = ("train", "dev")
LISTS = ("light", "core", "all")
GROUP_OF_KIND = {
    "speech": "speech",
    "speech+sfx": "speech",  # the units of megaglest, which mostly talk
    "music": "music",
    "sfx": "sfx",
    "ambience": "sfx",
    "ui": "sfx",
    "instrument one-shots": "sfx",
}
MAX_CLIPPED = 0.01
"""Largest share of a file's samples that may stand at full scale."""
LOSSY_SUFFIXES = (".ogg", ".oga", ".opus", ".mp3")
MIN_BITS_PER_SAMPLE = 112_000 / (2 * 44_100)
"""Least bit rate of a lossy source: 112 kbps for 44.1 kHz stereo, and as much a sample for others."""


@dataclass(frozen=True)
class Package:
    """A Debian package: its name, its split, the list that fetches it (empty for dev), its licence."""

    name: str
    split: str
    list: str
    licence: str


@dataclass(frozen=True)
class Entry:
    """A file of a package: its path once unpacked (`x.zip.d/y` is y in x.zip), and what it holds."""

    package: str
    path: str
    group: str
    seconds: float
    rate_hz: int
    channels: int
    clipped: float

    def is_dense_enough(self, size_bytes: int) -> bool:
        """Whether a file of that size is good enough to learn from (always so if it is not lossy)."""
        if not self.path.lower().endswith(LOSSY_SUFFIXES):
            return True
        return 8 * size_bytes >= MIN_BITS_PER_SAMPLE * self.seconds * self.rate_hz * self.channels


def read_packages(path: Path = HERE / "packages.tsv") -> dict[str, Package]:
    """The packages that may be fetched, by name.

    Raises:
        ValueError: if a package is marked for another split than train or dev.
    """
    packages = {}
    for row in _rows(path.read_text(encoding="utf-8")):
        if row["split"] not in SPLITS:
            raise ValueError(f"{row['package']} is marked {row['split']!r}, neither train nor dev")
        packages[row["package"]] = Package(row["package"], row["split"], row["list"], row["licence"])
    return packages


def select_packages(
    packages: Mapping[str, Package], split: str, lists: Collection[str] = (), names: Sequence[str] = ()
) -> list[Package]:
    """The packages of one split that are in one of the lists or named, in the order of the table.

    Raises:
        ValueError: if a name is not in the table, or belongs to the other split.
    """
    for name in names:
        if name not in packages or packages[name].split != split:
            raise ValueError(f"{name} is not a package of the {split} split; packages.tsv names those that may be used")
    return [p for p in packages.values() if p.split == split and (p.list in lists or p.name in names)]


def read_entries(packages: Collection[Package], path: Path = HERE / "manifest.tsv.gz") -> dict[str, list[Entry]]:
    """The usable files of the packages, by package, without the clipped ones."""
    splits = {package.name: package.split for package in packages}
    entries: dict[str, list[Entry]] = {name: [] for name in splits}
    for row in _rows(gzip.decompress(path.read_bytes()).decode("utf-8")):
        if splits.get(row["package"]) != row["split"] or float(row["clip_frac"]) > MAX_CLIPPED:
            continue
        entry = Entry(
            package=row["package"],
            path=row["path"],
            group=GROUP_OF_KIND[row["kind"]],
            seconds=float(row["seconds"]),
            rate_hz=int(row["sample_rate"]),
            channels=int(row["channels"]),
            clipped=float(row["clip_frac"]),
        )
        entries[entry.package].append(entry)
    return entries


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))
