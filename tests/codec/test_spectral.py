"""A model with two decoders: which one decodes, and that it is the model's."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner

from recodec import CheckpointError, Codec, ConfigError
from recodec.audio import read_audio
from recodec.checkpoint import write_spectral
from recodec.cli.decompress import decompress
from recodec.cli.export import export
from recodec.codec import ModelChoice
from support import codecs, peers, spectral
from support.spectral import HOP, MODEL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model with a spectral decoder beside it."""
    model = peers.random_model(MODEL)
    model.save_pretrained(tmp_path / "model")
    shape = spectral.config(codebooks=spectral.digest(model))
    write_spectral(tmp_path / "model", shape, spectral.tensors(spectral.decoder(shape)))
    return tmp_path / "model"


def _vocos(folder: Path, model: Any, *, safetensors: bool = False) -> Path:
    """A Vocos checkpoint for a model's codes."""
    content = spectral.vocos_settings(model.config, adapted=True)
    backbone, head = spectral.vocos_parts(content)
    state = {f"backbone.{name}": value for name, value in backbone.state_dict().items()}
    state |= {f"head.{name}": value for name, value in head.state_dict().items()}
    state["feature_extractor.codebook_weights"] = torch.cat([book.embed for book in model.quantizer.codebooks])
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    if safetensors:
        from safetensors.torch import save_file

        save_file({name: value.contiguous() for name, value in state.items()}, folder / "model.safetensors")
    else:
        torch.save(state, folder / "pytorch_model.bin")
    return folder


def test_auto_is_the_spectral_decoder_for_files_and_the_other_for_single_frames(folder: Path) -> None:
    codec, audio = Codec.from_pretrained(folder), codecs.music(MODEL, 40 * HOP)
    codes, _ = codec.encode(audio)
    own, second = (codec.decode(codes, decoder=name) for name in ("encodec", "spectral"))
    assert own.shape == second.shape == audio.shape
    assert not np.allclose(own, second)
    np.testing.assert_array_equal(codec.decode(codes), second)
    np.testing.assert_allclose(codec.decompress(codec.compress(audio)), second, atol=1e-6)
    for frames, expected in ((1, own), (4, second)):
        stream = codec.stream_decoder(grid_frames=frames)
        np.testing.assert_allclose(np.concatenate([stream.push(codes), stream.finish()], axis=1), expected, atol=1e-6)


def test_files_do_not_depend_on_the_decoder(folder: Path) -> None:
    audio = codecs.music(MODEL, 10 * HOP)
    files = [Codec.from_pretrained(folder, decoder=name).compress(audio) for name in ("encodec", "spectral")]
    assert files[0] == files[1]


def test_the_codec_keeps_its_choice(folder: Path) -> None:
    codec = Codec.from_pretrained(folder, decoder="encodec")
    codes, _ = codec.encode(codecs.music(MODEL, 10 * HOP))
    expected = codec.decode(codes, decoder="encodec")
    np.testing.assert_array_equal(codec.decode(codes), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(codec)).decode(codes), expected)


def test_torch_decodes_alike(folder: Path) -> None:
    codes, _ = Codec.from_pretrained(folder).encode(codecs.music(MODEL, 20 * HOP))
    onnx, torch_ = (Codec.from_pretrained(folder, engine=engine) for engine in ("onnx", "torch"))
    np.testing.assert_allclose(torch_.decode(codes), onnx.decode(codes), atol=1e-5)
    streams = [codec.stream_decoder(grid_frames=3) for codec in (onnx, torch_)]
    found = [np.concatenate([s.push(codes), s.finish()], axis=1) for s in streams]
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_integers_of_8_bits_change_the_spectral_decoder_alone(folder: Path) -> None:
    audio = codecs.music(MODEL, 20 * HOP)
    exact, rounded = (Codec.from_pretrained(folder, dtype=dtype) for dtype in (None, "int8"))
    assert rounded.compress(audio) == exact.compress(audio)
    codes, _ = exact.encode(audio)
    np.testing.assert_array_equal(rounded.decode(codes, decoder="encodec"), exact.decode(codes, decoder="encodec"))
    expected, found = exact.decode(codes, decoder="spectral"), rounded.decode(codes, decoder="spectral")
    assert not np.array_equal(expected, found)
    np.testing.assert_allclose(expected, found, rtol=0, atol=0.1 * float(np.abs(expected).max()))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(rounded)).decode(codes), found)


@pytest.mark.parametrize(
    "choice", [{"engine": "torch"}, {"device": "cuda"}, {"decoder": "encodec"}, {"name": "model.safetensors"}]
)
def test_integers_of_8_bits_that_cannot_be_are_refused(folder: Path, choice: dict[str, Any]) -> None:
    name = str(folder / choice.get("name", ""))
    with pytest.raises(ConfigError, match="dtype int8 takes the ONNX engine"):
        ModelChoice(**{**choice, "name": name}, dtype="int8").load_engine()


def test_latency_counts_the_look_ahead(folder: Path) -> None:
    codec = Codec.from_pretrained(folder)
    shape = spectral.config()
    wait_s = (shape.look_ahead_frames * HOP + shape.trim) / MODEL.sampling_rate
    own, second = codec.latency(), codec.latency(decoder="spectral")
    assert second.steady_s == pytest.approx(own.steady_s + wait_s)
    encoder, decoder, pushed = codec.stream_encoder(), codec.stream_decoder(decoder="spectral"), HOP
    audio = codecs.music(MODEL, 40 * HOP)
    while decoder.push(encoder.push(audio[:, pushed - HOP : pushed])).shape[1] == 0:
        pushed += HOP
    assert second.start_up_s == pytest.approx(pushed / MODEL.sampling_rate)


def test_a_model_without_one_says_so(tmp_path: Path) -> None:
    peers.random_model(MODEL).save_pretrained(tmp_path)
    codec = Codec.from_pretrained(tmp_path)
    assert codec.spectral_decoder is None
    with pytest.raises(ConfigError, match="has no spectral decoder"):
        codec.decode(np.zeros((1, 3), int), decoder="spectral")
    with pytest.raises(ConfigError, match="dtype int8 takes a spectral decoder, and this model has none"):
        Codec.from_pretrained(tmp_path, dtype="int8").decode(np.zeros((1, 3), int))
    with pytest.raises(ConfigError, match="auto, encodec, spectral"):
        codec.decode(np.zeros((1, 3), int), decoder="best")


def test_a_decoder_of_other_codes_is_refused(folder: Path) -> None:
    other = spectral.config(codebooks="0" * 64)
    write_spectral(folder, other, spectral.tensors(spectral.decoder(other)))
    with pytest.raises(CheckpointError, match="other codebooks"):
        Codec.from_pretrained(folder).decode(np.zeros((1, 3), int))


@pytest.mark.parametrize("damage", ["missing", "shape", "nan", "extra", "json"])
def test_damaged_files_are_refused(folder: Path, damage: str) -> None:
    shape = spectral.config()
    found = spectral.tensors(spectral.decoder(shape))
    if damage == "json":
        (folder / "spectral_config.json").write_text("[]")
    else:
        name = "backbone.convnext.0.gamma"
        changes = {"shape": {name: np.zeros(3, np.float32)}, "nan": {name: np.full_like(found[name], np.nan)},
                   "extra": {"more": found[name]}, "missing": {}}[damage]  # fmt: skip
        found = {key: value for key, value in found.items() if damage != "missing" or key != name} | changes
        from recodec.checkpoint import write_safetensors

        write_safetensors(folder / "spectral.safetensors", found)
    with pytest.raises((CheckpointError, ConfigError)):
        Codec.from_pretrained(folder).decode(np.zeros((1, 3), int))


@pytest.mark.parametrize("safetensors", [False, True])
@pytest.mark.parametrize("engine", ["onnx", "torch"])
@torch.no_grad()
def test_a_vocos_checkpoint_decodes_as_vocos(tmp_path: Path, engine: str, safetensors: bool) -> None:
    model = peers.random_model(MODEL)
    model.save_pretrained(tmp_path / "model")
    theirs = _vocos(tmp_path / "vocos", model, safetensors=safetensors)
    codec = Codec.from_pretrained(tmp_path / "model", engine=engine, decoder=theirs)
    backbone, head = spectral.vocos_parts(spectral.vocos_settings(MODEL, adapted=True))
    for condition, kbps in enumerate(MODEL.target_bandwidths):
        codes, _ = codec.encode(codecs.music(MODEL, 30 * HOP), kbps)
        latents = model.quantizer.dequantize(torch.from_numpy(codes)[None])
        expected = head(backbone(latents, bandwidth_id=torch.tensor([condition]))).numpy()
        np.testing.assert_allclose(codec.decode(codes), expected, atol=1e-4)


def test_a_vocos_for_other_weights_is_refused(tmp_path: Path) -> None:
    model = peers.random_model(MODEL)
    model.save_pretrained(tmp_path / "model")
    theirs = _vocos(tmp_path / "vocos", peers.random_model(MODEL, seed=1))
    with pytest.raises(CheckpointError, match="other codebooks"):
        Codec.from_pretrained(tmp_path / "model", decoder=theirs).decode(np.zeros((1, 3), int))


@pytest.mark.parametrize("content", ["[1, 2]", "a: [", "feature_extractor: {}", "{}"])
def test_a_bad_configuration_of_vocos_is_refused(tmp_path: Path, content: str) -> None:
    model = peers.random_model(MODEL)
    model.save_pretrained(tmp_path / "model")
    theirs = _vocos(tmp_path / "vocos", model)
    (theirs / "config.yaml").write_text(content)
    with pytest.raises((CheckpointError, ConfigError)):
        Codec.from_pretrained(tmp_path / "model", decoder=theirs).decode(np.zeros((1, 3), int))


def test_a_folder_without_a_decoder_is_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"spectral_config\.json"):
        Codec.from_pretrained(folder, decoder=tmp_path / "empty").decode(np.zeros((1, 3), int))


def test_the_commands_take_it(folder: Path, tmp_path: Path) -> None:
    codec = Codec.from_pretrained(folder)
    codes, _ = codec.encode(codecs.music(MODEL, 40 * HOP))
    (tmp_path / "x.ecdc").write_bytes(codec.pack(codes))
    found = {}
    for name in ("encodec", "spectral", "auto"):
        arguments = [
            str(tmp_path / "x.ecdc"),
            str(tmp_path / f"{name}.wav"),
            "--decoder",
            name,
            "--bits",
            "32",
        ]
        result = CliRunner().invoke(decompress, [*arguments, "-m", str(folder)])
        assert result.exit_code == 0, result.output
        found[name], _ = read_audio(tmp_path / f"{name}.wav")  # a floating-point WAV also holds the time of writing
    assert np.array_equal(found["auto"], found["spectral"])
    assert not np.array_equal(found["auto"], found["encodec"])
    for arguments, output in (
        ([], ""),
        (["--decoder", "encodec"], "takes the ONNX engine, a CPU and a spectral decoder"),
    ):
        target = str(tmp_path / "int8.wav")
        result = CliRunner().invoke(
            decompress, [str(tmp_path / "x.ecdc"), "-fo", target, "--int8", "-m", str(folder), *arguments]
        )
        assert output in str(result.exception or result.output)
    audio, _ = read_audio(tmp_path / "int8.wav")
    np.testing.assert_allclose(audio, found["auto"], rtol=0, atol=0.1 * float(np.abs(audio).max()))
    for arguments, output in ((["--web"], "leave --int8 out"), (["--decoder", "encodec"], "takes a spectral decoder")):
        result = CliRunner().invoke(export, [str(tmp_path / "none"), "--int8", "-m", str(folder), *arguments])
        assert output in result.output
    result = CliRunner().invoke(export, [str(tmp_path / "onnx"), "-m", str(folder)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "onnx" / "spectral.onnx").is_file()
    assert json.loads((folder / "spectral_config.json").read_text())["model_type"] == "recodec_spectral_decoder"
