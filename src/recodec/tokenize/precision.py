"""What half precision costs: how many codes become others, measured on the data set itself."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..codec import Codec
from ..corpus import Entry, read_entry
from .decoding import Form, decode
from .job import ModelChoice

MEASURED_CLIPS = 16
MEASURED_S = 120.0


@dataclass(frozen=True)
class Mismatch:
    """Codes of half precision against those of fp32.

    Attributes:
        codes: that were compared.
        percent: of them that differ.
        by_codebook: the same for each codebook, coarsest first. One that differs lets those after it differ, too.
    """

    codes: int
    percent: float
    by_codebook: list[float]

    def __str__(self) -> str:
        return f"{self.percent:.2f}% of {self.codes} codes differ from fp32 (first codebook {self.by_codebook[0]:.2f}%)"


def measure(model: ModelChoice, half: Codec, entries: Sequence[Entry], num_quantizers: int, long_s: float) -> Mismatch:
    """Encode the first good clips of a data set in both precisions.

    Args:
        model: in half precision.
        half: the same, loaded.
        entries: of the data set.
        num_quantizers: codebooks K.
        long_s: clips that are longer are left out.
    """
    exact = Codec.of_choice(replace(model, dtype="fp32"))
    form = Form(half.sampling_rate, half.config.audio_channels, round(long_s * half.sampling_rate))
    differ, count, seconds = np.zeros(num_quantizers), 0, 0.0
    clips = (clip for entry in entries for clip in read_entry(entry))
    for clip in itertools.islice(clips, 4 * MEASURED_CLIPS):
        audio = None if clip.sound is None else decode(clip.sound, clip.path, form).audio
        if audio is None:
            continue
        a, _ = half.encode(audio, num_quantizers=num_quantizers)
        b, _ = exact.encode(audio, num_quantizers=num_quantizers)
        differ += (a != b).sum(axis=1)
        count += a.shape[1]
        seconds += audio.shape[1] / half.sampling_rate
        if seconds >= MEASURED_S:
            break
    shares = 100 * differ / max(1, count)
    return Mismatch(count * num_quantizers, round(float(shares.mean()), 4), [round(float(x), 4) for x in shares])
