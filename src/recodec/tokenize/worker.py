"""One worker: a model, the processes that decode for it, and shards one after the other."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..atomic import write_text
from ..codec import Codec
from ..corpus import Part, Recording, fits_as_file, open_recording, read_entry, reason
from ..errors import AudioError
from .decoding import Decoded, Form, Prefetcher
from .job import Job
from .rows import Row, write_shard
from .shards import Shard

# With the clips of several batches at hand, `encode_many` puts those of similar length together.
_WINDOW_BATCHES = 4
# The most audio that a window holds in memory.
_WINDOW_S = 600.0
_BLOCK_S = 10.0

Sized = tuple[Recording, Decoded]


@dataclass(frozen=True)
class Tick:
    """What has been done since the last one: clips, seconds of audio, and how many clips were broken."""

    clips: int
    seconds: float
    broken: int


@dataclass(frozen=True)
class Record:
    """What is kept of a finished shard; written when its data are.

    Attributes:
        shard: its number.
        file: in the output, with its size in bytes; `None` if no clip was sound.
        clips: that were tokenized.
        seconds: of audio in them.
        broken: id, path and reason of those that could not be.
    """

    shard: int
    file: str | None
    bytes: int
    clips: int
    seconds: float
    broken: tuple[tuple[str, str, str], ...] = field(default=())

    def write(self, folder: Path) -> None:
        """Write it, whole or not at all."""
        write_text(folder / f"{self.shard:06d}.json", json.dumps(self.__dict__, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, folder: Path, shard: int, output: Path) -> Record | None:
        """The record of a shard; `None` if it is not finished, or its file is not as it was."""
        try:
            content = json.loads((folder / f"{shard:06d}.json").read_text(encoding="utf-8"))
            record = cls(**{**content, "broken": tuple((a, b, c) for a, b, c in content["broken"])})
            whole = record.file is None or os.path.getsize(output / record.file) == record.bytes
        # A record that cannot be read counts as none: its shard is made again.
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return record if whole else None


def is_finished(job: Job, shard: Shard) -> bool:
    """Whether a shard has been written whole."""
    return Record.read(job.records, shard.index, Path(job.folder)) is not None


class ShardWorker:
    """Tokenizes shards. A context manager.

    Args:
        job: what to do.
        codec: the job's model; loaded if not given.
    """

    def __init__(self, job: Job, codec: Codec | None = None) -> None:
        self._job = job
        self._codec = Codec.of_choice(job.model) if codec is None else codec
        rate = self._codec.sampling_rate
        self._form = Form(rate, self._codec.config.audio_channels, round(job.long_s * rate))
        self._window = _WINDOW_BATCHES * job.batch
        # The clips of the next window are decoded while those of this one are encoded.
        ahead = max(2 * self._window, 4 * job.workers)
        self._prefetcher = Prefetcher(job.workers, self._form, ahead)
        self._names = dict(job.columns)

    def run(self, shard: Shard, notify: Callable[[Tick], object] = lambda tick: None) -> Record:
        """Tokenize a shard and write it, and then its record.

        Args:
            shard: of the plan.
            notify: is told of progress.
        """
        rows: list[Row] = []
        broken: list[tuple[str, str, str]] = []
        clips = (clip for entry in shard.entries for clip in read_entry(entry))
        place = shard.first
        for window in _windows(self._prefetcher.decoded(clips), self._window, _WINDOW_S * self._codec.sampling_rate):
            found = self._encode(window, place)
            place += len(window)
            sound = [item for item in found if isinstance(item, Row)]
            rows += sound
            broken += [item for item in found if not isinstance(item, Row)]
            notify(Tick(len(window), self._seconds(sound), len(window) - len(sound)))
        name = write_shard(self._job, self._codec, shard, rows)
        size = 0 if name is None else os.path.getsize(Path(self._job.folder) / name)
        record = Record(shard.index, name, size, len(rows), self._seconds(rows), tuple(broken))
        record.write(self._job.records)
        return record

    def close(self) -> None:
        """End the processes that decode."""
        self._prefetcher.close()

    def __enter__(self) -> ShardWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _seconds(self, rows: Iterable[Row]) -> float:
        return sum(row.num_samples for row in rows) / self._codec.sampling_rate

    def _encode(self, window: list[Sized], first: int) -> list[Row | tuple[str, str, str]]:
        """A row, or id, path and reason, for each clip."""
        output = self._job.output
        audio = [decoded.audio for _, decoded in window if decoded.audio is not None]
        # One for each clip that has audio, so each such clip must take its own below, whatever is wrong with it.
        encoded = iter(
            self._codec.encode_many(audio, num_quantizers=output.num_quantizers, batch=self._job.batch) if audio else []
        )
        found: list[Row | tuple[str, str, str]] = []
        for number, (clip, decoded) in enumerate(window, first):
            coded = None if decoded.audio is None else next(encoded)
            try:
                if decoded.error is not None:
                    raise AudioError(decoded.error)
                if output.format == "ecdc" and not fits_as_file(clip.id, ".ecdc"):
                    raise AudioError(f"{clip.id} is too long for the name of a file")
                if coded is None or decoded.audio is None:
                    codes, scales, length = self._stream(clip)
                else:
                    (codes, scales), length = coded, decoded.audio.shape[1]
            except (AudioError, OSError) as error:
                found.append((clip.id, clip.path, reason(error)))
                continue
            meta = {self._names[name]: value for name, value in clip.meta.items() if name in self._names}
            small = codes.astype(np.int16)
            found.append(Row(number, clip.id, clip.path, length, decoded.source_rate, small, scales, meta))
        return found

    def _stream(self, clip: Recording) -> tuple[np.ndarray, np.ndarray | None, int]:
        """Codes, scales and length of a long clip, whose audio is never in memory as a whole."""
        # Samples that a data set has decoded itself (a tuple) are in memory already, and never streamed.
        assert isinstance(clip.sound, (str, bytes, Part))
        length = 0

        def counted(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
            nonlocal length
            for audio in blocks:
                length += audio.shape[1]
                yield audio

        form = self._form
        with open_recording(clip.sound, clip.path, rate_hz=form.rate_hz, channels=form.channels) as reader:
            blocks = _ahead(reader.blocks(round(_BLOCK_S * self._codec.sampling_rate)))
            codes, scales = self._codec.encode(counted(blocks), num_quantizers=self._job.output.num_quantizers)
        return codes, scales, length


def _windows(clips: Iterable[Sized], count: int, samples: float) -> Iterator[list[Sized]]:
    """Clips in lists of so many, or fewer where they are long."""
    window: list[Sized] = []
    held = 0
    for clip, decoded in clips:
        window.append((clip, decoded))
        held += 0 if decoded.audio is None else decoded.audio.shape[1]
        if len(window) == count or held >= samples:
            yield window
            window, held = [], 0
    if window:
        yield window


def _ahead(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same blocks, the next one being read while the last is used."""
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(next, blocks, None)
        while (block := future.result()) is not None:
            future = thread.submit(next, blocks, None)
            yield block
