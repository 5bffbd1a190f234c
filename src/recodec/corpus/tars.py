"""WebDataset tars: files whose names agree up to the first dot make one recording."""

from __future__ import annotations

import io
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..audio.suffixes import AUDIO_SUFFIXES
from ..errors import AudioError
from .entries import Entry, Part, Recording
from .names import clean_id, printable

TEXT_SUFFIXES = frozenset({"txt", "text", "transcript", "json", "jsonl", "cls", "cls2", "index", "id", "csv", "tsv"})
_NUMBERED = "numbered"

PART_BYTES = 1 << 26
"""A larger member of a tar that is not packed is read where it lies."""

MAX_MEMBER_BYTES = 1 << 30
"""A larger member of another is refused: it would have to be in memory as a whole, and a packed tar of a few megabytes
can hold terabytes. An hour of stereo at 48 kHz has 0.7 GB as a WAV."""


@dataclass
class _Sample:
    key: str
    members: dict[str, tarfile.TarInfo] = field(default_factory=dict)

    @property
    def audio(self) -> tarfile.TarInfo | None:
        return next((member for suffix, member in self.members.items() if is_audio_suffix(suffix)), None)


def is_audio_suffix(suffix: str) -> bool:
    """Whether a member with such an end, without its dot, is audio."""
    return "." + suffix.rpartition(".")[2].lower() in AUDIO_SUFFIXES


def tar_entries(path: Path, id: str) -> tuple[list[Entry], dict[str, bool]]:
    """Entries of a tar, and the suffixes of what is not audio: whether each is text.

    What comes after damage is one broken recording.
    """
    keys: Counter[str] = Counter()
    suffixes: dict[str, bool] = {}
    broken: list[Entry] = []
    try:
        with tarfile.open(path, "r:*") as tar:
            for sample in _samples(tar):
                keys[clean_id(sample.key)] += 1
                suffixes.update({s: is_text_suffix(s) for s in sample.members if not is_audio_suffix(s)})
    except Exception as error:  # besides its own errors, tarfile passes on those of what unpacks it
        place = "damage" if "damage" not in keys else "damage~"
        broken.append(Entry("broken", str(path), f"{id}/{place}", detail=f"{path} is damaged: {error}"))
    count = keys.total()
    detail = "" if len(keys) == count else _NUMBERED
    whole = [Entry("tar", str(path), id, count=count, detail=detail)] if count else []
    return whole + broken, suffixes


def is_text_suffix(suffix: str) -> bool:
    """Whether a member with such an end becomes a column of text; others become bytes."""
    return suffix.rpartition(".")[2].lower() in TEXT_SUFFIXES


def read_tar(entry: Entry) -> Iterator[Recording]:
    """The recordings of an entry."""
    with tarfile.open(entry.path, "r:*") as tar:
        for row, sample in enumerate(_samples(tar)):
            if row >= entry.first + entry.count:
                return
            if row >= entry.first:
                key = f"{row:06d}.{sample.key}" if entry.detail == _NUMBERED else sample.key
                yield _recording(tar, sample, f"{entry.id}/{clean_id(key)}", entry.path)


def _recording(tar: tarfile.TarFile, sample: _Sample, id: str, path: str) -> Recording:
    audio = sample.audio
    if audio is None:
        return Recording(
            id, f"{path}/{printable(sample.key)}", error=f"no audio under the key {printable(sample.key)!r}"
        )
    try:
        sound = _sound(tar, audio, path)
        meta = {}
        for suffix, member in sample.members.items():
            if not is_audio_suffix(suffix):
                content = _read(tar, member)
                meta[suffix] = content.decode("utf-8", "replace") if is_text_suffix(suffix) else content
    except AudioError as error:
        return Recording(id, f"{path}/{printable(audio.name)}", error=str(error))
    except Exception as error:  # as above
        return Recording(id, f"{path}/{printable(audio.name)}", error=f"damaged in the tar: {error}")
    return Recording(id, f"{path}/{printable(audio.name)}", sound, meta)


def _sound(tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> bytes | Part:
    """The bytes of a recording, or where they are."""
    # Only of a tar that is not packed, tarfile reads the file itself; a sparse member does not lie there in one piece.
    lies_there = isinstance(tar.fileobj, io.BufferedReader) and not member.issparse()
    if lies_there and member.size > PART_BYTES:
        return Part(path, member.offset_data, member.size)
    return _read(tar, member)


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > MAX_MEMBER_BYTES:
        raise AudioError(
            f"{printable(member.name)} has {member.size / 1e9:.1f} GB, and no more than "
            f"{MAX_MEMBER_BYTES / 1e9:.1f} GB of a tar's member are taken into memory: unpack the tar to a folder"
        )
    file = tar.extractfile(member)
    content = b"" if file is None else file.read()
    if len(content) != member.size:
        raise EOFError(f"{member.name} ends after {len(content)} of {member.size} bytes")
    return content


def _samples(tar: tarfile.TarFile) -> Iterator[_Sample]:
    """Runs of members with the same key; what came before damage is given before it."""
    sample: _Sample | None = None
    try:
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # it would remember every member it has seen
            folder, slash, name = member.name.rpartition("/")
            stem, dot, suffix = name.partition(".")
            if not member.isfile() or not dot or not stem or stem.startswith("__"):
                continue
            key = folder + slash + stem
            if sample is not None and sample.key != key:
                yield sample
                sample = None
            sample = sample or _Sample(key)
            sample.members[suffix] = member
    except Exception:
        if sample is not None:
            yield sample
        raise
    if sample is not None:
        yield sample


def tar_parts(entry: Entry) -> Iterator[Recording]:
    """The recordings of an entry of a tar that is not packed, each as a place in it; its members are not read."""
    with tarfile.open(entry.path, "r:") as tar:
        for row, sample in enumerate(_samples(tar)):
            if entry.first <= row < entry.first + entry.count:
                name = f"{entry.path}/{printable(sample.key)}"
                audio = sample.audio
                sound = None if audio is None else Part(entry.path, audio.offset_data, audio.size)
                why = None if sound is not None else f"no audio under the key {printable(sample.key)!r}"
                yield Recording(f"{entry.id}/{clean_id(sample.key)}", name, sound, error=why)
