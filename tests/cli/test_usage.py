"""What is asked for wrongly is said before any work, in one line."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recodec.audio.writer import write_audio
from support.systems import posix

SPEECH = Path(__file__).parents[2] / "examples" / "speech.wav"


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, 0.1 * np.random.default_rng(0).standard_normal((1, 2400)), 24_000)
    return path


@pytest.fixture
def coded(recodec: Callable, model: Path, tmp_path: Path) -> Path:
    """An .ecdc file."""
    assert recodec("compress", write(tmp_path / "a.wav"), "--model", model).code == 0
    (tmp_path / "a.wav").unlink()
    return tmp_path / "a.ecdc"


@posix
@pytest.mark.parametrize("others", [0, 1])
def test_a_pipe_in_a_folder_is_not_waited_for(recodec: Callable, model: Path, tmp_path: Path, others: int) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    os.mkfifo(folder / "pipe.wav")
    for number in range(others):
        write(folder / f"{number}.wav")
    signal.alarm(30)  # which ends a read that waits for a writer
    try:
        done = recodec("compress", folder, "-d", out, "--model", model)
    finally:
        signal.alarm(0)
    assert done.code == 1
    assert f"recodec: error: {folder / 'pipe.wav'} is not a file" in done.err.splitlines()
    assert [path.name for path in out.iterdir()] == [f"{number}.ecdc" for number in range(others)]


@posix
def test_a_pipe_that_is_named_is_read(recodec: Callable, model: Path, tmp_path: Path) -> None:
    content = write(tmp_path / "a.wav").read_bytes()
    os.mkfifo(tmp_path / "pipe.wav")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe.wav").write_bytes(content), daemon=True)
    writer.start()
    done = recodec("compress", tmp_path / "pipe.wav", tmp_path / "a.wav", "-d", tmp_path / "out", "--model", model)
    writer.join()
    assert (done.code, len(list((tmp_path / "out").iterdir()))) == (0, 2)


@pytest.mark.parametrize(
    ("verb", "missing", "extra"),
    [
        (("train", "recipe.py", "-o", "out"), "torch", "torch"),
        (("finetune", "recipe.py", "-o", "out"), "torch", "torch"),
        (("train-lm", "--data", "in", "-o", "out"), "torch", "scale"),
        (("listening-test", "make", SPEECH), "scipy", "eval"),
        (("listening-test", "score", SPEECH, "--key", SPEECH), "scipy", "eval"),
        (("serve",), "anyio", "serve"),
    ],
)
def test_what_is_not_installed_is_one_line(
    recodec: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...], missing: str, extra: str
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else there(name))
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.chdir(tmp_path)
    done = recodec(*verb)
    assert done.code == 2
    assert done.err.splitlines()[0] == f"recodec: error: this needs {missing}: pip install 'recodec[{extra}]'"
    assert list(tmp_path.iterdir()) == []


def test_a_listening_test_without_a_verb_shows_its_help(recodec: Callable) -> None:
    done = recodec("listening-test")
    assert (done.code, done.err) == (0, "")
    assert done.out == recodec("listening-test", "--help").out


def test_a_suffix_is_taken_without_its_dot(recodec: Callable, model: Path, coded: Path) -> None:
    assert recodec("decompress", coded, "--suffix", "flac", "--model", model).code == 0
    assert coded.with_suffix(".flac").read_bytes()[:4] == b"fLaC"


@pytest.mark.parametrize("verb", ["decompress", "detokenize"])
@pytest.mark.parametrize("suffix", ["/../x.wav", "x/.wav", ".", "", ".xyz", "a.wav"])
def test_a_suffix_that_cannot_be_written_is_refused_once(
    recodec: Callable, coded: Path, verb: str, suffix: str
) -> None:
    folder = coded.parent
    (folder / "b.ecdc").write_bytes(coded.read_bytes())
    before = sorted(folder.rglob("*"))
    done = recodec(verb, folder, *(["-d"] if verb == "decompress" else []), folder / "made", "--suffix", suffix)
    assert done.code == 2
    assert done.err.count("is not a suffix of audio that can be written: take one of .wav, .flac") == 1
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("decompress", "a.ecdc", "--gain", "nan"), "'nan' is not a finite number"),
        (("compress", SPEECH, "--packet", "nan"), "'nan' is not a finite number"),
        (("tokenize", "in", "out", "--stream-above", "nan"), "'nan' is not a finite number"),
        (("tokenize", "in", "out", "--stream-above", "inf"), "'inf' is not a finite number"),
        (("tokenize", "in", "out", "--max-broken", "nan%"), "'nan%' is not a number of clips"),
        (("tokenize", "in", "out", "--max-broken", "-5"), "'-5' is not a number of clips"),
        (("train", "recipe.py", "-o", "out", "--stop-after", "nan"), "'nan' is not a finite number"),
        (("train-lm", "--data", "in", "-o", "out", "--stop-after", "nan"), "'nan' is not a finite number"),
        (("serve", "--max-time", "inf"), "'inf' is not a finite number"),
        (("serve", "--max-mb", "nan"), "'nan' is not a finite number"),
        (("serve", "--max-mb", "1e308"), "is not in the range"),
    ],
)
def test_what_is_no_number_is_bad_usage(recodec: Callable, arguments: tuple[str, ...], words: str) -> None:
    done = recodec(*arguments)
    assert done.code == 2
    assert words in done.err.splitlines()[0]
    assert done.err.splitlines()[0].startswith("recodec: error: Invalid value for '--")


@pytest.mark.parametrize(
    ("bits", "suffix", "words"),
    [
        ("32", ".flac", "a .flac file takes 16 or 24"),
        ("16", ".mp3", "a .mp3 file has no samples of a number of bits: leave it out"),
    ],
)
def test_bits_that_a_format_has_not_are_named_as_they_were_given(
    recodec: Callable, model: Path, coded: Path, bits: str, suffix: str, words: str
) -> None:
    target = coded.with_suffix(suffix)
    done = recodec("decompress", coded, "-o", target, "--bits", bits, "--model", model)
    assert done.code == 2
    assert done.err.splitlines()[0] == f"recodec: error: --bits {bits} does not go with {target}: {words}"
    assert not target.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file ends after 0 bytes"),
        (b"E", "the file ends after 1 byte"),
        (b"RIFF", "this is not an .ecdc file"),
    ],
)
def test_what_is_wrong_with_the_one_input_is_said_with_its_name(
    recodec: Callable, tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "a.ecdc").write_bytes(content)
    done = recodec("decompress", tmp_path / "a.ecdc")
    assert done.code == 1
    assert done.err.startswith(f"recodec: error: {tmp_path / 'a.ecdc'}: {words}")
    assert recodec("info", tmp_path / "a.ecdc").err.startswith(f"recodec: error: {tmp_path / 'a.ecdc'}: {words}")
    command = [sys.executable, "-m", "recodec", "decompress", "-", "-o", tmp_path / "x.wav"]
    piped = subprocess.run(command, input=content, capture_output=True)
    assert piped.returncode == 1
    assert piped.stderr.decode().startswith(f"recodec: error: standard input: {words}")
