"""Rate-quality curves as SVG, by matplotlib: one small picture a metric and kind of sound."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from ..metrics import ALL_METRICS
from ..summary import Cell

PALETTE = ("#2a8acb", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31", "#666666")
"""After Okabe and Ito: colour-blind people can tell them apart, on white and on black."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
INK, FAINT = "#1f2933", "#c3cad2"
_SIZE_INCHES = (4.2, 3.0)


def family_styles(cells: Sequence[Cell]) -> dict[str, tuple[str, str]]:
    """(colour, marker) of each family of codecs, in the order they come."""
    families = dict.fromkeys(cell.family for cell in cells)
    return {name: (PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]) for i, name in enumerate(families)}


def curve_svg(cells: Sequence[Cell], metric: str, kind: str, *, title: str | None = None, legend: bool = False) -> str:
    """A picture of a metric over the actual bitrate for one kind of sound.

    A family with bandwidths is a line with error bars (95% intervals); one without is a dashed line
    across. The text stays text, and identifiers differ from picture to picture, so that several fit
    into one page.

    Args:
        cells: of all kinds.
        metric: a key of `ALL_METRICS`.
        kind: of sound.
        title: drawn above it; by default the kind.
        legend: whether to name the families within the picture.

    Returns:
        SVG, or an empty text where no cell has the metric.
    """
    import matplotlib
    from matplotlib.figure import Figure

    styles = family_styles(cells)
    chosen = [cell for cell in cells if cell.kind == kind and metric in cell.values]
    if not chosen:
        return ""
    settings: dict[Any, Any] = {
        "svg.fonttype": "none", "svg.hashsalt": f"{metric} {kind}", "font.family": "sans-serif", "font.size": 10,
        "axes.edgecolor": FAINT, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK,
        "axes.spines.top": False, "axes.spines.right": False,
    }  # fmt: skip
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        axes = figure.subplots()
        for family, (colour, marker) in styles.items():
            _draw_family(axes, [cell for cell in chosen if cell.family == family], metric, colour, marker)
        about = ALL_METRICS[metric]
        axes.set_title(title or kind, fontsize=11, loc="left", fontweight="bold")
        axes.set_xlabel("actual bitrate [kbps]")
        axes.set_ylabel(about.title + (f" [{about.unit}]" if about.unit else ""))
        axes.grid(color=FAINT, linewidth=0.6, alpha=0.6)
        axes.margins(0.06)
        if any(cell.bandwidth_kbps is not None for cell in chosen):
            axes.set_xlim(left=0)
        if legend:
            axes.legend(frameon=False, fontsize=9)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(file.getvalue())


def _draw_family(axes: Any, cells: list[Cell], metric: str, colour: str, marker: str) -> None:
    if not cells:
        return
    points = []
    for cell in cells:
        value = cell.values[metric]
        rate = cell.values.get("kbps")
        if cell.bandwidth_kbps is None or rate is None:
            axes.axhline(value.mean, color=colour, linestyle=(0, (5, 3)), linewidth=1.3, label=cell.label)
        else:
            points.append((rate.mean, value.mean, value.mean - value.low, value.high - value.mean))
    if points:
        x, y, below, above = zip(*sorted(points), strict=True)
        label = cells[0].family_label
        axes.errorbar(x, y, yerr=(below, above), color=colour, marker=marker, markersize=5, linewidth=1.6,
                      elinewidth=1, capsize=2.5, label=label)  # fmt: skip


def _inline(svg: str) -> str:
    """The picture alone: no XML head, no size (that comes from where it stands), no names but those in use."""
    picture = svg[svg.index("<svg") :]
    head, rest = picture.split(">", 1)
    picture = re.sub(r' (width|height)="[^"]*"', "", head) + ">" + rest
    used = set(re.findall(r"#([\w.-]+)", picture))
    return re.sub(r' id="([^"]*)"', lambda match: match.group(0) if match.group(1) in used else "", picture)
