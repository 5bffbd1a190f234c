"""Tables for people, as CSV or TSV, and how their cells are written and read."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

from .text import shown

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_QUOTE = "'"


def safe_cell(value: Any) -> Any:
    """A cell as it is safe to write: a spreadsheet runs a text that begins like a formula, so an apostrophe goes before
    it, as it does before an apostrophe; control characters are written as escapes. What is not text stays as it is.

    The characters are those of OWASP's page "CSV injection".
    """
    if not isinstance(value, str):
        return value
    return (_QUOTE if value.startswith((*_FORMULA, _QUOTE)) else "") + shown(value)


def read_cell(text: str) -> str:
    """The text of a cell that `safe_cell` wrote; of another program's cells, the same text."""
    return text[1:] if text.startswith(_QUOTE) and text[1:].startswith((*_FORMULA, _QUOTE, "\\t", "\\r")) else text


def table_text(rows: Iterable[Sequence[Any]], *, delimiter: str = ",") -> str:
    """Rows as a table, the first one being its header. Numbers have six digits, and are empty if they are not one."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerows([_number(cell) if isinstance(cell, float) else safe_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"
