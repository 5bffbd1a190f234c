"""From a clip's file or bytes to samples that the model takes. Runs in worker processes, ahead of the encoder."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass

import numpy as np

from ..audio.decoders import READ_SAMPLES
from ..audio.mixing import Mixer
from ..audio.resampling import resample
from ..audio.samples import check_samples
from ..corpus import Part, Recording, Sound, open_recording, reason
from ..errors import AudioError


@dataclass(frozen=True)
class Form:
    """What the model takes: rate in Hz, channels, and the samples above which a clip is long."""

    rate_hz: int
    channels: int
    long_samples: int


@dataclass(frozen=True)
class Decoded:
    """A clip's samples, or why there are none.

    Attributes:
        audio: (C, T) float32 at the model's rate; `None` for a long or a broken clip.
        source_rate: in Hz, as the file has it.
        error: why the clip is broken.
    """

    audio: np.ndarray | None = None
    source_rate: int = 0
    error: str | None = None


def decode(sound: Sound, name: str, form: Form) -> Decoded:
    """Read, resample and mix a clip, unless it is long.

    Args:
        sound: its audio.
        name: what errors call it.
        form: what to make of it.
    """
    try:
        if isinstance(sound, tuple):
            return _decode_samples(sound, name, form)
        assert isinstance(sound, (str, bytes, Part))
        with open_recording(sound, name, rate_hz=form.rate_hz, channels=form.channels) as reader:
            if (reader.num_samples or 0) > form.long_samples:
                return Decoded(source_rate=reader.source_rate_hz)
            blocks, count = [], 0
            for block in reader.blocks(READ_SAMPLES):
                blocks.append(block)
                count += block.shape[1]
                if count > form.long_samples:  # the header did not say so
                    return Decoded(source_rate=reader.source_rate_hz)
            if not count:
                raise AudioError(f"{name} has no samples")
            return Decoded(np.concatenate(blocks, axis=1), reader.source_rate_hz)
    except (AudioError, OSError) as error:
        return Decoded(error=reason(error))
    except Exception as error:  # one clip never ends a run of millions
        return Decoded(error=f"{name}: {type(error).__name__}: {error}")


def _decode_samples(sound: tuple[np.ndarray, int], name: str, form: Form) -> Decoded:
    samples, rate = sound
    audio = check_samples(np.atleast_2d(samples), name=name)
    audio = resample(Mixer(len(audio), form.channels, name=name)(audio), rate, form.rate_hz)
    if not audio.shape[1]:
        raise AudioError(f"{name} has too few samples to make one at {form.rate_hz} Hz")
    return Decoded(audio, rate)


class Prefetcher:
    """Decodes clips ahead, in order, on an executor that may lose a process to a damaged file.

    Args:
        make_executor: starts processes or threads.
        form: what to make of the clips.
        ahead: clips that may be in work.
    """

    def __init__(self, make_executor: Callable[[], Executor], form: Form, ahead: int) -> None:
        self._make, self._form, self._ahead = make_executor, form, ahead
        self._executor = make_executor()

    def decoded(self, clips: Iterable[Recording]) -> Iterator[tuple[Recording, Decoded]]:
        """Each clip with its samples, in the order given."""
        waiting: deque[tuple[Recording, Future[Decoded] | None]] = deque()
        source = iter(clips)
        while True:
            for clip in itertools.islice(source, self._ahead - len(waiting)):
                waiting.append((clip, self._submit(clip)))
            if not waiting:
                return
            clip, future = waiting.popleft()
            try:
                yield clip, Decoded(error=clip.error or "no audio") if future is None else future.result()
            except BrokenProcessPool:
                # Some clip in work took the process along, and all others' results with it: each on its own now.
                self._restart()
                suspects = [clip, *(clip for clip, _ in waiting)]
                waiting.clear()
                for suspect in suspects:
                    yield suspect, self._alone(suspect)

    def close(self) -> None:
        """End the processes."""
        self._executor.shutdown(cancel_futures=True)

    def _submit(self, clip: Recording) -> Future[Decoded] | None:
        if clip.sound is None:
            return None
        try:
            return self._executor.submit(decode, clip.sound, clip.path, self._form)
        except BrokenProcessPool as error:
            failed: Future[Decoded] = Future()
            failed.set_exception(error)
            return failed

    def _alone(self, clip: Recording) -> Decoded:
        future = self._submit(clip)
        if future is None:
            return Decoded(error=clip.error or "no audio")
        try:
            return future.result()
        except BrokenProcessPool:
            self._restart()
            return Decoded(error=f"{clip.path}: the process that read it died")

    def _restart(self) -> None:
        self._executor.shutdown()
        self._executor = self._make()
