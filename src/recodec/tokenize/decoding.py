"""From a clip's file or bytes to samples that the model takes. Runs in worker processes, ahead of the encoder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..audio.mixing import Mixer
from ..audio.resampling import resample
from ..audio.samples import READ_SAMPLES, check_samples
from ..corpus import Part, Recording, Sound, open_recording, reason
from ..errors import AudioError
from ..processes import Died, WorkerPool


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


def decode(sound: Sound | None, name: str, form: Form, why_not: str | None = None) -> Decoded:
    """Read, resample and mix a clip, unless it is long.

    Args:
        sound: its audio.
        name: what errors call it.
        form: what to make of it.
        why_not: why there is no audio, where there is none.
    """
    if sound is None:
        return Decoded(error=why_not or "no audio")
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
    """Decodes recordings ahead, in order, in processes that a damaged file may kill, or in a thread.

    Args:
        processes: that decode; 0 for a thread.
        form: what to make of the recordings.
        ahead: recordings that may be in work.
    """

    def __init__(self, processes: int, form: Form, ahead: int) -> None:
        self._pool, self._form, self._ahead = WorkerPool(processes), form, ahead

    def decoded(self, recordings: Iterable[Recording]) -> Iterator[tuple[Recording, Decoded]]:
        """Each recording with its samples, in the order given."""

        def work(recording: Recording) -> tuple[Sound | None, str, Form, str | None]:
            return recording.sound, recording.path, self._form, recording.error

        for recording, found in self._pool.map(decode, recordings, arguments=work, ahead=self._ahead):
            died = Decoded(error=f"{recording.path}: the process that read it died")
            yield recording, died if isinstance(found, Died) else found

    def close(self) -> None:
        """End the processes."""
        self._pool.close()
