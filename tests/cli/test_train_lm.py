"""`recodec train-lm`, from shards to the two files that code."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner

from recodec import presets
from recodec.cli.train_lm import train_lm
from recodec.lm.coder import LanguageModel
from recodec.model.encodec import EncodecModel
from recodec.tokenize import open_shards
from recodec.training.codes import CodeCrops, CodecShape


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy codec model, a shard and a dev clip."""
    root = tmp_path_factory.mktemp("train_lm")
    torch.manual_seed(0)
    model = EncodecModel(presets.tiny()).eval()
    for book in model.quantizer.codebooks:
        book.embed.normal_()
    model.save_pretrained(root / "model")
    audio = np.random.default_rng(0).normal(size=24_000) * 0.1
    (root / "shards").mkdir()
    (root / "dev").mkdir()
    np.save(root / "shards" / "speech-000.npy", (audio * 32767).astype(np.int16))
    lines = ["shard\tstart\tsamples\tgroup", "speech-000.npy\t0\t16000\tspeech", "speech-000.npy\t16000\t8000\tspeech"]
    (root / "shards" / "clips.tsv").write_text("\n".join(lines) + "\n")
    soundfile.write(root / "dev" / "speech-00.wav", audio[:6400], 24_000)
    return root


def root_folders(root: Path) -> dict[str, Path]:
    return {"--model": root / "model", "--data": root / "shards", "--dev": root / "dev"}


def run(root: Path, out: Path, *settings: str, folders: dict[str, Path] | None = None) -> tuple[int, str]:
    small = ["model.width=16", "model.num_layers=1", "model.num_heads=2", "model.feed_forward=16"]
    arguments = [str(word) for pair in {**(folders or root_folders(root)), "-o": out}.items() for word in pair]
    result = CliRunner().invoke(train_lm, [*arguments, "batch_size=2", "crop_s=0.2", *small, *settings])
    return result.exit_code, result.output


def test_makes_codes_a_log_and_an_exact_model(root: Path, tmp_path: Path) -> None:
    code, output = run(root, tmp_path, "updates=2")
    assert code == 0
    files, model = tmp_path / "lm", root / "model"
    copy = f"copy {files}\\* {model}" if sys.platform == "win32" else f"cp {files}/* {model}"
    assert output.startswith(f"The language model is in {files}: {copy} puts it beside")
    assert len(output.splitlines()) == 1
    clips = list(open_shards(tmp_path / "codes" / "train"))
    assert [clip["codes"].shape for clip in clips] == [(8, 50), (8, 25)]
    assert [clip["group"] for clip in clips] == ["speech", "speech"]
    assert "dev_speech_3.6" in (tmp_path / "log.jsonl").read_text()
    assert LanguageModel.load(tmp_path / "lm").num_codebooks == 8
    code, output = run(root, tmp_path, "updates=3", "--no-resume")
    assert code == 2
    assert "holds a run already" in output


@pytest.mark.parametrize("setting", ["updates", "model.depth=3", "updates=many", "updates=0"])
def test_bad_settings_are_usage_errors(root: Path, tmp_path: Path, setting: str) -> None:
    code, output = run(root, tmp_path, setting)
    assert code == 2
    assert "Error:" in output


def test_what_tokenize_wrote_is_taken_as_it_is(root: Path, tmp_path: Path) -> None:
    assert run(root, tmp_path / "first", "updates=1")[0] == 0
    moved = {**root_folders(root), "--data": tmp_path / "first" / "codes" / "train"}
    assert run(root, tmp_path / "second", "updates=1", folders=moved)[0] == 0
    assert not (tmp_path / "second" / "codes" / "train").exists()
    assert (tmp_path / "second" / "log.jsonl").exists()


def test_a_missing_corpus_is_a_usage_error(root: Path, tmp_path: Path) -> None:
    code, output = run(root, tmp_path, folders={**root_folders(root), "--data": tmp_path / "absent"})
    assert (code, "absent" in output) == (2, True)


def test_a_corpus_for_each_group(root: Path, tmp_path: Path) -> None:
    """As `train` takes them: whatever the clips are called, their group is that of the setting."""
    folders = {"--model": root / "model"}
    groups = (f"data.speech={root / 'dev'}", f"data.music={root / 'shards'}")
    code, output = run(root, tmp_path / "run", *groups, "updates=1", folders=folders)
    assert code == 0, output
    for name, count in ("speech", 1), ("music", 2):
        assert len(list(open_shards(tmp_path / "run" / "codes" / "train" / name))) == count
    shape = CodecShape.of(root / "model")
    made = {name: str(tmp_path / "run" / "codes" / "train" / name) for name in ("speech", "music")}
    alone = CodeCrops(made, shape, crop_frames=25, group_weights={"speech": 0.0, "music": 1.0})
    codes = [clip["codes"] for clip in open_shards(made["music"])]
    joined = np.concatenate(codes, axis=1)
    crops = {joined[:, s : s + 25].astype(np.int64).tobytes() for s in range(joined.shape[1] - 24)}
    assert {crop.numpy().tobytes() for crop in alone.batch(20, 8)} <= crops
    assert CodeCrops({"birds": made["music"]}, shape, crop_frames=25, group_weights={"speech": 1.0}).batch(1, 8).any()
    for wrong in ([], ["--data", str(root / "shards"), *groups]):
        result = CliRunner().invoke(train_lm, ["--model", str(root / "model"), "-o", str(tmp_path / "x"), *wrong])
        assert result.exit_code == 2
        assert "give --data, or a setting such as data.speech=CORPUS for each group" in result.output
