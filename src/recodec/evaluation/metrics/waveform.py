"""Metrics of the waveform itself: SI-SNR and the difference in loudness."""

from __future__ import annotations

import math

import numpy as np

from .base import Metric, Pair, UndefinedMetricError

SI_SNR_LIMIT_DB = 100.0
ABSOLUTE_GATE_LUFS = -70.0
GATE_BLOCK_S = 0.4


def si_snr(pair: Pair) -> float:
    """Scale-invariant signal-to-noise ratio in dB, averaged over channels; higher is better.

    With both signals freed of their mean, s = (<x^, x> / |x|^2) x is the part of the degraded x^
    that is the reference x, and the ratio is 10 log10(|s|^2 / |x^ - s|^2) (Luo and Mesgarani 2019,
    arXiv 1809.07454, equation in section II-C). It does not change with the gain of either signal.

    Range: -100 to 100 dB; beyond it the value is cut off, so that equal signals give 100 and a
    degraded signal with nothing of the reference in it, silence too, gives -100.

    Raises:
        UndefinedMetricError: if a channel of the reference is constant.
    """
    values = [_si_snr_channel(x, y) for x, y in zip(pair.reference, pair.degraded, strict=True)]
    return float(np.mean(values))


def _si_snr_channel(reference: np.ndarray, degraded: np.ndarray) -> float:
    x = reference.astype(np.float64)
    y = degraded.astype(np.float64)
    x -= x.mean()
    y -= y.mean()
    power = float(x @ x)
    if power <= 1e-20 * len(x):
        raise UndefinedMetricError("SI-SNR is undefined for a silent reference")
    target = (float(y @ x) / power) * x
    noise = y - target
    signal_power, noise_power = float(target @ target), float(noise @ noise)
    limit = 10 ** (SI_SNR_LIMIT_DB / 10)
    if signal_power * limit <= noise_power or signal_power == 0.0:
        return -SI_SNR_LIMIT_DB
    if noise_power * limit <= signal_power:
        return SI_SNR_LIMIT_DB
    return 10 * math.log10(signal_power / noise_power)


def loudness_difference(pair: Pair) -> float:
    """Integrated loudness of the degraded signal minus that of the reference, in LU; best is 0.

    Loudness after ITU-R BS.1770-4 (K-weighting, gated blocks of 400 ms), by `pyloudnorm`, whose
    filters are within 0.1 dB of the standard's table. What the absolute gate of -70 LUFS removes
    wholly counts as -70, so that silence has a value too.

    Range: without end; a gain of g dB gives g.

    Raises:
        UndefinedMetricError: for signals below 0.4 s, one gating block.
    """
    if pair.seconds < GATE_BLOCK_S:
        raise UndefinedMetricError(f"loudness needs {GATE_BLOCK_S} s, got {pair.seconds:.3f} s")
    import pyloudnorm

    meter = pyloudnorm.Meter(pair.rate_hz)

    def loudness(signal: np.ndarray) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = meter.integrated_loudness(signal.T.astype(np.float64))
        return max(value, ABSOLUTE_GATE_LUFS) if not math.isnan(value) else ABSOLUTE_GATE_LUFS

    return float(loudness(pair.degraded) - loudness(pair.reference))


SI_SNR = Metric[Pair](
    "si_snr", "SI-SNR", "dB", -SI_SNR_LIMIT_DB, SI_SNR_LIMIT_DB, "higher",
    "Power of the reference within the degraded signal over the power of the rest, whatever the gain.",
    "Luo and Mesgarani 2019, arXiv 1809.07454", si_snr,
)  # fmt: skip
LOUDNESS = Metric[Pair](
    "loudness_diff", "Loudness difference", "LU", -math.inf, math.inf, "zero",
    "Integrated loudness of the degraded signal minus that of the reference.",
    "ITU-R BS.1770-4, by pyloudnorm", loudness_difference,
)  # fmt: skip
