"""Files coded with the language model that lies beside a model: made by default, read, edited, refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from recodec.codec import Codec
from recodec.lm.meta_network import MetaCodeLM, MetaLMConfig
from recodec.wire.v1.inspection import Inspection, inspect
from support.fitting_lm import add_fitting_lm

RATE = 24_000
SPEECH = Path(__file__).parents[2] / "examples" / "speech.wav"


@pytest.fixture(scope="module")
def audio() -> np.ndarray:
    time = np.arange(10 * RATE) / RATE
    return (0.3 * np.sin(2 * np.pi * 300 * time * (1 + 0.02 * time)))[None].astype(np.float32)


@pytest.fixture(scope="module")
def with_lm(model: Path, audio: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "toy"
    shutil.copytree(model, folder)
    add_fitting_lm(folder, audio)
    return folder


@pytest.fixture
def wav(audio: np.ndarray, tmp_path: Path) -> Path:
    path = tmp_path / "in.wav"
    soundfile.write(path, audio.T, RATE, subtype="FLOAT")
    return path


def report_of(path: Path) -> Inspection:
    with open(path, "rb") as file:
        return inspect(file)


def test_the_language_model_is_used_unless_told_otherwise(recodec, with_lm, wav, tmp_path):
    small, plain = tmp_path / "small.ecdc", tmp_path / "plain.ecdc"
    assert recodec("compress", wav, small, "--model", with_lm).code == 0
    assert recodec("compress", wav, plain, "--model", with_lm, "--no-lm").code == 0
    assert report_of(small).num_coded == report_of(small).num_packets
    assert report_of(plain).num_coded == 0
    assert small.stat().st_size < 0.9 * plain.stat().st_size
    sounds = []
    for path in (small, plain):
        back = path.with_suffix(".wav")
        assert recodec("decompress", path, back, "--model", with_lm).code == 0
        sounds.append(back.read_bytes())
    assert sounds[0] == sounds[1]
    assert f"{report_of(small).num_coded} of them coded" in recodec("info", small).out


def test_python_does_as_the_command_does(with_lm, audio):
    codec = Codec.from_pretrained(with_lm, threads=1)
    small, plain = codec.compress(audio), codec.compress(audio, lm=False)
    assert len(small) < 0.9 * len(plain)
    assert np.array_equal(codec.decompress(small), codec.decompress(plain))
    damaged = small[: len(small) // 2]
    assert codec.decompress(damaged, tolerant=True).shape == audio.shape  # which the header tells


def test_without_the_language_model_there_is_one_clear_error(recodec, model, with_lm, wav, tmp_path):
    small, back = tmp_path / "small.ecdc", tmp_path / "back.wav"
    assert recodec("compress", wav, small, "--model", with_lm).code == 0
    outcome = recodec("decompress", small, back, "--model", model)
    assert outcome.code == 1
    assert "coded with a language model" in outcome.err
    assert not back.exists()


def test_cut_and_transcode_read_coded_packets(recodec, with_lm, wav, tmp_path):
    small, plain, thin = (tmp_path / f"{name}.ecdc" for name in ("small", "plain", "thin"))
    assert recodec("compress", wav, small, "--model", with_lm, "-b", 3.6).code == 0
    assert recodec("transcode", small, thin, "-b", 1.8, "--model", with_lm).code == 0
    assert recodec("compress", wav, plain, "--model", with_lm, "-b", 1.8).code == 0
    assert thin.read_bytes() == plain.read_bytes()
    out = tmp_path / "cut.ecdc"
    outcome = recodec("cut", small, out, "--start", 5.0, "--stop", 6.0, "--model", with_lm)
    assert outcome.code == 0
    assert report_of(out).num_samples == pytest.approx(RATE, abs=320)
    # The model is not found by its name, so its language model is not at hand: whole packets, or a clear error.
    assert recodec("cut", small, out, "--start", 5.0, "--stop", 6.0, "-f").code == 0
    assert report_of(out).num_samples == 4 * RATE
    outcome = recodec("transcode", small, thin, "-b", 1.8, "-f")
    assert outcome.code == 1
    assert "none is here" in outcome.err


def test_another_language_model_is_refused(recodec, model, with_lm, wav, tmp_path):
    small = tmp_path / "small.ecdc"
    assert recodec("compress", wav, small, "--model", with_lm).code == 0
    outcome = recodec("cut", small, tmp_path / "cut.ecdc", "--start", 5, "--model", model)
    assert outcome.code == 1
    assert "has no language model" in outcome.err


def test_the_shipped_model_has_a_language_model(recodec, tmp_path):
    """It is used by default, and found for editing by the model's name alone."""
    small, plain, out = (tmp_path / f"{name}.ecdc" for name in ("small", "plain", "out"))
    assert recodec("compress", SPEECH, small).code == 0
    assert recodec("compress", SPEECH, plain, "--no-lm").code == 0
    assert report_of(small).num_coded == report_of(small).num_packets
    assert small.stat().st_size < 0.9 * plain.stat().st_size
    for path in (small, plain):
        assert recodec("decompress", path, path.with_suffix(".wav")).code == 0
    assert small.with_suffix(".wav").read_bytes() == plain.with_suffix(".wav").read_bytes()
    assert recodec("cut", small, out, "--start", 1, "--stop", 2).code == 0
    assert report_of(out).num_samples == RATE
    assert recodec("transcode", small, out, "-b", 1.5, "-f").code == 0
    assert recodec("compress", SPEECH, plain, "-b", 1.5, "-f").code == 0
    assert out.read_bytes() == plain.read_bytes()


def test_decompress_a_stretch_and_what_is_left_of_a_file(recodec, with_lm, wav, tmp_path):
    small, whole, part = tmp_path / "small.ecdc", tmp_path / "whole.wav", tmp_path / "part.wav"
    assert recodec("compress", wav, small, "--model", with_lm, "--packet", 1).code == 0
    assert recodec("decompress", small, whole, "--model", with_lm).code == 0
    options = ("--start", 6, "--stop", 7.5)
    assert recodec("decompress", small, part, "--model", with_lm, *options).code == 0
    expected, _ = soundfile.read(whole)
    found, _ = soundfile.read(part)
    assert found.shape == (1.5 * RATE,)
    assert np.abs(found - expected[6 * RATE : int(7.5 * RATE)]).max() < 1e-3
    for options in (("--start", 20), ("--start", 5, "--stop", 4)):
        assert recodec("decompress", small, part, "--model", with_lm, *options, "-f").code == 2
    damaged = bytearray(small.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    small.write_bytes(damaged)
    outcome = recodec("decompress", small, part, "--model", with_lm, "-f")
    assert outcome.code == 1
    assert "--damaged plays what can be played" in outcome.err
    outcome = recodec("decompress", small, part, "--model", with_lm, "-f", "--damaged")
    assert outcome.code == 0
    assert "1.000 s were lost" in outcome.err
    found, _ = soundfile.read(part)
    assert found.shape == expected.shape
    assert np.isfinite(found).all()


# ---- version 0 with Meta's language model ------------------------------------------------------


@pytest.fixture
def meta_lm(model: Path, tmp_path: Path) -> Path:
    config = Codec.from_pretrained(model).config
    torch.manual_seed(0)
    shape = MetaLMConfig(config.num_quantizers, config.codebook_size, width=16, num_layers=1, feed_forward=32)
    path = tmp_path / "lm.th"
    torch.save(MetaCodeLM(shape).state_dict(), path)
    return path


def test_metas_language_model_there_and_back_and_to_version_1(recodec, with_lm, audio, wav, meta_lm, tmp_path):
    plain, coded, moved = (tmp_path / name for name in ("plain.ecdc", "coded.ecdc", "moved.ecdc"))
    theirs = ("--model", with_lm, "--meta-lm", meta_lm)
    assert recodec("compress", wav, plain, "--model", with_lm, "--format", 0).code == 0
    assert recodec("compress", wav, coded, *theirs, "--format", 0).code == 0
    assert "with Meta's language model" in recodec("info", coded).out
    assert "with Meta's language model" not in recodec("info", plain).out
    for path in (plain, coded):
        assert recodec("transcode", path, moved, *theirs, "-f").code == 0
        assert moved.read_bytes() == Codec.from_pretrained(with_lm, threads=1).compress(audio)
        assert recodec("decompress", path, tmp_path / f"{path.stem}.wav", *theirs).code == 0
    assert (tmp_path / "plain.wav").read_bytes() == (tmp_path / "coded.wav").read_bytes()


def test_without_metas_language_model_there_is_one_clear_error(recodec, model, wav, meta_lm, tmp_path):
    coded, out = tmp_path / "coded.ecdc", tmp_path / "out.wav"
    assert recodec("compress", wav, coded, "--model", model, "--format", 0, "--meta-lm", meta_lm).code == 0
    for verb, target in ("decompress", out), ("transcode", tmp_path / "out.ecdc"):
        outcome = recodec(verb, coded, target, "--model", model)
        assert outcome.code == 1
        assert "it takes that (meta_lm) to read" in outcome.err
        assert not target.exists()
    outcome = recodec("compress", wav, out, "--model", model, "--meta-lm", meta_lm)
    assert outcome.code == 2
    assert "--format 0" in outcome.err
    assert recodec("decompress", coded, out, "--model", model, "--meta-lm", wav).code == 1
    assert not out.exists()


def test_transcode_says_what_each_version_takes(recodec, model, audio, wav, tmp_path):
    first, second, out = tmp_path / "first.ecdc", tmp_path / "second.ecdc", tmp_path / "out.ecdc"
    assert recodec("compress", wav, first, "--model", model, "--format", 0).code == 0
    second.write_bytes(Codec.from_pretrained(model, threads=1).compress(audio, 1.8))
    assert recodec("transcode", first, out, "--model", model, "-b", 1.8).code == 0
    assert out.read_bytes() == second.read_bytes()
    for arguments, words in [
        ((second,), "takes a --bandwidth"),
        ((first, "--damaged"), "damage does not show"),
        ((first, "-b", 0.1), "doesn't support the bandwidth 0.1"),
    ]:
        outcome = recodec("transcode", arguments[0], out, *arguments[1:], "--model", model, "-f")
        assert outcome.code == 2
        assert words in outcome.err
    assert out.read_bytes() == second.read_bytes()
