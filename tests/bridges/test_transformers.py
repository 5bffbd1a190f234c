"""The bridge against `transformers.EncodecModel`: same files, same codes, same audio."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import recodec
from recodec import presets
from recodec.bridges import transformers as bridge
from recodec.config import EncodecConfig
from recodec.errors import AudioError, ConfigError
from support.closeness import assert_close
from support.peers import hf_model, noise, random_model, variant

TINY = presets.tiny()
STEREO = variant(
    TINY, audio_channels=2, normalize=True, chunk_length_s=0.1, overlap=0.01, norm_type="time_group_norm",
    use_causal_conv=False,
)  # fmt: skip
MODELS = pytest.mark.parametrize("config", [TINY, STEREO], ids=["tiny", "stereo"])


@pytest.fixture(autouse=True)
def _no_grad():
    with torch.no_grad():
        yield


def assert_equal_results(a: Any, b: Any, config: EncodecConfig) -> None:
    x = noise(config, 5000)
    first, second = (model(x, bandwidth=config.target_bandwidths[-1]) for model in (a, b))
    assert torch.equal(first.audio_codes, second.audio_codes)
    assert_close(first.audio_values, second.audio_values)


@MODELS
def test_checkpoints_of_theirs_are_ours(config: EncodecConfig, tmp_path: Path) -> None:
    theirs = hf_model(config)
    theirs.save_pretrained(tmp_path)
    loaded: Any = bridge.EncodecModel.from_pretrained(tmp_path, output_loading_info=True)
    ours, report = loaded
    assert not any(report.values())
    assert_equal_results(ours, theirs, config)


@MODELS
def test_checkpoints_of_ours_are_theirs(config: EncodecConfig, tmp_path: Path) -> None:
    ours = bridge.EncodecModel.sharing(random_model(config))
    ours.save_pretrained(tmp_path)
    loaded: Any = transformers.EncodecModel.from_pretrained(tmp_path, output_loading_info=True)
    theirs, report = loaded
    assert not any(report.values())
    assert_equal_results(ours, theirs, config)
    assert_equal_results(ours, recodec.EncodecModel.from_pretrained(tmp_path), config)


def test_checkpoints_with_the_old_names_of_weight_norm_load(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    theirs = hf_model(TINY)
    theirs.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}  # Windows locks the file with the others
    for new, old in (("original0", "weight_g"), ("original1", "weight_v")):
        tensors = {name.replace(f"parametrizations.weight.{new}", old): t for name, t in tensors.items()}
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert_equal_results(bridge.EncodecModel.from_pretrained(tmp_path), theirs, TINY)


@MODELS
def test_outputs_are_theirs(config: EncodecConfig) -> None:
    theirs = hf_model(config)
    ours = bridge.EncodecModel.sharing(theirs)
    x = noise(config, 4000)
    a, b = theirs.encode(x), ours.encode(x)
    assert type(b) is type(a)
    assert list(b.keys()) == list(a.keys())
    assert torch.equal(b.audio_codes, a.audio_codes)
    assert b.last_frame_pad_length == a.last_frame_pad_length
    c, d = (model.decode(**a) for model in (theirs, ours))
    assert type(c) is type(d)
    assert_close(d.audio_values, c.audio_values)
    e, f = (model(x) for model in (theirs, ours))
    assert type(e) is type(f)
    for method, arguments in (("encode", (x,)), ("decode", tuple(a.values())[:2]), ("forward", (x,))):
        plain = [getattr(model, method)(*arguments, return_dict=False) for model in (theirs, ours)]
        assert type(plain[0]) is type(plain[1]) is tuple
        assert len(plain[0]) == len(plain[1])


def test_the_quantizer_has_their_axes() -> None:
    theirs = hf_model(TINY)
    ours = bridge.EncodecModel.sharing(theirs)
    latents = theirs.encoder(noise(TINY, 4000, batch=2))
    for bandwidth in (None, *TINY.target_bandwidths):
        a, b = (model.quantizer.encode(latents, bandwidth) for model in (theirs, ours))
        assert torch.equal(a, b)
        assert_close(ours.quantizer.decode(b), theirs.quantizer.decode(a))


def test_a_padded_batch_gives_each_item_what_it_gets_alone() -> None:
    ours = bridge.EncodecModel.sharing(random_model(STEREO))
    x = noise(STEREO, 5000, batch=2)
    mask = torch.ones(2, 5000)
    mask[1, 3000:] = 0
    together = ours(x, mask).audio_values[1:, :, :3000]
    alone = ours(x[1:, :, :3000]).audio_values
    assert_close(together, alone, 1e-5)
    encoded = ours.encode(x, mask)
    decoded = ours.decode(encoded.audio_codes, encoded.audio_scales, mask, None, encoded.last_frame_pad_length)
    assert_close(decoded.audio_values[1:, :, :3000], alone, 1e-5)
    assert decoded.audio_values.shape == x.shape


def test_a_changed_configuration_counts_from_then_on() -> None:
    ours = bridge.EncodecModel.sharing(hf_model(STEREO))
    x = noise(STEREO, 5000)
    assert len(ours.encode(x).audio_codes) == 3
    ours.config.chunk_length_s = 0.2
    assert len(ours.encode(x).audio_codes) == 2


@pytest.mark.parametrize("fresh", [lambda: random_model(TINY), lambda: hf_model(TINY)], ids=["ours", "theirs"])
def test_weights_are_shared(fresh: Any) -> None:
    model = fresh()
    ours = bridge.EncodecModel.sharing(model)
    codec = ours.codec
    for other in (ours, codec):
        assert all(a is b for a, b in zip(other.parameters(), model.parameters(), strict=True))
    assert not ours.training
    assert codec.encode_latents(noise(TINY, 640)).latents.shape == (1, 1, TINY.hidden_size, 2)


def test_a_folded_model_is_neither_shared_nor_saved(tmp_path: Path) -> None:
    model = random_model(TINY)
    ours = bridge.EncodecModel.sharing(model)
    for codec in (model, ours.codec):
        codec.fold_weight_norm()
    with pytest.raises(ConfigError, match=r"folded: share it before"):
        bridge.EncodecModel.sharing(model)
    with pytest.raises(ConfigError, match=r"folded: save it before"):
        ours.save_pretrained(tmp_path)
    assert not list(tmp_path.iterdir())


def test_missing_weights_become_finite_random_ones(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    theirs = hf_model(TINY)
    theirs.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {name: t.clone() for name, t in tensors.items() if "lstm" not in name and "layers.1.codebook" not in name}
    assert len(kept) < len(tensors)
    del tensors  # with which Windows locks the file
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    ours = bridge.EncodecModel.from_pretrained(tmp_path)
    bound = (TINY.num_filters * 16) ** -0.5
    layer: Any = ours.encoder.layers[13]
    assert all(0 < float(p.abs().max()) <= bound for p in layer.lstm.parameters())
    book = ours.quantizer.codebooks[1]
    assert float(book.inited) == 1
    assert not book.embed.any()
    assert not book.cluster_size.any()


def test_half_precision(tmp_path: Path) -> None:
    theirs = hf_model(TINY).to(torch.bfloat16)
    theirs.save_pretrained(tmp_path)
    ours = bridge.EncodecModel.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert ours.dtype == torch.bfloat16
    assert ours(noise(TINY, 4000).bfloat16()).audio_values.dtype == torch.bfloat16


def test_gradients_reach_the_decoder() -> None:
    ours = bridge.EncodecModel.sharing(random_model(TINY))
    with torch.enable_grad():
        ours(noise(TINY, 1000)).audio_values.sum().backward()
    assert all(parameter.grad is not None for parameter in ours.decoder.parameters())


def test_a_configuration_without_a_network_is_refused() -> None:
    config = bridge.EncodecConfig(codebook_size=1000)
    with pytest.raises(ConfigError, match="a power of 2"):
        bridge.EncodecModel(config)


# ---- the Auto classes ------------------------------------------------------------------------


def test_the_auto_classes_make_ours_while_registered(tmp_path: Path, registered: None) -> None:
    model = bridge.EncodecModel.sharing(random_model(TINY))
    model.save_pretrained(tmp_path)
    bridge.EncodecFeatureExtractor().save_pretrained(tmp_path)
    assert type(transformers.AutoConfig.from_pretrained(tmp_path)) is bridge.EncodecConfig
    assert type(transformers.AutoConfig.for_model("encodec")) is bridge.EncodecConfig
    assert type(transformers.AutoModel.from_config(model.config)) is bridge.EncodecModel
    assert type(transformers.AutoFeatureExtractor.from_pretrained(tmp_path)) is bridge.EncodecFeatureExtractor
    assert type(transformers.AutoProcessor.from_pretrained(tmp_path)) is bridge.EncodecFeatureExtractor
    loaded = transformers.AutoModel.from_pretrained(tmp_path)
    assert type(loaded) is bridge.EncodecModel
    assert_equal_results(loaded, model, TINY)
    assert type(transformers.EncodecModel.from_pretrained(tmp_path)) is transformers.EncodecModel

    bridge.unregister()
    assert type(transformers.AutoModel.from_pretrained(tmp_path)) is transformers.EncodecModel
    assert type(transformers.AutoProcessor.from_pretrained(tmp_path)) is transformers.EncodecFeatureExtractor


def test_importing_registers_nothing() -> None:
    assert type(transformers.AutoConfig.for_model("encodec")) is transformers.EncodecConfig


# ---- the feature extractor -------------------------------------------------------------------


@pytest.mark.parametrize("tensors", [None, "np", "pt", transformers.TensorType.PYTORCH])
def test_features_are_theirs(tensors: Any) -> None:
    settings: dict[str, Any] = {"feature_size": 2, "sampling_rate": 24_000, "chunk_length_s": 0.1, "overlap": 0.01}
    theirs, ours = transformers.EncodecFeatureExtractor(**settings), bridge.EncodecFeatureExtractor(**settings)
    generator = np.random.default_rng(0)
    audio = [generator.standard_normal((2, size), np.float32) for size in (3000, 5000)]
    a, b = (make(audio, padding=True, return_tensors=tensors, sampling_rate=24_000) for make in (theirs, ours))
    assert type(a) is type(b)
    for key in ("input_values", "padding_mask"):
        assert type(a[key]) is type(b[key])
        assert np.array_equal(np.stack(list(a[key])), np.stack(list(b[key])))


def test_settings_of_features_go_both_ways(tmp_path: Path) -> None:
    ours = bridge.EncodecFeatureExtractor(feature_size=2, chunk_length_s=0.1, overlap=0.25)
    ours.save_pretrained(tmp_path)
    assert "feature_extractor_type" not in json.loads((tmp_path / "preprocessor_config.json").read_text())
    for kind in (bridge.EncodecFeatureExtractor, transformers.EncodecFeatureExtractor, recodec.EncodecFeatureExtractor):
        read = kind.from_pretrained(tmp_path)
        assert (read.feature_size, read.chunk_length, read.chunk_stride) == (2, 2400, 1800)
    transformers.EncodecFeatureExtractor(overlap=0.5).save_pretrained(tmp_path)
    assert bridge.EncodecFeatureExtractor.from_pretrained(tmp_path).overlap == 0.5


def test_bad_features_are_our_errors() -> None:
    with pytest.raises(AudioError, match="sampling rate"):
        bridge.EncodecFeatureExtractor()([0.0, 1.0], sampling_rate=16_000)
