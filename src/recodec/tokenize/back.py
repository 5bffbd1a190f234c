"""`detokenize`: shards of codes to audio files."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..audio.writer import write_audio
from ..codec import Codec, ModelChoice
from ..corpus import AUDIO_SUFFIXES, Names, clean_id
from ..errors import AudioError, ConfigError, CorruptError, ModelMismatchError
from ..hub import model_called
from ..processes import Died, WorkerPool, usable_cores
from .reading import Item, open_shard, shard_files

SUFFIXES = (".wav", ".flac", ".ogg")


@dataclass(frozen=True)
class Decoding:
    """What was made: files, those that were there already, seconds of audio, and id and reason of what failed."""

    files: int = 0
    present: int = 0
    seconds: float = 0.0
    failed: tuple[tuple[str, str], ...] = field(default=())

    def __add__(self, other: Decoding) -> Decoding:
        return Decoding(
            self.files + other.files, self.present + other.present, self.seconds + other.seconds,
            self.failed + other.failed,
        )  # fmt: skip


def detokenize(
    source: str | Path,
    folder: str | Path,
    *,
    suffix: str = ".wav",
    model: ModelChoice | None = None,
    processes: int | None = None,
    force: bool = False,
    watch: Callable[[Iterator[Decoding], int], Iterator[Decoding]] = lambda done, total: done,
) -> Decoding:
    """Decode every clip of a folder of shards, or of one shard, to a file named by its id.

    Files that are there already are left as they are: a call that was interrupted goes on.

    Args:
        source: what `tokenize` wrote.
        folder: for the audio; made if it is not there.
        suffix: of the files: `.wav`, `.flac` or `.ogg`.
        model: the model, and what runs it; by default the one that the shards name.
        processes: decoders at work at once, a shard each; one for each core by default, 0 for this process.
        force: replace files.
        watch: goes between the results of shards and their sum, with the number of shards; for progress.

    Raises:
        FileNotFoundError: if there are no shards.
        ConfigError: for a suffix that cannot be written.
        CorruptError, ModelMismatchError: for shards that are damaged, or of another model.
    """
    if suffix not in SUFFIXES:
        raise ConfigError(f"suffix must be one of {', '.join(SUFFIXES)}, got {suffix!r}")
    files = shard_files(source)
    os.makedirs(folder, exist_ok=True)
    model = model or ModelChoice()
    count = usable_cores() if processes is None else processes
    if model.threads is None:
        model = replace(model, threads=max(1, usable_cores() // max(1, min(count, len(files)))))
    clashes = _clashing_names(files, suffix)
    work = [(file, Path(folder), suffix, model, force, clashes) for file in files]
    done = _decoded(work, 0 if len(files) == 1 else min(count, len(files)))
    return sum(watch(done, len(files)), Decoding())


def _decoded(work: list[Work], processes: int) -> Iterator[Decoding]:
    """The outcome of each shard, in order."""
    if processes == 0:  # not in a thread, so that Ctrl-C ends it at once
        yield from map(_decode_shard, work)
        return
    with WorkerPool(processes) as pool:
        for shard, found in pool.map(_decode_shard, work):
            yield _outcome(shard, found)


def _outcome(work: Work, found: Decoding | Died) -> Decoding:
    if isinstance(found, Died):
        return Decoding(failed=((str(work[0]), "the process that decoded this shard died"),))
    return found


def _clashing_names(files: list[Path], suffix: str) -> dict[str, str]:
    """Names for those recordings whose usual one another recording has as well, by id."""
    ids = [item["id"] for file in files for item in open_shard(file).ids()]
    shares = Counter(audio_name(id, suffix) for id in ids)
    names, found = Names(), {}
    for name, count in shares.items():
        if count == 1:
            names.unique(name)
    for id in ids:
        if shares[audio_name(id, suffix)] > 1:
            stem, end = os.path.splitext(names.unique(clean_id(id) + suffix))
            found[id] = stem + end
    return found


def audio_name(id: str, suffix: str) -> str:
    """The file of a clip: its id, which may end like an audio file, with the suffix."""
    stem, end = os.path.splitext(clean_id(id))
    return (stem if end.lower() in AUDIO_SUFFIXES else stem + end) + suffix


Work = tuple[Path, Path, str, ModelChoice, bool, dict[str, str]]

_codecs: dict[tuple[ModelChoice, str], Codec] = {}


def _decode_shard(work: Work) -> Decoding:
    file, folder, suffix, model, force, clashes = work
    total = Decoding()
    for item in open_shard(file).rows():
        place = folder / clashes.get(item["id"], audio_name(item["id"], suffix))
        if os.path.exists(place) and not force:
            total += Decoding(present=1)
            continue
        codec = _codec(model, item)
        try:
            audio = codec.decode(item["codes"], item["scales"], item["num_samples"])
            os.makedirs(place.parent, exist_ok=True)
            write_audio(place, audio, codec.sampling_rate, overwrite=True)
        except (CorruptError, AudioError) as error:
            total += Decoding(failed=((item["id"], str(error)),))
            continue
        except OSError as error:
            if error.errno not in (errno.ENAMETOOLONG, errno.EINVAL, errno.ENOTDIR, errno.EISDIR):
                raise  # a full disk fails for all
            total += Decoding(failed=((item["id"], f"it cannot be a file's name: {error.strerror}"),))
            continue
        total += Decoding(1, 0, audio.shape[1] / codec.sampling_rate)
    return total


def _codec(model: ModelChoice, item: Item) -> Codec:
    """The model that made an item's codes, loaded once in a process."""
    known = item.get("model") or ""
    key = (model, "" if model.name else known)
    if key not in _codecs:
        _codecs[key] = Codec.of_choice(model if model.name else replace(model, name=model_called(known)))
    codec = _codecs[key]
    if item.get("fingerprint") not in (None, *codec.fingerprints):
        raise ModelMismatchError(
            f"{item['id']} was tokenized with the model {known!r}, of other weights than {codec.name!r}"
        )
    return codec
