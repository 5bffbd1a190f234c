"""`recodec tokenize` and `recodec detokenize` as commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recodec.audio.files import read_audio
from recodec.audio.writer import write_audio
from recodec.tokenize import open_codes


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    folder.mkdir()
    for i in range(4):
        rng = np.random.default_rng(i)
        write_audio(folder / f"{i}.wav", 0.1 * rng.standard_normal((1, 9000 + 1000 * i)), 24_000)
    return folder


def test_there_and_back(recodec, clips, model, tmp_path):
    done = recodec("tokenize", clips, tmp_path / "out", "--model", model, "-j", 1, "--codebooks", 4)
    assert done.code == 0, done.err
    assert done.out.startswith("4 clips, 0.00 h of audio, in 1 shard of")
    assert "100% 4/4 clips" in done.err
    assert open_codes(tmp_path / "out")[0]["codes"].shape == (4, 29)
    done = recodec("detokenize", tmp_path / "out", tmp_path / "audio", "--model", model, "-j", 1, "--suffix", ".flac")
    assert done.code == 0, done.err
    assert done.out.startswith("4 files")
    for i in range(4):
        assert read_audio(tmp_path / "audio" / f"{i}.flac")[0].shape == (1, 9000 + 1000 * i)


@pytest.mark.parametrize(("allowed", "code"), [(None, 1), ("1", 1), ("2", 0), ("30%", 1), ("34%", 0), ("all", 0)])
def test_the_exit_code_is_as_asked(recodec, clips, model, tmp_path, allowed, code, monkeypatch):
    from recodec.tokenize import run as module
    from recodec.tokenize.engines import LocalEngine

    monkeypatch.setattr(module, "make_engine", lambda name, processes: LocalEngine(0))  # faster than a process
    (clips / "a.wav").write_text("no")
    (clips / "b.wav").write_text("")
    more = () if allowed is None else ("--max-broken", allowed)
    done = recodec("tokenize", clips, tmp_path / "out", "--model", model, "-q", *more)
    assert done.code == code
    assert "2 clips are broken" in done.err
    assert f"{clips / 'b.wav'} is empty" in done.err


def test_bad_usage(recodec, clips, model, tmp_path):
    assert recodec("tokenize", tmp_path / "nowhere", tmp_path / "out", "--model", model).code == 2
    assert recodec("tokenize", clips, tmp_path / "out", "--model", model, "--max-broken", "few").code == 2
    assert recodec("tokenize", clips, tmp_path / "out", "--model", model, "-b", 5).code == 2
    (tmp_path / "none").mkdir()
    done = recodec("detokenize", tmp_path / "none", tmp_path / "audio")
    assert done.code == 1
    assert "no shards of codes" in done.err


def test_one_is_one_and_two_are_two(recodec, clips, model, tmp_path, monkeypatch):
    from recodec.tokenize import run as module
    from recodec.tokenize.engines import LocalEngine

    monkeypatch.setattr(module, "make_engine", lambda name, processes: LocalEngine(0))
    for name in ("1.wav", "2.wav", "3.wav"):
        (clips / name).unlink()
    (clips / "a.wav").write_text("no")
    done = recodec("tokenize", clips, tmp_path / "out", "--model", model, "-q")
    assert done.out.startswith(f"1 clip, 0.00 h of audio, in 1 shard of {tmp_path / 'out'}")
    assert done.err.startswith("1 clip is broken; ")
    assert recodec("detokenize", tmp_path / "out", tmp_path / "back", "--model", model).out.startswith("1 file, ")
