"""The npm package in `js/`: what it writes is read here, and what is written here it reads and writes alike.

Its own tests (`make js-test`) compare far more. These run where Node and the built package are.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from recodec import Codec, presets
from recodec.checkpoint import read_model
from recodec.cli.export import export
from recodec.onnx_engine.export_web import MANIFEST_NAME, Weights
from support import peers
from support.codecs import music
from support.signals import voice

JS = Path(__file__).parents[2] / "js"

needs_package = pytest.mark.skipif(
    shutil.which("node") is None or not (JS / "dist" / "index.js").is_file() or not (JS / "node_modules").is_dir(),
    reason="there is no node, or js/ is not built (make js-test builds it)",
)


@pytest.fixture(scope="module")
def web_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web") / "model"
    done = CliRunner().invoke(export, ["--web", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


def test_the_manifest_names_every_file(web_model: Path) -> None:
    manifest = json.loads((web_model / MANIFEST_NAME).read_text())
    found = {path.name: path.stat().st_size for path in web_model.iterdir() if path.name != MANIFEST_NAME}
    assert {name: entry["bytes"] for name, entry in manifest["files"].items()} == found
    config, _ = read_model(None)
    assert manifest["config"]["bandwidths"] == {f"{b:g}": config.quantizers_for(b) for b in config.target_bandwidths}


def test_files_that_are_there_are_kept_unless_forced(web_model: Path) -> None:
    done = CliRunner().invoke(export, ["--web", str(web_model)])
    assert done.exit_code == 2
    assert "exists already" in done.output
    assert CliRunner().invoke(export, ["--web", "--force", str(web_model)]).exit_code == 0
    assert "leave --bandwidth out" in CliRunner().invoke(export, ["--web", "-b", "6", str(web_model)]).output


def test_weights_are_stored_without_loss() -> None:
    table = np.arange(12, dtype=np.float32).reshape(3, 4)
    arrays = {
        "odd": np.array([0.1, 3e9], np.float32),
        "table": table,
        "row": table[1],
        "half": np.array([0.5, -2], np.float32),
    }
    held = Weights(arrays)
    packed = held.packed()
    assert (held.halves, held.singles) == (14, 2)
    numbers = np.concatenate([np.frombuffer(packed, "<f2", 14), np.frombuffer(packed, "<f4", 2, 28)]).astype(np.float32)
    numbers[14:] = np.frombuffer(packed, "<f4", 2, 28)
    for name, array in arrays.items():
        at = held.offsets[name] // 4
        assert np.array_equal(numbers[at : at + array.size], array.ravel())


@needs_package
def test_files_made_in_node_are_read_here_and_back(web_model: Path, tmp_path: Path) -> None:
    codec = Codec.from_pretrained()
    audio = voice(1.25, codec.sampling_rate)
    (tmp_path / "clip.f32").write_bytes(audio.astype("<f4").tobytes())
    ours = {f"ours_{bandwidth:g}": codec.compress(audio, bandwidth) for bandwidth in codec.config.target_bandwidths}
    for name, data in ours.items():
        (tmp_path / f"{name}.ecdc").write_bytes(data)
    command = ["node", str(JS / "test" / "make_files.mjs"), str(web_model), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    for bandwidth in codec.config.target_bandwidths:
        stem = tmp_path / f"clip_{bandwidth:g}.js"
        data = stem.with_suffix(".js.ecdc").read_bytes()
        codes, _, num_samples = codec.unpack(data)
        assert num_samples == audio.shape[1]
        assert codes.T.astype("<i4").tobytes() == stem.with_suffix(".js.codes").read_bytes()
        assert codec.pack(codes, num_samples=num_samples) == data
        heard = np.frombuffer(stem.with_suffix(".js.audio").read_bytes(), "<f4")
        assert float(np.abs(heard - codec.decompress(data)[0]).max()) < 1e-4
    for name, data in ours.items():
        assert (tmp_path / f"{name}.again").read_bytes() == data


@needs_package
def test_a_stereo_model_in_segments_reads_here_what_node_wrote(tmp_path: Path) -> None:
    shape = peers.variant(
        presets.encodec_48khz(), num_filters=4, hidden_size=32, codebook_size=64, target_bandwidths=(1.8,)
    )
    peers.random_model(shape).save_pretrained(tmp_path / "model")
    done = CliRunner().invoke(export, ["--web", "-m", str(tmp_path / "model"), str(tmp_path / "web")])
    assert done.exit_code == 0, done.output
    codec = Codec.from_pretrained(tmp_path / "model")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "clip.f32").write_bytes(music(codec.config, 100_000).astype("<f4").tobytes())
    command = ["node", str(JS / "test" / "make_files.mjs"), str(tmp_path / "web"), str(tmp_path / "files")]
    subprocess.run(command, check=True, capture_output=True, text=True)
    data = (tmp_path / "files" / "clip_1.8.js.ecdc").read_bytes()
    codes, scales, num_samples = codec.unpack(data)
    assert codes.T.astype("<i4").tobytes() == (tmp_path / "files" / "clip_1.8.js.codes").read_bytes()
    assert scales is not None
    assert (len(scales), num_samples) == (3, 100_000)
    heard = np.frombuffer((tmp_path / "files" / "clip_1.8.js.audio").read_bytes(), "<f4")
    assert float(np.abs(heard - codec.decompress(data).ravel()).max()) < 1e-4
