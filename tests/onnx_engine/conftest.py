from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_graph_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Graphs of the tests are cached, but not among the user's."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RECODEC_CACHE", str(tmp_path_factory.mktemp("cache")))
