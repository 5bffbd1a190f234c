"""The application on the shipped model, and clients for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recodec import Codec
from support.signals import as_file, voice

pytest.importorskip("starlette", reason="needs the extra recodec[serve]")
pytest.importorskip("httpx", reason="starlette's test client needs httpx")


@pytest.fixture(scope="session")
def codec() -> Codec:
    return Codec.from_pretrained(threads=1)


@pytest.fixture(scope="session")
def recording(codec: Codec) -> np.ndarray:
    """1.2 s, (1, T)."""
    return voice(1.2, codec.sampling_rate)


@pytest.fixture(scope="session")
def wav(codec: Codec, recording: np.ndarray) -> bytes:
    return as_file(recording, codec.sampling_rate)


@pytest.fixture
def make_app(codec: Codec, tmp_path: Path) -> Callable[..., Any]:
    """Makes an application with other limits, or another runtime."""
    from recodec.serve import Limits, Runtime, create_app

    def write_model(folder: Path) -> list[Path]:
        folder.mkdir()
        paths = [folder / "recodec.json", folder / "encoder.weights"]
        for path in paths:
            path.write_text(path.name)
        return paths

    def make(runtime: Any = None, host: str = "127.0.0.1", **limits: Any) -> Any:
        runtime = runtime or Runtime(cache=tmp_path / "cache", offline=True)
        return create_app(codec, write_model=write_model, runtime=runtime, limits=Limits(**limits), host=host)

    return make


@pytest.fixture
def make_client(make_app: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    from starlette.testclient import TestClient

    with ExitStack() as stack:

        def make(**options: Any) -> Any:
            return stack.enter_context(TestClient(make_app(**options), base_url="http://127.0.0.1:8765"))

        yield make
