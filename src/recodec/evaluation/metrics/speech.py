"""Metrics of speech that come with packages of their own, and are taken by name only: DNSMOS, and word errors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from .base import Metric, Pair, UndefinedMetricError
from .perceptual import SPEECH_HZ, refuse_silence


def dnsmos(pair: Pair) -> float:
    """DNSMOS P.835 (Reddy et al. 2022, arXiv 2110.01763): overall opinion score, by a network; higher is better.

    By the package `speechmos`, which has the network's weights. It hears what the codec made and not the original,
    whose own score the codec `reference` tells. On the mono mix at 16 kHz; a clip below 9 s is repeated.

    Range: 1 to 5.
    """
    from ...onnx_engine import telemetry  # noqa: F401  # before speechmos imports ONNX Runtime

    from speechmos import dnsmos as judge  # pyright: ignore[reportMissingImports]  # isort: skip

    _, degraded = pair.mono(SPEECH_HZ)
    found: Any = judge.run(np.clip(degraded, -1.0, 1.0), SPEECH_HZ, return_df=False)
    return float(found["ovrl_mos"])


def word_errors(pair: Pair) -> float:
    """Word errors in percent: how many words a recognizer hears otherwise than in the original; lower is better.

    Words replaced, left out and added, of those that the recognizer hears in the original (not of what was said). By
    the package `pocketsphinx` with its English model of 16 kHz, an old and small recognizer: the figure says little on
    one clip, and nothing on other languages. On the mono mix.

    Range: 0 and above; words that are added can make it more than 100.

    Raises:
        UndefinedMetricError: if the original is silent, or the recognizer hears no words in it.
    """
    reference, degraded = pair.mono(SPEECH_HZ)
    refuse_silence(reference, "the number of word errors")
    said = pair.of_reference("words", lambda: _words(reference))
    if not said:
        raise UndefinedMetricError("the recognizer hears no words in the original")
    return 100 * word_distance(said, _words(degraded)) / len(said)


def word_distance(first: Sequence[str], second: Sequence[str]) -> int:
    """The fewest words to replace, leave out and add to make one list of the other (Levenshtein)."""
    above = list(range(len(second) + 1))
    for row, word in enumerate(first, 1):
        here = [row]
        for column, other in enumerate(second, 1):
            here.append(min(above[column] + 1, here[-1] + 1, above[column - 1] + (word != other)))
        above = here
    return above[-1]


def _words(audio: np.ndarray) -> list[str]:
    samples = np.round(np.clip(audio, -1.0, 1.0) * 32767).astype("<i2")
    recognizer = _recognizer()
    recognizer.reinit_feat()  # else what it heard before would have a share in what it hears now
    recognizer.start_utt()
    recognizer.process_raw(samples.tobytes(), full_utt=True)
    recognizer.end_utt()
    found = recognizer.hyp()
    return [] if found is None else found.hypstr.split()


@cache
def _recognizer() -> Any:
    from pocketsphinx import Decoder  # pyright: ignore[reportMissingImports]

    return Decoder(samprate=SPEECH_HZ, loglevel="FATAL")


DNSMOS = Metric[Pair](
    "dnsmos", "DNSMOS overall", "MOS", 1.0, 5.0, "higher",
    "Opinion score of speech predicted by a network that hears the decoded audio alone.",
    "Reddy et al. 2022, arXiv 2110.01763, by speechmos", dnsmos, ("speech",), ("speechmos", "librosa", "requests"),
)  # fmt: skip
WORD_ERRORS = Metric[Pair](
    "word_errors", "Word errors", "%", 0.0, float("inf"), "lower",
    "Words that a recognizer hears otherwise than in the original, in percent of those.",
    "Levenshtein distance of what pocketsphinx hears (English)", word_errors, ("speech",), ("pocketsphinx",),
)  # fmt: skip
