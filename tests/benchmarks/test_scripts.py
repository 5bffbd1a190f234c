"""Scripts that no other test runs: each can be imported, and says how it is run."""

from __future__ import annotations

import re

import pytest

from support.scripts import ROOT, load_script

BENCHMARKS = ROOT / "benchmarks"
NAMES = sorted(path.name for path in BENCHMARKS.glob("*.py") if path.name != "common.py")
PARTS = ("site.py", "audio_kinds_files.py")  # of mkdocs, and of audio_kinds.py
MAKERS = sorted(path.name for path in (ROOT / "docs" / "make").glob("*.py") if path.name not in PARTS)
ROW = re.compile(r"^\| \[(\w+\.py)\]\((\w+\.py)\) \| ([^|]+\?) \| `([^|`]+)` \| ([^|]+) \|$", re.MULTILINE)


@pytest.mark.parametrize("path", [*(f"benchmarks/{name}" for name in NAMES), *(f"docs/make/{name}" for name in MAKERS)])
def test_a_script_can_be_imported(path: str) -> None:
    assert callable(load_script(path).main)


def test_the_readme_has_a_question_a_command_and_an_answer_for_each_script() -> None:
    rows = ROW.findall((BENCHMARKS / "README.md").read_text(encoding="utf-8"))
    assert sorted(row[0] for row in rows) == NAMES
    for shown, link, _, command, _ in rows:
        assert link == shown
        assert f"benchmarks/{shown}" in command


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_of_a_script_tells_its_command(name: str) -> None:
    text = (BENCHMARKS / name).read_text(encoding="utf-8")
    assert f"python benchmarks/{name}" in text.split('"""')[1]
