"""Training examples: crops, mixed and reverberated, each a function of its number alone.

Example n of a run is the same whichever process or worker makes it, and whenever: so the position in the data is
one number, a resumed run goes on with the next example, and several processes share a batch without talking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from .augment import equalize, reverberate
from .config import TrainConfig
from .sources import SILENCE, Group, NothingToTrainError, open_groups

TRIES = 8
MUSIC = "music"
_LISTEN_TRIES = 100
_MOST_REASONS = 3


@dataclass(frozen=True)
class Example:
    """(C, T) float32 in [-1, 1], and the recordings that could not serve for it, with reasons.

    With stored codes (see `stored.py`), there are `codes` (K, F) int64 of it and of what is around it; the audio begins
    at the frame `offset` of them.
    """

    audio: np.ndarray
    failed: Mapping[str, str] = field(default_factory=dict)
    codes: np.ndarray | None = None
    offset: int = 0


class Examples(Dataset[Example]):
    """All examples of a run, by number (paper section 4.1).

    Without `mixing` an example is one crop, its group drawn by `group_weights`. With it, one of four kinds is drawn: a
    crop of music; one of something else; the sum of two of any group; the sum of three without music. Each crop has
    a gain of its own. With `reverb_probability` a crop is reverberated first. An example that would clip is drawn
    again, and scaled down if none of `TRIES` does not.

    Args:
        config: of the run.

    Attributes:
        left_out: reasons by the names of recordings that cannot serve.
        seconds: of audio there are.

    Raises:
        AudioError: if there is no audio, or nothing but silence.
        ConfigError: for a place of an unknown kind.
    """

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        model = config.model
        found = open_groups(
            config.data, list(config.group_weights), rate_hz=model.sampling_rate, channels=model.audio_channels,
            crop_samples=config.crop_samples,
        )  # fmt: skip
        self._groups, self.left_out = found.groups, found.left_out
        self.seconds = sum(group.seconds for group in self._groups.values())
        self._weights = {name: config.share_of(name) for name in self._groups}
        self._check_audible()

    def _check_audible(self) -> None:
        """Make sure that there is something to learn from: on silence alone the losses are not numbers.

        Raises:
            NothingToTrainError: if no crop is louder than silence, with the reasons of what could not be read.
        """
        failed: dict[str, str] = {}
        random = np.random.default_rng(self._config.seed)
        for _ in range(_LISTEN_TRIES):
            if rms(self._draw(random, failed)) > SILENCE:
                return
        groups = ", ".join(self._groups)
        few = list(failed.items())[:_MOST_REASONS]
        reasons = "; ".join(reason if name in reason else f"{name}: {reason}" for name, reason in few)
        more = f"; and {len(failed) - _MOST_REASONS} more" if len(failed) > _MOST_REASONS else ""
        raise NothingToTrainError(
            f"none of {_LISTEN_TRIES} crops of the groups {groups} can be learnt from: "
            + (reasons + more or "none is louder than silence"),
            {**self.left_out, **failed},
        )

    def __getitem__(self, number: int) -> Example:
        random = np.random.default_rng((self._config.seed, number))
        failed: dict[str, str] = {}
        audio = np.zeros((self._config.model.audio_channels, self._config.crop_samples), np.float32)
        for _ in range(TRIES):
            audio = self._draw(random, failed)
            if rms(audio) > SILENCE and np.abs(audio).max() <= 1.0:
                break
        return Example(audio / max(1.0, float(np.abs(audio).max())), failed)

    def _draw(self, random: np.random.Generator, failed: dict[str, str]) -> np.ndarray:
        crops = [self._crop(group, random, failed) for group in self._choose(random)]
        return np.stack(crops).sum(0, dtype=np.float32)

    def _choose(self, random: np.random.Generator) -> list[Group]:
        """The groups of the crops that make an example."""
        every, other = list(self._weights), [name for name in self._weights if name != MUSIC]
        if self._config.mixing is None:
            return self._some(every, 1, random)
        kind = int(random.choice(4, p=np.array(self._config.mixing) / sum(self._config.mixing)))
        names = ([MUSIC] if MUSIC in self._weights else every, other, every, other)[kind]
        return self._some(names or every, (1, 1, 2, 3)[kind], random)

    def _some(self, names: list[str], count: int, random: np.random.Generator) -> list[Group]:
        weights = np.array([self._weights[name] for name in names])
        weights = weights if weights.sum() > 0 else np.ones(len(names))
        drawn = random.choice(len(names), count, p=weights / weights.sum())
        return [self._groups[names[i]] for i in drawn]

    def _crop(self, group: Group, random: np.random.Generator, failed: dict[str, str]) -> np.ndarray:
        config = self._config
        crop, speed = None, 1.0
        if config.speed != (1.0, 1.0):  # what is off draws nothing: other choices stay as they were
            speed = float(random.uniform(*config.speed))
        for _ in range(TRIES):
            crop = group.crop(random, failed, speed)
            if crop is not None:
                break
        if crop is None:
            return np.zeros((config.model.audio_channels, config.crop_samples), np.float32)
        if config.normalize_crops:
            crop = crop / max(float(np.abs(crop).max()), SILENCE)
        if config.equalizer_probability and random.random() < config.equalizer_probability:
            crop = equalize(crop, config.model.sampling_rate, random, config.equalizer_db)
        if config.reverb_probability and random.random() < config.reverb_probability:
            crop = reverberate(crop, config.model.sampling_rate, random)
        return crop * np.float32(10.0 ** (random.uniform(*config.gain_db) / 20.0))


def rms(audio: np.ndarray) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(audio**2)))


@dataclass(frozen=True)
class Batch:
    """(B, C, T) audio, and the recordings that could not serve, with reasons; with stored codes, (B, K, F) int64 of
    them, and for each item the frame of them at which its audio begins."""

    audio: torch.Tensor
    failed: Mapping[str, str] = field(default_factory=dict)
    codes: torch.Tensor | None = None
    offsets: tuple[int, ...] = ()


def batches(
    examples: Dataset[Example], size: int, *, first: int, step: int, workers: int = 0, ahead: int = 4
) -> Iterator[Batch]:
    """Batches of examples without end, made ahead of their use in worker processes.

    Args:
        examples: of the run.
        size: B.
        first: number of the first example.
        step: from the first example of a batch to that of the next; examples in between are of other processes.
        workers: processes; 0 to make each batch when it is asked for.
        ahead: batches that each worker makes ahead.
    """
    loader = DataLoader(
        examples,
        batch_sampler=_Numbers(first, size, step),
        collate_fn=_collate,
        num_workers=workers,
        prefetch_factor=ahead if workers else None,
    )
    return iter(loader)


class _Numbers:
    """Numbers of the examples of each batch."""

    def __init__(self, first: int, size: int, step: int) -> None:
        self._first, self._size, self._step = first, size, step

    def __iter__(self) -> Iterator[list[int]]:
        number = self._first
        while True:
            yield list(range(number, number + self._size))
            number += self._step


def _collate(examples: list[Example]) -> Batch:
    audio = torch.from_numpy(np.stack([example.audio for example in examples]))
    failed = {name: reason for example in examples for name, reason in example.failed.items()}
    stored = [example.codes for example in examples if example.codes is not None]
    if not stored:
        return Batch(audio, failed)
    return Batch(audio, failed, torch.from_numpy(np.stack(stored)), tuple(example.offset for example in examples))
