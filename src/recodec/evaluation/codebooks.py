"""Use and entropy of codebooks, over all clips of a codec."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .trials import Outcome


@dataclass(frozen=True)
class LevelUse:
    """How one codebook was used.

    Attributes:
        codec, label: whose it is.
        level: 1 is the coarsest.
        codes: codes counted.
        used: share of the entries that came at least once, 0 to 1. It can only reach 1 if there are
            more codes than entries: look at `codes` before calling an entry dead.
        entropy_bits: -sum p log2 p of the observed frequencies, 0 to log2 N; the bits a code would
            cost if each were coded by its frequency alone. Observed frequencies of few codes
            underestimate it.
        nominal_bits: log2 N, what a code costs without entropy coding.
    """

    codec: str
    label: str
    level: int
    codes: int
    used: float
    entropy_bits: float
    nominal_bits: float


def codebook_use(outcomes: Iterable[Outcome]) -> list[LevelUse]:
    """One entry for each codec with codebooks and each of its levels."""
    totals: dict[str, list[np.ndarray]] = {}
    labels: dict[str, str] = {}
    for outcome in outcomes:
        if not outcome.codebook_size:
            continue
        size = outcome.codebook_size
        levels = totals.setdefault(outcome.codec, [np.zeros(size, np.int64) for _ in outcome.code_counts])
        labels[outcome.codec] = outcome.label
        for total, counts in zip(levels, outcome.code_counts, strict=True):
            total[[int(code) for code in counts]] += list(counts.values())
    return [
        _use(codec, labels[codec], number, counts)
        for codec, levels in totals.items()
        for number, counts in enumerate(levels, 1)
    ]


def _use(codec: str, label: str, level: int, counts: np.ndarray) -> LevelUse:
    used = counts[counts > 0]
    return LevelUse(
        codec, label, level, int(used.sum()), len(used) / len(counts), entropy_bits(counts), float(np.log2(len(counts)))
    )


def entropy_bits(counts: np.ndarray) -> float:
    """Entropy in bits of frequencies given as counts; 0 without any count."""
    found = counts[counts > 0]
    if found.size == 0:
        return 0.0
    share = found / found.sum()
    return float(-(share * np.log2(share)).sum()) + 0.0
