"""Training examples with stored codes: crops of what `recodec tokenize` wrote, with the audio that it was made of.

A row of codes and a recording belong together by their id, which is the same because both come from `list_input`. That
the codes are those of the model, and of that recording, is checked by the fingerprint and by the number of samples.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
from torch.utils.data import Dataset

from ..audio import Mixer, resample, resampled_length
from ..audio.samples import Samples
from ..config import EncodecConfig
from ..corpus import Entry, list_input, place_of, stretches_of
from ..errors import AudioError, ConfigError, RecodecError
from ..model.encodec import EncodecModel
from ..text import counted, system_reason
from .codes import group_of, read_rows
from .config import TrainConfig
from .data import TRIES, Example, rms
from .sources import EVERYTHING, SILENCE, SILENT, SampleShard, Silence, Source, is_silent

_GUARD_FRAMES = 12  # around a stretch that is resampled: its filter is shorter


class StoredExamples(Dataset[Example]):
    """All examples of a run with stored codes, by number: each is a crop of one group's tape of clips.

    Args:
        config: of the run; `start` is the model that the codes were made with.

    Attributes:
        left_out: reasons by the names of recordings that cannot serve.
        seconds: of audio there are.

    Raises:
        ConfigError: if there are no codes, or they belong to another model or other audio.
        CorruptError: for damaged shards of codes.
    """

    def __init__(self, config: TrainConfig) -> None:
        self._config, self.left_out = config, dict[str, str]()
        clips: dict[str, list[tuple[Source, np.ndarray]]] = {}
        for group, source, codes in _matched(config, self.left_out):
            clips.setdefault(group, []).append((source, codes))
        tapes = {name: Tape(clips[name], config) for name in sorted(clips)}
        for name, tape in tapes.items():
            if not tape.is_enough:
                self.left_out[f"the group {name}"] = (
                    f"it has {counted(tape.num_frames, 'frame')} of codes, less than a crop"
                )
        long = {name: tape for name, tape in tapes.items() if tape.is_enough}
        self._tapes = {
            name: tape for name, tape in long.items() if name != EVERYTHING and config.share_of(name) > 0
        } or long
        if not self._tapes:
            reason = "; ".join(f"{name}: {why}" for name, why in list(self.left_out.items())[-2:])
            raise ConfigError(
                f"no recording of {config.data} has codes in {config.codes} that can serve: recodec tokenize must have "
                f"read the same place{reason and f' ({reason})'}"
            )
        weights = np.array([config.share_of(name) for name in self._tapes])
        self._chances = weights / weights.sum()
        frames = sum(tape.num_frames for tape in self._tapes.values())
        self.seconds = frames * config.model.hop_length / config.model.sampling_rate

    def __getitem__(self, number: int) -> Example:
        random = np.random.default_rng((self._config.seed, number))
        failed: dict[str, str] = {}
        tapes = list(self._tapes.values())
        example = Example(np.zeros(0, np.float32))
        for _ in range(TRIES):
            tape = tapes[random.choice(len(tapes), p=self._chances)]
            example = tape.crop(random, failed)
            if rms(example.audio) > SILENCE:
                break
        return Example(example.audio, failed, example.codes, example.offset)


class Tape:
    """Clips laid end to end, with their codes in memory (8.6 MB an hour of 16 codebooks).

    A crop may reach over the end of a clip, as with shards of samples: many clips are shorter than a crop. Around it
    there are codes that the decoder hears and no loss is computed on: `context_frames` before, and after it as many as
    the decoder looks ahead. At either end of the tape they are what is there.

    Args:
        clips: recordings, and codes (K, F) of each.
        config: of the run.
    """

    def __init__(self, clips: Sequence[tuple[Source, np.ndarray]], config: TrainConfig) -> None:
        self._sources = [source for source, _ in clips]
        self._silence = Silence(self._sources)
        self._codes = np.concatenate([codes for _, codes in clips], axis=1)
        self._starts = [0, *accumulate(codes.shape[1] for _, codes in clips)]
        self._model, self._context = config.model, config.context_frames
        self._crop = config.crop_samples // config.model.hop_length
        shape = config.spectral_model
        ahead = shape.look_ahead_frames + shape.parts // 2 if config.trains_spectral else 0
        self._span = self._context + self._crop + ahead

    @property
    def num_frames(self) -> int:
        """Of all clips."""
        return self._starts[-1]

    @property
    def is_enough(self) -> bool:
        """Whether there is a crop in it."""
        return self.num_frames >= self._span

    def crop(self, random: np.random.Generator, failed: dict[str, str]) -> Example:
        """A random one; silence where a recording cannot be read. It, and one that is silent from its start to its end,
        are added to `failed` with their reasons."""
        start = int(random.integers(self.num_frames - self._crop + 1))
        begin = min(max(0, start - self._context), self.num_frames - self._span)
        codes = self._codes[:, begin : begin + self._span].astype(np.int64)
        return Example(self._audio(start, failed), {}, codes, start - begin)

    def _audio(self, start: int, failed: dict[str, str]) -> np.ndarray:
        """(C, T) of the crop that begins at that frame."""
        parts, frame, end = [], start, start + self._crop
        while frame < end:
            number = bisect.bisect_right(self._starts, frame) - 1
            stop = min(end, self._starts[number + 1])
            source = self._sources[number]
            try:
                parts.append(read_frames(source, frame - self._starts[number], stop - frame, self._model))
                if is_silent(parts[-1]) and self._silence.fills(number):
                    failed[source.name] = SILENT
            except AudioError as error:
                failed[source.name] = str(error)
                return np.zeros((self._model.audio_channels, self._crop * self._model.hop_length), np.float32)
            frame = stop
        return np.concatenate(parts, axis=1)


def read_frames(source: Source, first: int, count: int, model: EncodecConfig) -> Samples:
    """Audio (C, count * hop) of some frames of a recording, at the model's rate; zeros after the recording's end.

    A recording at another rate is read from a frame on that begins at a whole sample of it, and with something around
    it, so that the samples are those of the whole recording, resampled.

    Raises:
        AudioError: if it cannot be read, or ends before it should.
    """
    hop, rate, own = model.hop_length, model.sampling_rate, source.rate_hz
    if own == rate:
        begin, start, end = first, first * hop, (first + count) * hop
    else:
        grid = rate // math.gcd(rate, hop * own)
        begin = max(0, first - _GUARD_FRAMES) // grid * grid
        start = begin * hop * own // rate
        end = -(-(first + count + _GUARD_FRAMES) * hop * own // rate)
    wanted = min(end, source.num_samples) - start
    audio = source.read(start, wanted)
    if audio.shape[1] < wanted:
        raise AudioError(f"{source.name} ends at sample {start + audio.shape[1]}")
    mixed = Mixer(len(audio), model.audio_channels, mask=source.places, name=source.name)(audio)
    found = resample(mixed, own, rate)[:, (first - begin) * hop :][:, : count * hop]
    return np.pad(found, ((0, 0), (0, count * hop - found.shape[1])))


# ---- matching ------------------------------------------------------------------------------------------


def _matched(config: TrainConfig, left_out: dict[str, str]) -> Iterator[tuple[str, Source, np.ndarray]]:
    """Group, recording and codes (K, F) int16 of all recordings that have codes."""
    if config.start is None:
        raise ConfigError(
            "stored codes need the model that they were made with: the setting start, or recodec finetune"
        )
    model = EncodecModel.from_pretrained(config.start)
    makers = (model.fingerprint(), *model.config.also_decodes)
    names = list(config.group_weights)
    if isinstance(config.data, str):
        places = [(None, config.data, str(config.codes))]
    else:
        assert not isinstance(config.codes, str)
        folders = dict(config.codes or {})
        if missing := [name for name in config.data if name not in folders]:
            raise ConfigError(f"codes names no folder for the group {missing[0]} of data")
        places = [(name, place, folders[name]) for name, place in config.data.items()]
    for name, place, folder in places:
        rows = _rows(folder, config.model, makers, names)
        for id, source in _recordings(place, config.model, left_out):
            group, codes, num_samples = rows.pop(id, ("", np.zeros((0, 0)), 0))
            length = resampled_length(source.num_samples, source.rate_hz, config.model.sampling_rate)
            if not codes.size:
                left_out[source.name] = f"{folder} has no codes of {id}"
            elif length != num_samples or codes.shape[1] != config.model.frames_for(length):
                left_out[source.name] = (
                    f"it has {counted(length, 'sample')}, and its codes in {folder} are of {num_samples}"
                )
            else:
                yield name or group, source, codes


def _rows(
    folder: str, model: EncodecConfig, makers: Sequence[str], groups: Sequence[str]
) -> dict[str, tuple[str, np.ndarray, int]]:
    """By id: group, codes (K, F) int16, and the number of samples that they are of."""
    return {
        str(row["id"]): (group_of(row, groups), codes.astype(np.int16), int(row["num_samples"]))
        for row, codes in read_rows(folder, model, makers)
    }


def _recordings(place: str, model: EncodecConfig, left_out: dict[str, str]) -> Iterator[tuple[str, Source]]:
    """Ids and recordings of a corpus; clips of shards of samples without reading them."""
    try:
        entries = list_input(place).entries
    except OSError as error:
        raise ConfigError(f"{place} cannot be read: {system_reason(error)}") from error
    except RecodecError as error:
        raise ConfigError(f"{error}, in the setting data") from error
    for entry in entries:
        if entry.kind == "samples":
            yield from _clip(entry, left_out)
        else:
            for source in stretches_of([entry], model.audio_channels, left_out):
                yield source.id, source


def _clip(entry: Entry, left_out: dict[str, str]) -> Iterator[tuple[str, Source]]:
    try:
        begin, count, rate_hz = place_of(entry)
    except ValueError as error:
        left_out[entry.id] = f"the index of its shard is damaged: {error}"
        return
    yield entry.id, SampleShard(Path(entry.path), count, rate_hz, begin=begin)
