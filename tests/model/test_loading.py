"""Weights in several files, arguments of loading that users of transformers pass, masks, and autocast."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from safetensors.torch import load_file, save_file

from recodec import EncodecConfig, presets
from recodec.checkpoint import read_model
from recodec.errors import AudioError, CheckpointError, ConfigError
from recodec.model.encodec import EncodecModel
from recodec.model.quantizer import nearest, offsets
from recodec.model.segments import overlap_add
from support.peers import noise, random_model, variant

TINY = presets.tiny()


def save(folder: Path) -> EncodecModel:
    model = random_model(TINY)
    model.save_pretrained(folder)
    return model


def shard(folder: Path) -> None:
    """Put the weights of a model into two files and an index."""
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    parts = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for name, part in parts.items():
        save_file({key: tensors[key] for key in part}, folder / name)
    index = {"weight_map": {key: name for name, part in parts.items() for key in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").unlink()


def test_weights_in_several_files_are_read(tmp_path: Path) -> None:
    fingerprint = save(tmp_path).fingerprint()
    shard(tmp_path)
    assert EncodecModel.from_pretrained(tmp_path).fingerprint() == fingerprint
    assert len(read_model(tmp_path)[1]) > 10
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"b\.safetensors"):
        EncodecModel.from_pretrained(tmp_path)


@pytest.mark.parametrize("index", [b"{", b"[]", b'{"weight_map": 3}', b'{"weight_map": {}}',
                                   b'{"weight_map": {"x": "../b.safetensors"}}', b'{"weight_map": {"x": 3}}',
                                   b'{"weight_map": {"x": "/etc/passwd"}}'])  # fmt: skip
def test_an_index_that_is_not_valid_is_refused(index: bytes, tmp_path: Path) -> None:
    save(tmp_path)
    shard(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_bytes(index)
    with pytest.raises(CheckpointError, match=r"index|beside"):
        EncodecModel.from_pretrained(tmp_path)


def test_a_subfolder_and_a_variant(tmp_path: Path) -> None:
    fingerprint = save(tmp_path / "codec").fingerprint()
    (tmp_path / "codec" / "model.safetensors").rename(tmp_path / "codec" / "model.fp16.safetensors")
    loaded = EncodecModel.from_pretrained(tmp_path, subfolder="codec", variant="fp16")
    assert loaded.fingerprint() == fingerprint
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        EncodecModel.from_pretrained(tmp_path, subfolder="codec")


@pytest.mark.parametrize("arguments", [
    {"low_cpu_mem_usage": True}, {"trust_remote_code": False}, {"attn_implementation": "eager"},
    {"output_loading_info": False}, {"device_map": "cpu"}, {"use_safetensors": True},
])  # fmt: skip
def test_usual_arguments_are_taken(arguments: dict[str, Any], tmp_path: Path) -> None:
    fingerprint = save(tmp_path).fingerprint()
    assert EncodecModel.from_pretrained(tmp_path, **arguments).fingerprint() == fingerprint
    assert EncodecModel.from_pretrained(pretrained_model_name_or_path=tmp_path, **arguments).dtype == torch.float32


def test_other_arguments_are_refused(tmp_path: Path) -> None:
    save(tmp_path)
    refused: list[dict[str, Any]] = [{"output_loading_info": True}, {"bandwith": 6.0}]
    for arguments in refused:
        with pytest.raises(TypeError, match=next(iter(arguments))):
            EncodecModel.from_pretrained(tmp_path, **arguments)
    with pytest.raises(CheckpointError, match="pytorch_model"):
        EncodecModel.from_pretrained(tmp_path, use_safetensors=False)
    with pytest.raises(ConfigError, match="safetensors"):
        EncodecModel(TINY).save_pretrained(tmp_path / "new", safe_serialization=False)


def test_auto_is_the_precision_of_the_file(tmp_path: Path) -> None:
    random_model(TINY).to(torch.float16).save_pretrained(tmp_path)
    assert EncodecModel.from_pretrained(tmp_path, dtype="auto").dtype == torch.float16
    assert EncodecModel.from_pretrained(tmp_path).dtype == torch.float32


def test_a_configuration_of_another_library_is_refused() -> None:
    with pytest.raises(TypeError, match="EncodecConfig"):
        EncodecModel(TINY.to_dict())  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("shape", [(3000,), (1, 3000), (3, 3000), (3, 1, 3000)])
def test_a_mask_may_be_that_of_every_item(shape: tuple[int, ...]) -> None:
    model = random_model(TINY)
    x = noise(TINY, 3000, batch=3)
    mask = (torch.arange(3000) < 2000).expand(shape)
    found = model.encode(x, mask).audio_codes
    x[..., 2000:] = 0
    assert torch.equal(found, model.encode(x).audio_codes)


def test_a_mask_of_another_batch_is_refused() -> None:
    with pytest.raises(AudioError, match="3 items"):
        random_model(TINY).encode(noise(TINY, 300, batch=3), torch.ones(2, 300, dtype=torch.bool))


def test_codebooks_are_searched_in_float32_under_autocast() -> None:
    embed = random_model(TINY).state_dict()["quantizer.layers.0.codebook.embed"]
    x = torch.randn(2, 4000, embed.shape[1], generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        under = nearest(x, embed, offsets(embed))
    assert torch.equal(under, nearest(x, embed, offsets(embed)))


def test_segments_are_added_in_the_precision_of_the_model() -> None:
    config = variant(TINY, chunk_length_s=0.1, overlap=0.1)
    pieces = [noise(config, 100).double() for _ in range(3)]
    weight = 0.5 - (torch.arange(1, 101, dtype=torch.float64) / 101 - 0.5).abs()
    total, weights = torch.zeros(280, dtype=torch.float64), torch.zeros(280, dtype=torch.float64)
    for k, piece in enumerate(pieces):
        total[90 * k : 90 * k + 100] += weight * piece[0, 0]
        weights[90 * k : 90 * k + 100] += weight
    found = overlap_add(pieces, 90, [None] * 3)
    assert found.dtype == torch.float64
    assert (found[0, 0] - total / weights).abs().max() < 1e-14
    assert overlap_add([piece.float() for piece in pieces], 90, [None] * 3).dtype == torch.float32


def test_a_configuration_of_transformers_comes_as_a_dict() -> None:
    peer = pytest.importorskip("transformers").EncodecConfig()
    assert EncodecConfig.from_dict(peer.to_dict()).sampling_rate == 24_000


def test_a_configuration_keeps_keywords_that_it_does_not_know(caplog: pytest.LogCaptureFixture) -> None:
    settings: dict[str, Any] = {"chunk_in_sec": None}
    config = EncodecConfig(**settings, extra={"mine": 1})
    assert config.extra == {"mine": 1, "chunk_in_sec": None}
    assert EncodecConfig.from_dict(config.to_dict()).extra == config.extra
    assert not caplog.messages
    misspelt: dict[str, Any] = {"sampling_rte": 16_000}
    assert EncodecConfig(**misspelt).sampling_rate == 24_000
    assert caplog.messages == ["EncodecConfig has no field sampling_rte, and ignores it. Did you mean sampling_rate?"]


@pytest.mark.parametrize("strict", [False, True])
@torch.no_grad()
def test_torch_exports_a_call_of_the_model(strict: bool) -> None:
    model, x = random_model(TINY).eval(), noise(TINY, 2400, batch=2)
    found, expected = torch.export.export(model, (x,), strict=strict).module()(x), model(x)
    assert type(found) is type(expected)
    assert torch.equal(found.audio_codes, expected.audio_codes)
    torch.testing.assert_close(found.audio_values, expected.audio_values)


def test_shards_of_a_variant_are_found_as_transformers_names_them(tmp_path: Path) -> None:
    peer = pytest.importorskip("transformers")
    theirs = peer.EncodecModel(peer.EncodecConfig(num_filters=4, hidden_size=16, codebook_dim=16, codebook_size=32))
    theirs.save_pretrained(tmp_path, variant="fp16", max_shard_size="50KB")
    assert (tmp_path / "model.safetensors.index.fp16.json").is_file()
    ours = EncodecModel.from_pretrained(tmp_path, variant="fp16")
    assert torch.equal(ours.state_dict()["encoder.layers.0.conv.bias"], theirs.encoder.layers[0].conv.bias)


@pytest.mark.filterwarnings("ignore")  # the exporter warns of every shape that it takes for a constant
def test_torch_exports_encode_and_decode_to_onnx(tmp_path: Path) -> None:
    model = random_model(TINY)
    x = noise(TINY, 2400, batch=2)
    codes = model.encode(x).audio_codes

    class Encode(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.model.encode(x, return_dict=False)[0]

    class Decode(Encode):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.model.decode(x, [None], return_dict=False)[0]

    for module, given, expected in ((Encode(), x, codes), (Decode(), codes, model.decode(codes, [None])[0])):
        path = tmp_path / "model.onnx"
        torch.onnx.export(module.eval(), (given,), path, dynamo=False, opset_version=17)
        session = onnxruntime.InferenceSession(path)
        found = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: given.numpy()})[0])
        torch.testing.assert_close(found, expected.detach(), rtol=0, atol=1e-4)
