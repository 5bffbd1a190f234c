"""Another site's page gets nothing, and browsers are told what this page may do."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.mark.parametrize("host", ["localhost", "localhost:8765", "127.0.0.1:1", "[::1]:8765", "LOCALHOST"])
def test_names_of_this_machine_are_answered(make_client: Callable, host: str) -> None:
    assert make_client().get("/api/model", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_other_names_are_refused(make_client: Callable, host: str) -> None:
    for path in ("/", "/api/model", "/call", "/nothing"):
        answer = make_client().get(path, headers={"host": host})
        assert (answer.status_code, answer.json()["error"]) == (400, "HostError")
    assert make_client(host="0.0.0.0").get("/", headers={"host": host or "x"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://localhost:8765"},  # another name of the same server is another origin
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_posts_of_other_pages_are_refused(make_client: Callable, headers: dict[str, str], host: str) -> None:
    answer = make_client(host=host).post("/api/info", content=b"x", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "OriginError")


def test_posts_of_our_page_and_of_programs_are_answered(make_client: Callable) -> None:
    for headers in ({}, {"origin": "http://127.0.0.1:8765"}, {"sec-fetch-site": "same-origin"}):
        answer = make_client().post("/api/info", content=b"garbage", headers=headers)
        assert answer.json()["error"] == "CorruptError"


def test_headers_for_browsers(make_client: Callable) -> None:
    client = make_client()
    for path in ("/", "/call", "/page.js", "/worker.js", "/api/model", "/nothing"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "'unsafe-eval'" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in headers


def test_methods(make_client: Callable) -> None:
    answer = make_client().get("/api/compress")
    assert (answer.status_code, answer.json()["error"]) == (405, "MethodNotAllowed")
    assert make_client().post("/").status_code == 405
