"""From outcomes to figures: means with intervals per kind of sound and codec, and terminal tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .bootstrap import Interval, bootstrap_mean
from .clips import KINDS
from .metrics import ALL_METRICS
from .trials import Outcome

FEWER = "(N): a mean over N clips; the metric is not defined for the others, and results.csv says why."


@dataclass(frozen=True)
class Cell:
    """Means over the clips of one kind that went through one codec."""

    kind: str
    codec: str
    family: str
    label: str
    bandwidth_kbps: float | None
    clips: int
    values: dict[str, Interval]

    @property
    def family_label(self) -> str:
        """The label without the setting: the name of a curve."""
        return self.label if self.bandwidth_kbps is None else self.label.rpartition(" ")[0]


def summarize(outcomes: Iterable[Outcome]) -> list[Cell]:
    """One cell for each kind and codec, kinds in their usual order, codecs in the order they came."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.error is None:
            groups.setdefault((outcome.kind, outcome.codec), []).append(outcome)
    cells = []
    for kind in KINDS:
        for (group_kind, _), members in groups.items():
            if group_kind == kind:
                cells.append(_cell(members))
    return cells


def _cell(members: list[Outcome]) -> Cell:
    first = members[0]
    values = {}
    for key in ALL_METRICS:
        found = [m.values[key] for m in members if key in m.values]
        if found:
            values[key] = bootstrap_mean(found)
    return Cell(first.kind, first.codec, first.family, first.label, first.bandwidth_kbps, len(members), values)


def text_table(cells: Sequence[Cell], metrics: Sequence[str]) -> str:
    """Cells as a table for a terminal: one line for each kind and codec, means with half intervals."""
    present = [key for key in metrics if any(key in cell.values for cell in cells)]
    rows = [["kind", "codec", "clips", *(_head(key) for key in present)]]
    for cell in cells:
        rows.append(
            [cell.kind, cell.label, str(cell.clips),
             *(format_interval(cell.values.get(key), cell.clips) for key in present)]
        )  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for index, row in enumerate(rows):
        left = [row[i].ljust(widths[i]) for i in range(2)]
        lines.append("  ".join(left + [row[i].rjust(widths[i]) for i in range(2, len(row))]).rstrip())
        if index == 0:
            lines.append("  ".join("-" * width for width in widths))
    if any(has_fewer(cell, key) for cell in cells for key in present):
        lines += ["", FEWER]
    return "\n".join(lines)


def has_fewer(cell: Cell, key: str) -> bool:
    """Whether a metric is a mean over fewer clips than there are."""
    return key in cell.values and 0 < cell.values[key].count < cell.clips


def format_number(value: float, *, like: float | None = None) -> str:
    """A number with the digits that suit its size, or that of `like`."""
    size = abs(value if like is None else like)
    return f"{value:.{0 if size >= 100 else 1 if size >= 10 else 2}f}"


def format_interval(interval: Interval | None, clips: int | None = None) -> str:
    """Mean and half the width of its interval, as `4.32 ±0.05`; `-` for none.

    Args:
        interval: of the mean.
        clips: how many there are; where the mean is over fewer, their number follows, as in `4.32 ±0.05 (2)`.
    """
    if interval is None or interval.count == 0:
        return "-"
    half = (interval.high - interval.low) / 2
    fewer = f" ({interval.count})" if clips is not None and interval.count < clips else ""
    return f"{format_number(interval.mean)} \u00b1{format_number(half, like=interval.mean)}{fewer}"


def step_times(outcomes: Iterable[Outcome]) -> list[tuple[str, float, float]]:
    """(step, seconds over all processes, share of the whole) of what took time, longest first."""
    totals: dict[str, float] = {}
    for outcome in outcomes:
        for step, seconds in outcome.seconds.items():
            totals[step] = totals.get(step, 0.0) + seconds
    everything = sum(totals.values()) or 1.0
    return sorted(((step, s, s / everything) for step, s in totals.items()), key=lambda item: -item[1])


def time_table(outcomes: Iterable[Outcome]) -> str:
    """`step_times` as a table for a terminal."""
    return "\n".join(f"{step:14s} {s:9.1f} s  {100 * share:5.1f}%" for step, s, share in step_times(outcomes))


def _head(key: str) -> str:
    metric = ALL_METRICS[key]
    arrow = {"higher": " \u2191", "lower": " \u2193", "zero": " \u21920"}.get(metric.better, "")
    unit = f" [{metric.unit}]" if metric.unit else ""
    return f"{metric.title}{unit}{arrow}"
