"""The page with the live player names only files that lie beside it, and says so where the players are missing."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from recodec.ecdc import verify
from support.scripts import load_script

pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script("docs/make/live.py")


def test_what_the_page_names_is_there(script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = [tmp_path / path.name for path in script.PACKAGE]
    for path in package:
        path.write_bytes(b"stands for a file of the npm package")
    monkeypatch.setattr(script, "PACKAGE", package)
    page, files = script.make()
    named = re.findall(r'src="([^"]+)"', page)
    assert len(named) == 1 + len(script.CLIPS) * len(script.BANDWIDTHS_KBPS)
    assert set(named) <= set(files)
    assert all(verify(files[name]) is None for name in named if name.endswith(".ecdc"))
    assert {"worker.js", "model/recodec.json", "model/spectral.weights"} <= set(files)
    listed = [float(size) for size in re.findall(r"\| ([\d.]+) \|$", page, re.MULTILINE)]
    assert sum(listed) == pytest.approx(sum(map(len, files.values())) / 1e6, abs=0.1)


def test_without_the_npm_package_the_page_says_how_to_have_it(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "PACKAGE", [tmp_path / "absent.js"])
    page, files = script.make()
    assert files == {}
    assert "npm ci" in page
    assert "<recodec-player" not in page
