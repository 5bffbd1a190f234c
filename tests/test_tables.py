"""Tables that no spreadsheet runs, and that are read back as they were."""

import csv
import io
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recodec.corpus import list_input
from recodec.evaluation.listening.score import Rating, Ratings, write_ratings
from recodec.evaluation.results import write_results
from recodec.evaluation.trials import Outcome
from recodec.tables import read_cell, safe_cell, table_text

FORMULAS = ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_never_begins_like_a_formula(text: str) -> None:
    assert safe_cell(text).startswith("'")


@given(st.text(alphabet=st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_printable_text_comes_back(text: str) -> None:
    assert read_cell(safe_cell(text)) == text


def test_numbers_stay_numbers() -> None:
    assert table_text([("a", "b", "c"), (-1.5, -3, math.nan)]) == "a,b,c\n-1.5,-3,\n"


def test_results_and_ratings_are_safe(tmp_path: Path) -> None:
    outcome = Outcome(
        "k", "=cmd|' /C calc'!A0", "+path", "speech", "@codec", "f", "l", None, values={"si_snr": -3.0}, error=None
    )
    write_results(tmp_path / "results.csv", [outcome])
    assert ",si_snr,-3," in (tmp_path / "results.csv").read_text()
    rating = Rating("=rater", "-clip", "speech", "codec", 85.0)
    write_ratings(tmp_path / "ratings.csv", Ratings((rating,), {}, {}))
    for name in ("results.csv", "ratings.csv"):
        for row in csv.reader(io.StringIO((tmp_path / name).read_text())):
            assert not any(cell.startswith(("=", "+", "@")) for cell in row), row
    assert (tmp_path / "ratings.csv").read_text().splitlines()[1] == "'=rater,'-clip,speech,codec,85"


def test_a_table_of_ours_is_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "=x.wav").write_bytes(b"")
    (tmp_path / "list.csv").write_text(table_text([("file",), ("=x.wav",)]))
    assert [entry.path for entry in list_input(str(tmp_path / "list.csv")).entries] == [str(tmp_path / "=x.wav")]
