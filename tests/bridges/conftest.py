"""What the tests of bridges share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from recodec.bridges import transformers as bridge


@pytest.fixture
def registered() -> Iterator[None]:
    """The `Auto` classes make ours, for one test."""
    bridge.register()
    yield
    bridge.unregister()
