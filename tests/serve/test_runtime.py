"""The runtime for live calls: given, kept, fetched once and checked, or missing with words that help."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from http.client import IncompleteRead
from pathlib import Path

import pytest

from recodec.errors import ConfigError
from recodec.serve import Runtime
from recodec.serve import runtime as module
from recodec.serve.answers import RequestError

LOCK = Path(__file__).parents[2] / "js" / "package-lock.json"


def package(data: bytes) -> bytes:
    """A tarball of npm with the file."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        entry = tarfile.TarInfo(f"package/dist/{module.NAME}")
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def test_version_and_digest_are_those_of_the_npm_package() -> None:
    entry = json.loads(LOCK.read_text())["packages"]["node_modules/onnxruntime-web"]
    assert (entry["version"], entry["integrity"]) == (module.VERSION, f"sha512-{module.INTEGRITY}")


def test_a_folder_of_the_user(make_client: Callable, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give the folder dist/ of onnxruntime-web"):
        Runtime(tmp_path)
    (tmp_path / module.NAME).write_bytes(b"\0asm")
    answer = make_client(runtime=Runtime(tmp_path)).get(f"/runtime/{module.NAME}")
    assert (answer.content, answer.headers["content-type"]) == (b"\0asm", "application/wasm")


def test_it_is_fetched_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = package(b"\0asm")
    monkeypatch.setattr(module, "INTEGRITY", base64.b64encode(hashlib.sha512(data).digest()).decode())
    asked: list[int] = []

    def fetch() -> bytes:
        asked.append(1)
        return data

    for _ in range(2):
        assert Runtime(cache=tmp_path, fetch=fetch).path().read_bytes() == b"\0asm"
    assert asked == [1]
    assert Runtime(cache=tmp_path, offline=True).path().is_file()


def test_another_package_is_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is not onnxruntime-web"):
        Runtime(cache=tmp_path, fetch=lambda: package(b"evil")).path()
    assert list(tmp_path.rglob("*.wasm")) == []


def test_without_it_the_call_says_what_to_do(make_client: Callable, tmp_path: Path) -> None:
    def fails() -> bytes:
        raise OSError("no route to host")

    def breaks() -> bytes:
        raise IncompleteRead(b"")

    runtimes = [Runtime(cache=tmp_path, fetch=fetch) for fetch in (fails, breaks)]
    for runtime in (Runtime(cache=tmp_path, offline=True), *runtimes):
        client = make_client(runtime=runtime)
        answer = client.get(f"/runtime/{module.NAME}")
        assert (answer.status_code, answer.json()["error"]) == (503, "RuntimeMissingError")
        assert "--runtime package/dist" in answer.json()["message"]
        assert client.get("/api/model").status_code == 200
