"""Scripts that no other test runs: each can be imported, and says how it is run."""

from __future__ import annotations

import pytest

from support.scripts import ROOT, load_script

BENCHMARKS = ROOT / "benchmarks"
NAMES = sorted(path.name for path in BENCHMARKS.glob("*.py") if path.name != "common.py")
MAKERS = sorted(path.name for path in (ROOT / "docs" / "make").glob("*.py") if path.name != "site.py")  # mkdocs has it


@pytest.mark.parametrize("path", [*(f"benchmarks/{name}" for name in NAMES), *(f"docs/make/{name}" for name in MAKERS)])
def test_a_script_can_be_imported(path: str) -> None:
    assert callable(load_script(path).main)


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_of_a_script_tells_its_command(name: str) -> None:
    text = (BENCHMARKS / name).read_text(encoding="utf-8")
    assert f"python benchmarks/{name}" in text.split('"""')[1]
