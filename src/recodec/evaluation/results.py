"""Outcomes as a tidy table, one row a clip, codec and metric, in CSV or Parquet."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..atomic import atomic_write, write_text
from ..errors import ConfigError
from ..tables import table_text
from .codebooks import LevelUse
from .metrics import ALL_METRICS
from .trials import Outcome

COLUMNS = ("clip", "kind", "codec", "family", "bandwidth_kbps", "metric", "value", "unit", "note", "seconds", "path")
ERROR = "error"
"""What stands in the column `metric` of a row that says why a clip and a codec have no values."""


def tidy_rows(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Rows with the keys of `COLUMNS`.

    `value` is NaN where a metric is undefined, and `note` says why; `seconds` is the time it took.
    A trial that failed is one row with the metric `error`.
    """
    rows = []
    for outcome in outcomes:
        base = {
            "clip": outcome.clip, "kind": outcome.kind, "codec": outcome.codec, "family": outcome.family,
            "bandwidth_kbps": _number(outcome.bandwidth_kbps), "path": outcome.path,
        }  # fmt: skip
        if outcome.error is not None:
            rows.append({**base, "metric": ERROR, "value": math.nan, "unit": "", "note": outcome.error,
                         "seconds": math.nan})  # fmt: skip
            continue
        for key, metric in ALL_METRICS.items():
            if key in outcome.values or key in outcome.undefined:
                rows.append({
                    **base, "metric": key, "value": outcome.values.get(key, math.nan), "unit": metric.unit,
                    "note": outcome.undefined.get(key, ""), "seconds": outcome.seconds.get(key, math.nan),
                })  # fmt: skip
    return rows


def write_results(path: str | Path, outcomes: Iterable[Outcome]) -> None:
    """Write `tidy_rows` to a `.csv` or `.parquet` file.

    Raises:
        ConfigError: for another ending, or Parquet without `pyarrow`.
    """
    rows = tidy_rows(outcomes)
    match Path(path).suffix:
        case ".csv":
            write_text(path, _csv(COLUMNS, rows))
        case ".parquet":
            _write_parquet(path, rows)
        case other:
            raise ConfigError(f"results are written as .csv or .parquet, not as {other or 'a file without ending'!r}")


def write_codebooks(path: str | Path, levels: Iterable[LevelUse]) -> None:
    """Write the use of codebooks as CSV, one row a codec and level."""
    rows = [vars(level) for level in levels]
    write_text(path, _csv(tuple(LevelUse.__dataclass_fields__), rows))


def _csv(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> str:
    return table_text([columns, *([row[name] for name in columns] for row in rows)])


def _write_parquet(path: str | Path, rows: list[dict[str, Any]]) -> None:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigError("Parquet needs pyarrow: pip install 'recodec[eval]', or write a .csv") from error
    numbers = {"bandwidth_kbps", "value", "seconds"}
    schema = pyarrow.schema([(name, pyarrow.float64() if name in numbers else pyarrow.string()) for name in COLUMNS])
    table = pyarrow.Table.from_pylist(rows, schema=schema)
    with atomic_write(path) as file:
        parquet.write_table(table, file)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
