"""Fetch free audio from Debian packages, and write it as 24 kHz mono shards.

    python recipes/debian_24khz/fetch.py --out shards

Needs a Debian or Ubuntu system with `apt-get` and `dpkg-deb` (no root, but `apt-get update` must have
been run), and PyAV (`pip install 'recodec[eval]'`). Only packages that `packages.tsv` marks train or
dev are ever asked for, and one run takes one split. See README.md.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from corpus import LISTS, SPLITS, Entry, Package, read_entries, read_packages, select_packages
from decode import decode
from shards import RATE_HZ, ShardWriter
from tqdm import tqdm

from recodec.errors import AudioError

DEFAULT_LISTS = ("light",)
DEFAULT_EXTRA = ("0ad-data",)
IN_ARCHIVE = re.compile(r"(?P<archive>.+\.(?:zip|pk3))\.d/(?P<member>.+)", re.DOTALL)


def download(package: Package, folder: Path) -> Path:
    """The package's file in `folder`, fetched with apt unless it is there.

    Raises:
        subprocess.CalledProcessError: if apt cannot fetch it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob(f"{package.name}_*.deb")):
        subprocess.run(["apt-get", "--quiet=2", "download", package.name], cwd=folder, check=True)
    return sorted(folder.glob(f"{package.name}_*.deb"))[-1]


def unpack(deb: Path, folder: Path) -> None:
    """Unpack the files of a package into a folder. Nothing of the package is run."""
    subprocess.run(["dpkg-deb", "--extract", str(deb), str(folder)], check=True)


def read_files(tree: Path, entries: Sequence[Entry]) -> Iterator[tuple[Entry, bytes | None]]:
    """The content of each entry in an unpacked package; `None` where it is missing."""
    with ExitStack() as stack:
        archives: dict[str, zipfile.ZipFile] = {}
        for entry in entries:
            inside = IN_ARCHIVE.fullmatch(entry.path)
            try:
                if inside is None:
                    yield entry, (tree / entry.path).read_bytes()
                    continue
                name = inside["archive"]
                if name not in archives:
                    archives[name] = stack.enter_context(zipfile.ZipFile(tree / name))
                yield entry, archives[name].read(inside["member"])
            except (FileNotFoundError, KeyError):  # a later version of the package has other files
                yield entry, None


class Collector:
    """Decodes files into shards, without doubles, and counts what it leaves out and why."""

    def __init__(self, writer: ShardWriter) -> None:
        self.writer = writer
        self.left_out: Counter[str] = Counter()
        self._seen: set[bytes] = set()

    def add(self, entry: Entry, content: bytes | None) -> None:
        """Take one file, if it is there, dense enough, decodable, and new."""
        reason = self._try(entry, content)
        if reason is not None:
            self.left_out[reason] += 1

    def _try(self, entry: Entry, content: bytes | None) -> str | None:
        if content is None:
            return "missing in the package"
        if not entry.is_dense_enough(len(content)):
            return "bit rate too low"
        try:
            clip = decode(content, entry.path)
        except AudioError:
            return "not decodable, or silent"
        digest = hashlib.sha256(clip.tobytes()).digest()
        if digest in self._seen:
            return "double"
        self._seen.add(digest)
        self.writer.add(clip, entry.group, entry.package, entry.path)
        return None


def fetch(packages: Sequence[Package], out: Path, cache: Path | None) -> Collector:
    """Download, unpack and decode the packages; write the shards and the copyright files to `out`."""
    entries = read_entries(packages)
    with ShardWriter(out) as writer:
        collector = Collector(writer)
        for package in tqdm(packages, unit="package"):
            with tempfile.TemporaryDirectory(prefix="debian_24khz.") as scratch:
                deb = download(package, cache or Path(scratch) / "deb")
                tree = Path(scratch) / "tree"
                unpack(deb, tree)
                _keep_copyright(package, tree, out)
                files = read_files(tree, entries[package.name])
                for entry, content in tqdm(files, total=len(entries[package.name]), desc=package.name, leave=False):
                    collector.add(entry, content)
    return collector


def _keep_copyright(package: Package, tree: Path, out: Path) -> None:
    """Attribution must travel with the audio."""
    source = tree / "usr/share/doc" / package.name / "copyright"
    if source.is_file():
        (out / "copyright").mkdir(exist_ok=True)
        shutil.copyfile(source, out / "copyright" / package.name)


@click.command()
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the shards.")
@click.option("--split", type=click.Choice(SPLITS), default="train", show_default=True)
@click.option("--list", "lists", type=click.Choice(LISTS), multiple=True, help="A list of packages; may be repeated.")
@click.option("--package", "names", multiple=True, help="A package of packages.tsv by name; may be repeated.")
@click.option("--cache", type=click.Path(file_okay=False, path_type=Path), help="Keep the packages here.")
def main(out: Path, split: str, lists: tuple[str, ...], names: tuple[str, ...], cache: Path | None) -> None:
    """Fetch packages and write shards.

    Without --list and --package: for train the light list and 0ad-data, for dev all of its packages.
    """
    if not lists and not names:
        lists, names = (DEFAULT_LISTS, DEFAULT_EXTRA) if split == "train" else (("",), ())
    try:
        packages = select_packages(read_packages(), split, lists, names)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    collector = fetch(packages, out, cache)
    for group, samples in collector.writer.samples.items():
        click.echo(f"{group}: {samples / RATE_HZ / 3600:.2f} h")
    for reason, count in collector.left_out.most_common():
        click.echo(f"left out, {reason}: {count}")


if __name__ == "__main__":
    main()
