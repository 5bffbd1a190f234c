"""A headless Chromium for the tests of pages; without one they are skipped, and CI has one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def open_page(path: Path, *, width: int = 1280, height: int = 900) -> Iterator:
    """A page without network; what it reports as an error fails the test."""
    api = pytest.importorskip("playwright.sync_api")
    found = [full for name in _NAMES if (full := shutil.which(name))]
    if not found:
        if os.environ.get("CI"):
            pytest.fail("CI must have Chromium: apt-get install chromium")
        pytest.skip("no Chromium")
    errors: list[str] = []
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found[0], args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True, accept_downloads=True)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("file:", "data:", "blob:"))
                else errors.append(f"asked the network for {request.url}")
            ),
        )
        page.goto(path.as_uri())
        yield page
        browser.close()
    assert errors == []
