"""The report: one page with curves, players, tables and definitions, for `recodec evaluate`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ... import __version__
from ...audio import read_audio
from ...text import counted
from ...versions import ENGINES, versions_of
from ..bootstrap import Interval
from ..clips import KINDS
from ..codebooks import codebook_use
from ..metrics import ALL_METRICS, PAIR_METRICS, Metric
from ..summary import Cell, format_number, step_times, summarize
from ..trials import Outcome
from ..web import render, script_json
from .curves import FAINT, INK, curve_svg, family_styles
from .pictures import data_uri, spectrogram_image, waveform_path

METRIC_PACKAGES = ("visqol-python", "pesq", "pystoi", "scipy", "pyloudnorm")
PEER_PACKAGES = ("encodec", "descript-audio-codec", "snac", "matplotlib")
DIRECTIONS = {
    "higher": "higher is better",
    "lower": "lower is better",
    "zero": "nearer to 0 is better",
    "none": "no direction",
}
ARROWS = {"higher": "\u2191", "lower": "\u2193", "zero": "\u21920", "none": ""}


def report_page(outcomes: Sequence[Outcome], *, title: str = "Codec evaluation", live: str | None = None) -> str:
    """The page as HTML. Clips whose decoded audio was kept become players.

    Args:
        outcomes: of the trials.
        title: of the page.
        live: URL of the folder with the npm package's `player.js`, `worker.js`, its runtime and `model/`. With it the
            page holds the `.ecdc` files of the default model in place of their decoded audio, and decodes them
            itself. `None` for a page that opens without a server.

    Raises:
        ConfigError: without the packages that draw it (`pip install 'recodec[eval]'`).
    """
    from markupsafe import Markup

    cells = summarize(outcomes)
    curves = []
    for key, metric in PAIR_METRICS.items():
        pictures = [curve_svg(cells, key, kind, title=kind.capitalize()) for kind in KINDS]
        themed = [Markup(_themed(svg)) for svg in pictures if svg]
        if themed:
            curves.append({"metric": metric, "direction": DIRECTIONS[metric.better], "pictures": themed})
    good = [outcome for outcome in outcomes if outcome.error is None]
    present = [key for key in ALL_METRICS if any(key in cell.values for cell in cells)]
    return render(
        "report.html",
        styles=("base.css", "report.css"),
        scripts=("player.js", "report.js"),
        title=title,
        subtitle=_subtitle(good),
        legend=_legend(cells),
        curves=curves,
        clips=_players(good, live is not None),
        live=live,
        columns=[_column(ALL_METRICS[key]) for key in present],
        groups=_groups(cells, present),
        levels=codebook_use(good),
        failures=[{"clip": o.clip, "label": o.label, "reason": o.error} for o in outcomes if o.error is not None],
        times=[{"name": n, "seconds": s, "share": share} for n, s, share in step_times(good)],
        metrics=[_about(ALL_METRICS[key]) for key in present],
        versions={"recodec": __version__, **versions_of((*ENGINES, *METRIC_PACKAGES, *PEER_PACKAGES))},
    )


def _themed(svg: str) -> str:
    """Let ink and grid follow the page's theme."""
    return svg.replace(INK, "var(--ink)").replace(FAINT, "var(--faint)")


def _subtitle(good: Sequence[Outcome]) -> str:
    clips = {outcome.path: outcome for outcome in good}
    minutes = sum(outcome.duration_s for outcome in clips.values()) / 60
    kinds = [f"{sum(o.kind == kind for o in clips.values())} {kind}" for kind in KINDS]
    kinds = [text for text in kinds if not text.startswith("0 ")]
    codecs = len({outcome.codec for outcome in good})
    settings = counted(codecs, "codec and setting", "codecs and settings")
    return f"{counted(len(clips), 'clip')} ({', '.join(kinds)}), {minutes:.1f} minutes, {settings}"


def _legend(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    styles = family_styles(cells)
    first = {cell.family: cell for cell in reversed(cells)}
    return [
        {"label": first[family].family_label, "colour": colour, "dashed": first[family].bandwidth_kbps is None}
        for family, (colour, _) in styles.items()
    ]


def _players(good: Sequence[Outcome], live: bool) -> list[dict[str, Any]]:
    kept: dict[str, list[Outcome]] = {}
    for outcome in good:
        if outcome.audio is not None:
            kept.setdefault(outcome.path, []).append(outcome)
    return [_player(path, versions, live) for path, versions in kept.items()]


def _player(path: str, outcomes: list[Outcome], live: bool) -> dict[str, Any]:
    reference, rate_hz = read_audio(path)
    versions = [_version("Original", "as it came", reference)]
    audio: list[str | dict[str, str]] = [_flac(reference, rate_hz)]
    for outcome in outcomes:
        if outcome.family == "reference" or outcome.audio is None:
            continue
        decoded, _ = read_audio(outcome.audio)
        versions.append(_version(outcome.label, _note(outcome), decoded))
        audio.append(_sound(outcome, live))
    return {
        "name": outcomes[0].clip,
        "kind": outcomes[0].kind,
        "seconds": round(outcomes[0].duration_s, 4),
        "top_khz": f"{rate_hz / 2000:g}",
        "versions": versions,
        "audio": script_json(audio),
    }


def _sound(outcome: Outcome, live: bool) -> str | dict[str, str]:
    """What `player.js` plays: FLAC as a data URI, or an `.ecdc` file and its decoder."""
    if live and outcome.ecdc is not None and outcome.ecdc_decoder is not None:
        content = Path(outcome.ecdc).read_bytes()
        return {"ecdc": data_uri("application/octet-stream", content), "decoder": outcome.ecdc_decoder}
    return data_uri("audio/flac", Path(str(outcome.audio)).read_bytes())


def _version(label: str, note: str, audio: Any) -> dict[str, str]:
    return {
        "label": label, "note": note, "waveform": waveform_path(audio), "spectrogram": spectrogram_image(audio)
    }  # fmt: skip


def _note(outcome: Outcome) -> str:
    parts = []
    if outcome.bandwidth_kbps is not None and "kbps" in outcome.values:
        parts.append(f"{outcome.values['kbps']:.1f} kbps")
    if "visqol" in outcome.values:
        parts.append(f"ViSQOL {outcome.values['visqol']:.2f}")
    return ", ".join(parts)


def _flac(audio: Any, rate_hz: int) -> str:
    from ..trials import flac_bytes

    return data_uri("audio/flac", flac_bytes(audio, rate_hz))


def _column(metric: Metric[Any]) -> dict[str, str]:
    return {"title": metric.title, "unit": metric.unit, "arrow": ARROWS[metric.better]}


def _groups(cells: Sequence[Cell], present: Sequence[str]) -> list[dict[str, Any]]:
    groups = []
    for kind in KINDS:
        rows = [
            {"label": c.label, "clips": c.clips, "cells": [_figure(c.values.get(key)) for key in present]}
            for c in cells
            if c.kind == kind
        ]
        if rows:
            groups.append({"kind": kind, "rows": rows})
    return groups


def _figure(interval: Interval | None) -> dict[str, str]:
    if interval is None or interval.count == 0:
        return {"mean": "\u2013", "half": ""}
    half = (interval.high - interval.low) / 2
    return {"mean": format_number(interval.mean), "half": format_number(half, like=interval.mean)}


def _about(metric: Metric[Any]) -> dict[str, str]:
    low, high = ("\u2212\u221e" if math.isinf(metric.low) else f"{metric.low:g}",
                 "\u221e" if math.isinf(metric.high) else f"{metric.high:g}")  # fmt: skip
    return {
        "title": metric.title, "unit": metric.unit, "definition": metric.definition, "range": f"{low} to {high}",
        "direction": DIRECTIONS[metric.better], "source": metric.source,
    }  # fmt: skip
