"""Scoring a listening test: whose answers count, and what they say."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from ...atomic import write_text
from ...errors import ConfigError
from ...tables import table_text
from ...text import counted
from ..bootstrap import Interval
from .make import FORMAT, VERSION

REFERENCE_FLOOR, REFERENCE_SHARE = 90.0, 0.2
ANCHOR_CEILING, ANCHOR_SHARE = 80.0, 0.5


@dataclass(frozen=True)
class Rating:
    """One score of 0 to 100 that a rater gave to what a codec made of a clip."""

    rater: str
    clip: str
    kind: str
    codec: str
    score: float


@dataclass(frozen=True)
class Ratings:
    """Answers with their key.

    Attributes:
        kept: ratings of raters who passed.
        dropped: rater to the reason why theirs do not count.
        labels: codec to its name for people, in the order of the key.
    """

    kept: tuple[Rating, ...]
    dropped: dict[str, str]
    labels: dict[str, str]

    @property
    def raters(self) -> int:
        """How many raters count."""
        return len({rating.rater for rating in self.kept})


def read_ratings(key_path: str | Path, answer_paths: Iterable[str | Path]) -> Ratings:
    """Read answers, one file a rater and session, and drop raters by the paper's rules.

    Dropped is (paper, section 4.3, "subjective evaluation") who rates the hidden reference below 90
    in 20% of the trials or more, or the low anchor above 80 in more than 50% of them. Files of one
    rater are judged together.

    Raises:
        ConfigError: for a file that is neither a key nor answers, is of another test, names an unknown
            stimulus, rates one twice, leaves one out, or has a score outside 0 to 100.
    """
    key = _read(key_path, "key")
    stimuli = {
        (trial["trial"], token): (trial["clip"], trial["kind"], codec)
        for trial in _field(key, "trials", list, key_path)
        for token, codec in trial["stimuli"].items()
    }
    by_rater: dict[str, list[Rating]] = {}
    for path in answer_paths:
        answers = _read(path, "answers")
        if answers.get("test") != key["test"]:
            raise ConfigError(f"{path} answers another test than that of {key_path}")
        rater = _field(answers, "rater", str, path)
        found = _session(answers, stimuli, rater, path)
        known = {(rating.clip, rating.codec) for rating in by_rater.get(rater, [])}
        if any((rating.clip, rating.codec) in known for rating in found):
            raise ConfigError(f"{path} rates for {rater!r} what another file has rated already")
        by_rater.setdefault(rater, []).extend(found)
    kept: list[Rating] = []
    dropped: dict[str, str] = {}
    for rater, ratings in by_rater.items():
        reason = _why_drop(ratings, key["reference"], key["anchor"])
        if reason is None:
            kept += ratings
        else:
            dropped[rater] = reason
    return Ratings(tuple(kept), dropped, dict(key["labels"]))


def _session(answers: Any, stimuli: dict[tuple[str, str], tuple[str, str, str]], rater: str, path: Any) -> list[Rating]:
    """The ratings of one file, complete for every trial it has."""
    seen: set[tuple[str, str]] = set()
    ratings = []
    for entry in _field(answers, "ratings", list, path):
        place = (str(entry.get("trial")), str(entry.get("stimulus"))) if isinstance(entry, dict) else ("", "")
        if place not in stimuli:
            raise ConfigError(f"{path} rates a stimulus that the key does not have")
        score = entry.get("score")
        if isinstance(score, bool) or not isinstance(score, (int, float)) or not 0 <= score <= 100:
            raise ConfigError(f"{path} has the score {score!r}; scores are from 0 to 100")
        if place in seen:
            raise ConfigError(f"{path} rates a stimulus twice")
        seen.add(place)
        ratings.append(Rating(rater, *stimuli[place], float(score)))
    trials = {trial for trial, _ in seen}
    if any(place not in seen for place in stimuli if place[0] in trials) or not seen:
        raise ConfigError(f"{path} leaves stimuli without a score")
    return ratings


def _why_drop(ratings: Sequence[Rating], reference: str, anchor: str) -> str | None:
    references = [rating.score for rating in ratings if rating.codec == reference]
    anchors = [rating.score for rating in ratings if rating.codec == anchor]
    low = sum(score < REFERENCE_FLOOR for score in references)
    if low >= REFERENCE_SHARE * len(references):
        return f"rated the hidden reference below {REFERENCE_FLOOR:g} in {low} of {len(references)} trials"
    high = sum(score > ANCHOR_CEILING for score in anchors)
    if high > ANCHOR_SHARE * len(anchors):
        return f"rated the low anchor above {ANCHOR_CEILING:g} in {high} of {len(anchors)} trials"
    return None


def summarize_ratings(ratings: Ratings) -> dict[str, dict[str, Interval]]:
    """Mean scores with 95% intervals: codec to kind (and `"all"`) to interval.

    The interval is that of BS.1534-3, section 9.2: mean plus and minus t(0.975, n - 1) s / sqrt(n)
    over all n scores; of no width for a single score.
    """
    kinds = ["all", *dict.fromkeys(rating.kind for rating in ratings.kept)]
    result: dict[str, dict[str, Interval]] = {}
    for codec in ratings.labels:
        mine = [rating for rating in ratings.kept if rating.codec == codec]
        result[codec] = {
            kind: t_interval([rating.score for rating in mine if kind in ("all", rating.kind)]) for kind in kinds
        }
    return result


def t_interval(scores: Sequence[float], level: float = 0.95) -> Interval:
    """Mean of scores with the interval of Student's t; all NaN without any score."""
    n = len(scores)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = sum(scores) / n
    if n == 1:
        return Interval(mean, mean, mean, 1)
    from scipy.stats import t

    deviation = math.sqrt(sum((score - mean) ** 2 for score in scores) / (n - 1))
    half = float(t.ppf((1 + level) / 2, n - 1)) * deviation / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n)


def score_table(ratings: Ratings) -> str:
    """`summarize_ratings` as a table for a terminal, best first, with who was dropped and why."""
    summary = summarize_ratings(ratings)
    ranked = sorted(summary.items(), key=lambda item: -item[1]["all"].mean)
    kinds = list(next(iter(summary.values()))) if summary else ["all"]
    rows = [["codec", *kinds, "scores"]]
    for codec, values in ranked:
        cells = [f"{v.mean:.1f} \u00b1{(v.high - v.low) / 2:.1f}" if v.count else "-" for v in values.values()]
        rows.append([ratings.labels[codec], *cells, str(values["all"].count)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += ["", f"{counted(ratings.raters, 'rater counts', 'raters count')}, {len(ratings.dropped)} dropped"]
    lines += [f"dropped: {rater} {reason}" for rater, reason in ratings.dropped.items()]
    return "\n".join(lines)


def write_ratings(path: str | Path, ratings: Ratings) -> None:
    """Write the ratings that count as CSV with the columns rater, clip, kind, codec, score."""
    rows = [("rater", "clip", "kind", "codec", "score"), *(astuple(rating) for rating in ratings.kept)]
    write_text(path, table_text(rows))


def _read(path: str | Path, kind: str) -> dict[str, Any]:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("kind") != kind:
        raise ConfigError(f"{path} is not the {kind} of a listening test")
    if content.get("version") != VERSION:
        raise ConfigError(f"{path} has version {content.get('version')!r}, this reads {VERSION}")
    return content


def _field(content: dict[str, Any], name: str, wanted: type, path: str | Path) -> Any:
    value = content.get(name)
    if not isinstance(value, wanted):
        raise ConfigError(f"{path} has no {name}")
    return value
