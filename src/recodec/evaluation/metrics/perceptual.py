"""Metrics that model a listener, each by its reference package: ViSQOL, PESQ, STOI."""

from __future__ import annotations

import logging
import warnings
from functools import cache
from typing import Any

import numpy as np

from .base import Metric, Pair, UndefinedMetricError

SPEECH_HZ, AUDIO_HZ = 16_000, 48_000


def visqol(pair: Pair) -> float:
    """ViSQOL v3 (Chinen et al. 2020, arXiv 2004.09584): predicted mean opinion score; higher is better.

    By `visqol-python`. Speech is judged in speech mode at 16 kHz with the polynomial mapping, all else
    in audio mode at 48 kHz. On the mono mix. The polynomial is chosen by name, so that figures do not
    depend on whether the optional lattice model happens to be installed.

    Range: 1 to 5 (audio mode ends at about 4.73).

    Raises:
        UndefinedMetricError: for a silent reference, or signals too short for a single patch.
    """
    speech = pair.kind == "speech"
    rate_hz = SPEECH_HZ if speech else AUDIO_HZ
    reference, degraded = pair.mono(rate_hz)
    refuse_silence(reference, "ViSQOL")
    try:
        with np.errstate(all="ignore"):
            value = _visqol_api("speech" if speech else "audio").measure_from_arrays(reference, degraded, rate_hz)
    except (ValueError, IndexError, RuntimeError, ZeroDivisionError) as error:
        raise UndefinedMetricError(f"ViSQOL: {error}") from error
    if not np.isfinite(value.moslqo):
        raise UndefinedMetricError("ViSQOL found nothing to compare")
    return float(value.moslqo)


@cache
def _visqol_api(mode: str) -> Any:
    from visqol import VisqolApi

    logging.getLogger("visqol").setLevel(logging.ERROR)
    api = VisqolApi()
    api.create(mode=mode, use_lattice_model=False)
    return api


def pesq_wideband(pair: Pair) -> float:
    """PESQ, wide band (ITU-T P.862.2): predicted mean opinion score of speech; higher is better.

    By the package `pesq`, which wraps the ITU's code. On the mono mix at 16 kHz.

    Range: 0.999 to 4.644, the ends of the mapping of P.862.2.

    Raises:
        UndefinedMetricError: for signals without speech, or below a quarter of a second.
    """
    import pesq

    reference, degraded = pair.mono(SPEECH_HZ)
    refuse_silence(reference, "PESQ")
    try:
        return float(pesq.pesq(SPEECH_HZ, reference, degraded, "wb"))
    except (pesq.PesqError, ValueError) as error:
        raise UndefinedMetricError(f"PESQ: {_text(error)}") from error


def stoi(pair: Pair) -> float:
    """Short-time objective intelligibility (Taal et al. 2011, IEEE TASLP 19(7)); higher is better.

    By the package `pystoi`. On the mono mix, at 10 kHz inside.

    Range: about 0 to 1.

    Raises:
        UndefinedMetricError: with less than 30 frames (384 ms) of speech.
    """
    return _stoi(pair, extended=False)


def extended_stoi(pair: Pair) -> float:
    """Extended STOI (Jensen and Taal 2016, IEEE TASLP 24(11)); otherwise as `stoi`."""
    return _stoi(pair, extended=True)


def _stoi(pair: Pair, *, extended: bool) -> float:
    from pystoi import stoi as measure

    reference, degraded = pair.mono(SPEECH_HZ)
    refuse_silence(reference, "STOI")
    # pystoi adds tiny noise from NumPy's global generator: pin it, and put it back.
    before = np.random.get_state()
    np.random.seed(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            return float(measure(reference, degraded, SPEECH_HZ, extended=extended))
    except (RuntimeWarning, ValueError) as error:
        raise UndefinedMetricError("STOI needs 30 frames (384 ms) of speech") from error
    finally:
        np.random.set_state(before)


def refuse_silence(reference: np.ndarray, name: str) -> None:
    """For metrics that compare with something.

    Raises:
        UndefinedMetricError: for a reference that is silent throughout.
    """
    if not np.any(np.abs(reference) > 1e-10):
        raise UndefinedMetricError(f"{name} is undefined for a silent reference")


def _text(error: Exception) -> str:
    first = error.args[0] if error.args else error
    return first.decode("ascii", "replace") if isinstance(first, bytes) else str(first)


VISQOL = Metric[Pair](
    "visqol", "ViSQOL", "MOS-LQO", 1.0, 5.0, "higher",
    "Opinion score predicted from the similarity of gammatone spectrograms (speech mode for speech).",
    "Chinen et al. 2020, arXiv 2004.09584, by visqol-python", visqol,
)  # fmt: skip
PESQ = Metric[Pair](
    "pesq_wb", "PESQ wide band", "MOS-LQO", 0.999, 4.644, "higher",
    "Opinion score of speech predicted from a model of loudness in time and frequency.",
    "ITU-T P.862.2, by pesq", pesq_wideband, ("speech",),
)  # fmt: skip
STOI = Metric[Pair](
    "stoi", "STOI", "", 0.0, 1.0, "higher",
    "Correlation of short-time envelopes in third octaves: how much of the speech is understood.",
    "Taal et al. 2011, IEEE TASLP 19(7), by pystoi", stoi, ("speech",),
)  # fmt: skip
ESTOI = Metric[Pair](
    "estoi", "Extended STOI", "", 0.0, 1.0, "higher",
    "As STOI, with correlation over bands as well, for noise that changes with time.",
    "Jensen and Taal 2016, IEEE TASLP 24(11), by pystoi", extended_stoi, ("speech",),
)  # fmt: skip
