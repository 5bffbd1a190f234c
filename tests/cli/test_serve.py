"""`recodec serve` as a command."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from support.signals import as_file
from support.systems import AT_A_TERMINAL, posix

pytest.importorskip("starlette", reason="needs the extra recodec[serve]")
pytest.importorskip("uvicorn", reason="needs the extra recodec[serve]")


def test_without_the_extra_one_line_says_what_to_install(recodec: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import util

    found = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == "uvicorn" else found(name))
    done = recodec("serve", "--no-browser")
    assert done.code == 2
    assert done.err.splitlines()[0] == "recodec: error: this needs uvicorn: pip install 'recodec[serve]'"


def test_what_cannot_be_is_said_at_once(recodec: Callable, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = recodec("serve", "--no-browser", "--port", port)
    assert done.code == 2
    assert f"127.0.0.1 port {port} cannot be used" in done.err
    assert "--port names another" in done.err
    done = recodec("serve", "--no-browser", "--runtime", tmp_path)
    assert done.code == 2
    assert "has no ort-wasm-simd-threaded.wasm" in done.err
    (tmp_path / "cert.pem").write_text("x")
    done = recodec("serve", "--no-browser", "--certificate", tmp_path / "cert.pem")
    assert "both a certificate and its key" in done.err
    (tmp_path / "key.pem").write_text("x")
    done = recodec("serve", "--no-browser", "--port", 0, "--certificate", tmp_path / "cert.pem",
                   "--certificate-key", tmp_path / "key.pem")  # fmt: skip
    assert (done.code, done.out) == (2, "")
    assert "cert.pem and" in done.err
    assert "not a certificate and its key" in done.err


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(recodec: Callable, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-passout", "pass:secret", "-subj", "/CN=x", "-days", "1",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"], check=True, capture_output=True,
    )  # fmt: skip
    done = recodec("serve", "--no-browser", "--port", 0, "--certificate", tmp_path / "cert.pem",
                   "--certificate-key", tmp_path / "key.pem")  # fmt: skip
    assert done.code == 2
    assert f"the key {tmp_path / 'key.pem'} is encrypted" in done.err


@posix
def test_ctrl_c_stops_a_request_that_is_being_coded() -> None:
    long = as_file(np.zeros((1, 24_000 * 1200), np.float32), 24_000)
    command = [sys.executable, "-u", "-m", "recodec", "serve", "--no-browser", "--port", "0", "--offline"]
    with (
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **AT_A_TERMINAL
        ) as process,
        ThreadPoolExecutor(1) as pool,
    ):
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            found = re.search(r"127\.0\.0\.1:(\d+)/", process.stdout.readline())
            assert found is not None
            connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=60)
            chunked = {"Transfer-Encoding": "chunked"}  # a stream, which is answered while it is coded
            connection.request("POST", "/api/compress", iter([long]), chunked, encode_chunked=True)
            answer = connection.getresponse()
            assert answer.status == 200
            rest = pool.submit(answer.read)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                rest.result()
            said = process.stderr.read()
            assert said == "recodec: /api/compress: stopped within the answer: the server is being stopped\n"
        finally:
            process.kill()


@posix
def test_it_serves_what_the_page_loads_until_it_is_stopped(tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "recodec", "serve", "--no-browser", "--port", "0", "--offline"]
    env = {**os.environ, "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
            assert found is not None
            base = found[0]
            with urllib.request.urlopen(base) as page:
                links = re.findall(r'(?:src|href)="/([\w.]+)"', page.read().decode())
            assert {"page.css", "page.js", "call"} <= set(links)
            for link in (*links, "worker.js", "queue.worklet.js", "tracks.worklet.js", "capture.worklet.js"):
                with urllib.request.urlopen(base + link) as answer:
                    assert answer.status == 200
            with urllib.request.urlopen(f"{base}model/recodec.json") as answer:
                manifest = json.loads(answer.read())
            with urllib.request.urlopen(f"{base}model/decoder.weights") as answer:
                assert int(answer.headers["content-length"]) == manifest["files"]["decoder.weights"]["bytes"]
            process.terminate()
            assert process.wait(30) in (0, 128 + 15, -15)
        finally:
            process.kill()
    assert [path.name for path in tmp_path.iterdir() if "recodec" in path.name] == []
