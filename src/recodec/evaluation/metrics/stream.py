"""Metrics of the stream: bitrates counted from bytes, and speed."""

from __future__ import annotations

import math

from ..codecs.base import Coded
from .base import Metric, UndefinedMetricError


def payload_kbps(coded: Coded) -> float:
    """Bits of the coded audio per second of sound, in kbps, without headers and container.

    Raises:
        UndefinedMetricError: for an anchor, as all metrics of the stream.
    """
    return _kbps(coded.encoded.payload_bytes, coded)


def entropy_kbps(coded: Coded) -> float:
    """As `payload_kbps`, after entropy coding.

    Raises:
        UndefinedMetricError: for a codec without it.
    """
    count = coded.encoded.count_entropy_bytes
    return _kbps(None if count is None else count(), coded)


def _kbps(size_bytes: int | None, coded: Coded) -> float:
    if size_bytes is None:
        raise UndefinedMetricError("there are no such bytes to count")
    return size_bytes * 8 / 1000 / coded.seconds


def encode_speed(coded: Coded) -> float:
    """Seconds of audio encoded in one second; above 1 is faster than real time."""
    return _speed(coded.encode_s, coded)


def decode_speed(coded: Coded) -> float:
    """Seconds of audio decoded in one second; above 1 is faster than real time."""
    return _speed(coded.decode_s, coded)


def _speed(spent_s: float, coded: Coded) -> float:
    if coded.encoded.payload_bytes is None:
        raise UndefinedMetricError("an anchor is not a codec")
    return coded.seconds / max(spent_s, 1e-9)


_COUNTED = "counted from the bytes of the stream"
_CLOCK = "wall clock of one process with one thread, resampling excluded"

KBPS = Metric[Coded](
    "kbps", "Bitrate", "kbps", 0.0, math.inf, "lower",
    "Bits of coded audio per second, without headers and container.", _COUNTED, payload_kbps,
)  # fmt: skip
ENTROPY_KBPS = Metric[Coded](
    "kbps_entropy", "Bitrate, entropy coded", "kbps", 0.0, math.inf, "lower",
    "The same after entropy coding, for codecs that have it.", _COUNTED, entropy_kbps,
)  # fmt: skip
ENCODE_SPEED = Metric[Coded](
    "encode_speed", "Encoding speed", "x real time", 0.0, math.inf, "higher",
    "Seconds of audio encoded in a second.", _CLOCK, encode_speed,
)  # fmt: skip
DECODE_SPEED = Metric[Coded](
    "decode_speed", "Decoding speed", "x real time", 0.0, math.inf, "higher",
    "Seconds of audio decoded in a second.", _CLOCK, decode_speed,
)  # fmt: skip
