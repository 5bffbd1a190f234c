"""What a metric is: a number with a definition, a range, a direction and a source."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from ...audio import resample
from ...errors import AudioError
from ..clips import KINDS

Subject = TypeVar("Subject")
Feature = TypeVar("Feature")


class UndefinedMetricError(AudioError):
    """A metric that has no value for these signals (silence, too short); the message says why."""


@dataclass(frozen=True)
class Metric(Generic[Subject]):
    """One metric.

    Attributes:
        key: its name in tables and on the command line.
        title: its name for people.
        unit: of its values; empty for a ratio.
        low, high: the range of its values; infinite where it has no end.
        better: `"higher"`, `"lower"`, `"zero"` (the nearer to 0 the better), or `"none"`.
        kinds: kinds of sound for which it means something.
        definition: one sentence.
        source: publication, standard or package.
        measure: from a `Pair` (or a `Coded`) to the value; raises `UndefinedMetricError`.
        packages: that the extra `speech` brings for it. A metric with some is taken only if it is asked for.
    """

    key: str
    title: str
    unit: str
    low: float
    high: float
    better: str
    definition: str
    source: str
    measure: Callable[[Subject], float] = field(repr=False)
    kinds: tuple[str, ...] = KINDS
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """A reference and what a codec made of it: both (C, T), sample by sample in step.

    Attributes:
        reference, degraded: (C, T) of floating-point numbers.
        rate_hz: their sampling rate.
        kind: `"speech"`, `"music"` or `"other"`.
        features: what metrics remember of the reference; pairs of one reference may share it.

    Raises:
        AudioError: if the two differ in shape, are empty, or hold something that is not finite.
    """

    reference: np.ndarray
    degraded: np.ndarray
    rate_hz: int
    kind: str = "other"
    features: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)
    _degraded: dict[int, np.ndarray] = field(default_factory=dict, repr=False, compare=False, init=False)

    def __post_init__(self) -> None:
        for name, signal in (("reference", self.reference), ("degraded", self.degraded)):
            if signal.ndim != 2 or signal.size == 0:
                raise AudioError(f"the {name} must be (channels, samples) with a sample, got shape {signal.shape}")
            if not np.isfinite(signal).all():
                raise AudioError(f"the {name} holds samples that are not finite")
        if self.reference.shape != self.degraded.shape:
            raise AudioError(
                f"reference and degraded must have one shape, got {self.reference.shape} and {self.degraded.shape}"
            )

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.reference.shape[-1] / self.rate_hz

    def mono(self, rate_hz: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Reference and degraded (T,) float64, mixed down by the mean, at another rate if asked for."""
        rate_hz = self.rate_hz if rate_hz is None else rate_hz
        reference = self.of_reference(("mono", rate_hz), lambda: self._mono(self.reference, rate_hz))
        if rate_hz not in self._degraded:
            self._degraded[rate_hz] = self._mono(self.degraded, rate_hz)
        return reference, self._degraded[rate_hz]

    def of_reference(self, key: Hashable, make: Callable[[], Feature]) -> Feature:
        """What `make` computes of the reference alone; once for all pairs that share `features`."""
        if key not in self.features:
            self.features[key] = make()
        return self.features[key]

    def _mono(self, signal: np.ndarray, rate_hz: int) -> np.ndarray:
        mono = signal.mean(0, keepdims=True)
        if rate_hz != self.rate_hz:
            mono = resample(mono.astype(np.float32), self.rate_hz, rate_hz)
        return mono[0].astype(np.float64)
