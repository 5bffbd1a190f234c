"""Two files side by side: the metrics, and a picture of both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import atomic_write
from ..audio import convert_channels, read_audio, resample
from ..errors import ConfigError
from ..text import counted
from .metrics import PAIR_METRICS, USUAL_METRICS, Pair, UndefinedMetricError
from .report.pictures import FLOOR_DB, TOP_DB, spectrogram_db

_INK, _ACCENT, _OTHER = "#1f2933", "#0072b2", "#d55e00"


@dataclass(frozen=True)
class Comparison:
    """Two signals in one format, and what was done to bring them there.

    Attributes:
        pair: reference and degraded.
        notes: sentences about conversions, none if the files had one format and length.
        values: metric to value.
        undefined: metric to the reason why it has none.
    """

    pair: Pair
    notes: tuple[str, ...]
    values: dict[str, float]
    undefined: dict[str, str]


def compare(reference_path: str | Path, degraded_path: str | Path, *, kind: str = "other") -> Comparison:
    """Measure a file against a reference.

    The second file is converted to the first one's rate and channels, and the longer is cut to the
    shorter; `notes` tells. Nothing is aligned: a shift by a sample counts.

    Args:
        reference_path: what it should sound like.
        degraded_path: what is judged.
        kind: `"speech"`, `"music"` or `"other"`; it chooses the metrics.

    Raises:
        AudioError: if a file cannot be read.
    """
    reference, rate_hz = read_audio(reference_path)
    degraded, its_rate_hz = read_audio(degraded_path)
    notes = []
    if its_rate_hz != rate_hz:
        degraded = resample(degraded, its_rate_hz, rate_hz)
        notes.append(f"the second file was resampled from {its_rate_hz} to {rate_hz} Hz")
    if degraded.shape[0] != reference.shape[0]:
        notes.append(f"the second file was taken from {degraded.shape[0]} to {counted(reference.shape[0], 'channel')}")
        degraded = convert_channels(degraded, reference.shape[0])
    length = min(reference.shape[1], degraded.shape[1])
    surplus = max(reference.shape[1], degraded.shape[1]) - length
    if surplus:
        which = "first" if reference.shape[1] > length else "second"
        longer = f"{counted(surplus, 'sample')} ({surplus / rate_hz:.3f} s)"
        notes.append(f"the {which} file is longer by {longer}, and its end was left out")
    pair = Pair(reference[:, :length], degraded[:, :length], rate_hz, kind)
    values, undefined = {}, {}
    for key in USUAL_METRICS:
        metric = PAIR_METRICS[key]
        if kind not in metric.kinds:
            continue
        try:
            values[key] = metric.measure(pair)
        except UndefinedMetricError as error:
            undefined[key] = str(error)
    return Comparison(pair, tuple(notes), values, undefined)


def comparison_text(comparison: Comparison) -> str:
    """Metrics as a table for a terminal, with the notes."""
    lines = []
    for key, metric in PAIR_METRICS.items():
        if key in comparison.values:
            lines.append(f"{metric.title:24s} {comparison.values[key]:10.3f} {metric.unit}".rstrip())
        elif key in comparison.undefined:
            lines.append(f"{metric.title:24s} {'-':>10s} {comparison.undefined[key]}")
    return "\n".join(lines + [f"Note: {note}." for note in comparison.notes])


def comparison_picture(comparison: Comparison, path: str | Path, names: tuple[str, str]) -> None:
    """Write a picture (`.png`, `.svg` or `.pdf`): waveforms and spectrograms of both, and their difference in dB.

    Raises:
        ConfigError: for another ending, or without matplotlib.
    """
    ending = Path(path).suffix.lower()
    if ending not in (".png", ".svg", ".pdf"):
        raise ConfigError(f"pictures are written as .png, .svg or .pdf, not as {ending or 'a file without ending'!r}")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("pictures need matplotlib: pip install 'recodec[eval]'") from error
    pair = comparison.pair
    with matplotlib.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(9, 9), layout="constrained")
        rows = figure.subplots(5, 1, sharex=True, gridspec_kw={"height_ratios": [1, 2, 1, 2, 2]})
        levels = []
        for index, (signal, name, colour) in enumerate(
            ((pair.reference, names[0], _ACCENT), (pair.degraded, names[1], _OTHER))
        ):
            _draw_waveform(rows[2 * index], signal, pair.rate_hz, name, colour)
            levels.append(spectrogram_db(signal))
            _draw_levels(figure, rows[2 * index + 1], levels[-1], pair, "magma", (FLOOR_DB, TOP_DB), "dB")
        difference = np.maximum(levels[1], FLOOR_DB) - np.maximum(levels[0], FLOOR_DB)
        _draw_levels(figure, rows[4], difference, pair, "RdBu_r", (-40, 40), "second minus first [dB]")
        rows[4].set_xlabel("time [s]")
        with atomic_write(path) as file:
            figure.savefig(file, format=ending[1:], dpi=130)


def _draw_waveform(axes: Any, signal: np.ndarray, rate_hz: int, name: str, colour: str) -> None:
    mono = signal.mean(0)
    edges = np.linspace(0, len(mono), min(1200, len(mono)) + 1).astype(int)[:-1]
    axes.fill_between(edges / rate_hz, np.minimum.reduceat(mono, edges), np.maximum.reduceat(mono, edges),
                      color=colour, linewidth=0.5)  # fmt: skip
    axes.set_title(name, loc="left", fontweight="bold", color=_INK, fontsize=10, parse_math=False)
    axes.set_ylim(-1, 1)


def _draw_levels(
    figure: Any, axes: Any, levels: np.ndarray, pair: Pair, colours: str, limits: tuple[float, float], label: str
) -> None:
    picture = axes.imshow(levels, origin="lower", aspect="auto", cmap=colours, vmin=limits[0], vmax=limits[1],
                          extent=(0, pair.seconds, 0, pair.rate_hz / 2000), interpolation="nearest")  # fmt: skip
    axes.set_ylabel("kHz")
    figure.colorbar(picture, ax=axes, label=label, pad=0.01)
