"""From outcomes to figures: means with intervals per kind of sound and codec, and terminal tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .bootstrap import Interval, bootstrap_mean
from .clips import KINDS
from .jobs import Outcome
from .metrics import ALL_METRICS


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
            [cell.kind, cell.label, str(cell.clips), *(format_interval(cell.values.get(key)) for key in present)]
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for index, row in enumerate(rows):
        left = [row[i].ljust(widths[i]) for i in range(2)]
        lines.append("  ".join(left + [row[i].rjust(widths[i]) for i in range(2, len(row))]).rstrip())
        if index == 0:
            lines.append("  ".join("-" * width for width in widths))
    return "\n".join(lines)


def format_interval(interval: Interval | None) -> str:
    """`4.32 +-0.05`: the mean and half of the interval's width; `-` for none."""
    if interval is None or interval.count == 0:
        return "-"
    half = (interval.high - interval.low) / 2
    digits = 0 if abs(interval.mean) >= 1000 else 1 if abs(interval.mean) >= 100 else 2
    return f"{interval.mean:.{digits}f} \u00b1{half:.{digits}f}"


def time_table(outcomes: Iterable[Outcome]) -> str:
    """What took the time: total seconds and share of each step, over all processes, largest first."""
    totals: dict[str, float] = {}
    for outcome in outcomes:
        for step, seconds in outcome.seconds.items():
            totals[step] = totals.get(step, 0.0) + seconds
    everything = sum(totals.values()) or 1.0
    ranked = sorted(totals.items(), key=lambda item: -item[1])
    return "\n".join(f"{step:14s} {seconds:9.1f} s  {100 * seconds / everything:5.1f}%" for step, seconds in ranked)


def _head(key: str) -> str:
    metric = ALL_METRICS[key]
    arrow = {"higher": " \u2191", "lower": " \u2193", "zero": " \u21920"}.get(metric.better, "")
    unit = f" [{metric.unit}]" if metric.unit else ""
    return f"{metric.title}{unit}{arrow}"
