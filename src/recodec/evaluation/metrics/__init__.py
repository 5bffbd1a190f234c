"""Metrics, each with definition, range, direction and source: see `PAIR_METRICS` and `STREAM_METRICS`."""

from typing import Any

from ..codecs.base import Coded
from .base import Metric, Pair, UndefinedMetricError
from .perceptual import ESTOI, PESQ, STOI, VISQOL
from .spectral import LEVELS, LSD, MEL
from .speech import DNSMOS, WORD_ERRORS
from .stream import DECODE_SPEED, ENCODE_SPEED, ENTROPY_KBPS, KBPS
from .waveform import LOUDNESS, SI_SNR

PAIR_METRICS: dict[str, Metric[Pair]] = {
    metric.key: metric
    for metric in (VISQOL, PESQ, STOI, ESTOI, SI_SNR, MEL, LSD, LOUDNESS, *LEVELS, DNSMOS, WORD_ERRORS)
}
"""Metrics of a degraded signal against its reference, by key."""

USUAL_METRICS: tuple[str, ...] = tuple(key for key, metric in PAIR_METRICS.items() if not metric.packages)
"""Keys of those that are taken where none is asked for."""

STREAM_METRICS: dict[str, Metric[Coded]] = {
    metric.key: metric for metric in (KBPS, ENTROPY_KBPS, ENCODE_SPEED, DECODE_SPEED)
}
"""Metrics of the stream and of the time it took; always measured."""

ALL_METRICS: dict[str, Metric[Any]] = {**STREAM_METRICS, **PAIR_METRICS}

__all__ = [
    "ALL_METRICS", "PAIR_METRICS", "STREAM_METRICS", "USUAL_METRICS", "Metric", "Pair", "UndefinedMetricError",
]  # fmt: skip
