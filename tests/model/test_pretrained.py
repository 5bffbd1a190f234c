"""Loading and saving models, in every layout in the wild."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors import torch as safetensors_torch

from recodec import checkpoint, presets
from recodec.config import EncodecConfig
from recodec.errors import CheckpointError, ConfigError
from recodec.model.encodec import EncodecModel
from support import peers

TINY = presets.tiny()
SEGMENTED = peers.variant(
    TINY, audio_channels=2, normalize=True, chunk_length_s=0.1, overlap=0.01, norm_type="time_group_norm",
    use_causal_conv=False,
)  # fmt: skip
CONFIGS = pytest.mark.parametrize("config", [TINY, SEGMENTED], ids=["causal", "segmented"])


def codes_of(model: Any, config: EncodecConfig, num_samples: int = 3000) -> torch.Tensor:
    with torch.no_grad():
        return model.encode(peers.noise(config, num_samples), bandwidth=config.target_bandwidths[-1])[0]


def metas_codes(model: Any, config: EncodecConfig, num_samples: int = 3000) -> torch.Tensor:
    model.set_target_bandwidth(config.target_bandwidths[-1])
    with torch.no_grad():
        segments = [codes for codes, _ in model.encode(peers.noise(config, num_samples))]
    longest = segments[0].shape[-1]
    return torch.stack([torch.nn.functional.pad(codes, (0, longest - codes.shape[-1])) for codes in segments])


def save_old_layout(model: Any, folder: Path, *, pickled: bool) -> None:
    """As `transformers` before torch 2 did it."""
    state = {
        name.replace("parametrizations.weight.original0", "weight_g")
            .replace("parametrizations.weight.original1", "weight_v"): tensor
        for name, tensor in model.state_dict().items()
    }  # fmt: skip
    assert any(name.endswith("weight_g") for name in state) == (model.config.norm_type == "weight_norm")
    model.config.save_pretrained(folder)
    if pickled:
        torch.save(state, folder / "pytorch_model.bin")
    else:
        safetensors_torch.save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


# ---- from others ---------------------------------------------------------------------------


@CONFIGS
def test_what_transformers_saves_we_load(config: EncodecConfig, tmp_path: Path) -> None:
    theirs = peers.hf_model(config)
    theirs.save_pretrained(tmp_path)
    ours = EncodecModel.from_pretrained(tmp_path)
    assert not ours.training
    assert torch.equal(codes_of(ours, config), codes_of(theirs, config))


@CONFIGS
@pytest.mark.parametrize("pickled", [False, True], ids=["safetensors", "bin"])
def test_older_files_of_transformers_are_loaded(config: EncodecConfig, pickled: bool, tmp_path: Path) -> None:
    theirs = peers.hf_model(config)
    save_old_layout(theirs, tmp_path, pickled=pickled)
    ours = EncodecModel.from_pretrained(str(tmp_path))
    assert torch.equal(codes_of(ours, config), codes_of(theirs, config))


@pytest.mark.parametrize("preset", [presets.encodec_24khz, presets.encodec_48khz])
def test_metas_released_models_are_recognized(preset: Any, tmp_path: Path) -> None:
    config = preset()
    theirs = peers.meta_model(config)
    path = tmp_path / "encodec-d7cc33bc.th"
    torch.save(theirs.state_dict(), path)
    ours = EncodecModel.from_pretrained(path)
    assert ours.config == config
    assert torch.equal(codes_of(ours, config), metas_codes(theirs, config))


@CONFIGS
@pytest.mark.parametrize("nested", [False, True], ids=["encodec", "audiocraft"])
def test_other_models_of_meta_need_a_configuration(config: EncodecConfig, nested: bool, tmp_path: Path) -> None:
    theirs = peers.meta_model(config)
    state = theirs.state_dict()
    torch.save({"best_state": state, "xp.cfg": "seed: 1"} if nested else state, tmp_path / "some.th")
    ours = EncodecModel.from_pretrained(tmp_path / "some.th", config=config)
    assert torch.equal(codes_of(ours, config), metas_codes(theirs, config))
    with pytest.raises(CheckpointError, match="give the configuration"):
        EncodecModel.from_pretrained(tmp_path / "some.th")


# ---- to others and back --------------------------------------------------------------------


@CONFIGS
@pytest.mark.parametrize("folded", [False, True], ids=["weight norm", "folded"])
def test_what_we_save_transformers_loads(config: EncodecConfig, folded: bool, tmp_path: Path) -> None:
    ours = peers.random_model(config)
    if folded:
        ours.fold_weight_norm()
    ours.save_pretrained(tmp_path)
    result: Any = transformers.EncodecModel.from_pretrained(tmp_path, output_loading_info=True)
    theirs, info = result
    assert not any(info.values()), info
    assert theirs.config.architectures == ["EncodecModel"]
    assert torch.equal(codes_of(ours, config), codes_of(theirs, config))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


@CONFIGS
def test_a_round_trip_keeps_every_bit(config: EncodecConfig, tmp_path: Path) -> None:
    model = peers.random_model(config)
    model.save_pretrained(tmp_path)
    loaded = EncodecModel.from_pretrained(tmp_path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    assert loaded.fingerprint() == model.fingerprint()
    assert checkpoint.fingerprint(checkpoint.read_model(tmp_path)[1], config) == model.fingerprint()


def test_folding_keeps_the_fingerprint_and_saving_undoes_it(tmp_path: Path) -> None:
    model = peers.random_model(TINY)
    fingerprint = model.fingerprint()
    folded = model.fold_weight_norm()
    assert folded is model
    assert folded.fingerprint() == fingerprint
    folded.save_pretrained(tmp_path)
    loaded = EncodecModel.from_pretrained(tmp_path)
    assert loaded.fingerprint() == fingerprint
    assert loaded.state_dict().keys() == checkpoint.expected_tensors(TINY).keys()
    for name, tensor in loaded.fold_weight_norm().state_dict().items():
        assert torch.equal(folded.state_dict()[name], tensor), name


def test_unknown_keys_of_a_config_are_written_back(tmp_path: Path) -> None:
    model = peers.random_model(peers.variant(TINY, extra={"someones_note": [1, 2], "dtype": "float64"}))
    model.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["someones_note"] == [1, 2]
    assert saved["model_type"] == "encodec"
    assert saved["torch_dtype"] == "float32"
    assert "dtype" not in saved
    assert EncodecModel.from_pretrained(tmp_path).config.extra["someones_note"] == [1, 2]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("folded", [False, True], ids=["weight norm", "folded"])
def test_half_precision_is_kept(dtype: torch.dtype, folded: bool, tmp_path: Path) -> None:
    model = peers.random_model(TINY).to(dtype)
    if folded:
        model.fold_weight_norm()
    model.save_pretrained(tmp_path)
    stored = safetensors_torch.load_file(tmp_path / "model.safetensors")
    assert {t.dtype for name, t in stored.items() if not name.endswith("original0")} == {dtype}
    assert EncodecModel.from_pretrained(tmp_path).fingerprint() == model.fingerprint()
    loaded = EncodecModel.from_pretrained(tmp_path, dtype=dtype)
    assert {t.dtype for t in loaded.state_dict().values()} == {dtype}
    result: Any = transformers.EncodecModel.from_pretrained(tmp_path, output_loading_info=True)
    _, info = result
    assert not any(info.values()), info


@pytest.mark.parametrize(
    "arguments", [{"dtype": "float64"}, {"torch_dtype": torch.float64}, {"dtype": "torch.float64"}]
)
def test_the_precision_may_be_chosen(arguments: dict[str, Any], tmp_path: Path) -> None:
    peers.random_model(TINY).save_pretrained(tmp_path)
    assert EncodecModel.from_pretrained(tmp_path).dtype == torch.float32
    assert EncodecModel.from_pretrained(tmp_path, **arguments, device="cpu").dtype == torch.float64


@pytest.mark.parametrize("dtype", ["int8", torch.int32, "nonsense", "nn"])
def test_what_is_no_precision_is_refused(dtype: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dtype must be"):
        EncodecModel.from_pretrained(tmp_path, dtype=dtype)


def test_the_number_of_parameters_is_that_of_transformers() -> None:
    ours, theirs = EncodecModel(TINY), peers.hf_model(TINY)
    assert ours.num_parameters() == theirs.num_parameters()
    ours.encoder.requires_grad_(False)
    assert ours.num_parameters(only_trainable=True) == sum(p.numel() for p in ours.decoder.parameters())


def test_the_hub_gets_what_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: dict[str, Any] = {}

    class Api:
        def __init__(self, token: Any) -> None:
            calls["token"] = token

        def create_repo(self, repo_id: str, **options: Any) -> Any:
            calls["create"] = (repo_id, options)
            return type("Url", (), {"repo_id": f"me/{repo_id}"})

        def upload_folder(self, *, folder_path: str, **options: Any) -> Any:
            calls["files"] = sorted(path.name for path in Path(folder_path).iterdir())
            calls["upload"] = options
            return type("Commit", (), {"commit_url": "https://hub/commit"})

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    model = peers.random_model(TINY)
    assert model.push_to_hub("codec", private=True, token="t", revision="dev") == "https://hub/commit"
    assert calls["create"] == ("codec", {"private": True, "exist_ok": True})
    assert calls["files"] == ["config.json", "model.safetensors"]
    assert (calls["token"], calls["upload"]["repo_id"], calls["upload"]["revision"]) == ("t", "me/codec", "dev")


# ---- faults --------------------------------------------------------------------------------


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    model = peers.random_model(TINY)
    model.save_pretrained(tmp_path)
    state = dict(model.state_dict())
    missing = state.pop("encoder.layers.0.conv.bias")
    safetensors_torch.save_file(state, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"missing: encoder\.layers\.0\.conv\.bias"):
        EncodecModel.from_pretrained(tmp_path)
    loaded = EncodecModel.from_pretrained(tmp_path, strict=False)
    assert loaded.state_dict()["encoder.layers.0.conv.bias"].shape == missing.shape
    with pytest.raises(CheckpointError, match="of shape"):
        EncodecModel.from_pretrained(tmp_path, config=peers.variant(TINY, num_filters=4))


class _Attack:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused(zipped: bool, tmp_path: Path) -> None:
    attack = {"encoder.layers.0.conv.bias": torch.zeros(2), "x": _Attack(tmp_path / "was here")}
    torch.save(attack, tmp_path / "evil.th", _use_new_zipfile_serialization=zipped)
    (tmp_path / "plain.th").write_bytes(pickle.dumps(attack["x"], protocol=2))
    for name in ("evil.th", "plain.th"):
        with pytest.raises(CheckpointError, match=name):
            EncodecModel.from_pretrained(tmp_path / name)
    assert not (tmp_path / "was here").exists()


def test_a_damaged_file_gives_one_clear_error(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"x": torch.zeros(5)}, buffer)
    whole, path = buffer.getvalue(), tmp_path / "some.th"
    for content in [b"", b"text", bytes(100), *(whole[:size] for size in range(1, len(whole), 97))]:
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"some\.th"):
            EncodecModel.from_pretrained(path)


@pytest.mark.parametrize(
    "state",
    [
        {"x": torch.zeros(1).expand(2**40)},
        {"x": torch.zeros(3, dtype=torch.int64)},
        {"x": torch.eye(3).to_sparse()},
        {"x": torch.zeros(3, device="meta")},
    ],
    ids=["expanded", "whole numbers", "sparse", "meta"],
)
def test_tensors_that_are_not_plain_are_refused(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "some.th")
    with pytest.raises(CheckpointError, match=r"x of .*some\.th is not a plain tensor"):
        EncodecModel.from_pretrained(tmp_path / "some.th")


@pytest.mark.parametrize("content", [[torch.zeros(3)], {"x": 1.0}, {"best_state": {"x": "y"}}, torch.zeros(2)])
def test_a_file_without_a_dictionary_of_tensors_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "some.th")
    with pytest.raises(CheckpointError, match="not hold a dictionary of tensors"):
        EncodecModel.from_pretrained(tmp_path / "some.th")


def test_a_compressed_file_is_refused(tmp_path: Path) -> None:
    torch.save({"x": torch.zeros(10_000)}, tmp_path / "some.th")
    with (
        zipfile.ZipFile(tmp_path / "some.th") as source,
        zipfile.ZipFile(tmp_path / "bomb.th", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for member in source.infolist():
            bomb.writestr(member.filename, source.read(member))
    with pytest.raises(CheckpointError, match="is compressed"):
        EncodecModel.from_pretrained(tmp_path / "bomb.th")


def test_settings_by_name_take_the_place_of_the_models(tmp_path: Path) -> None:
    peers.random_model(TINY).save_pretrained(tmp_path)
    assert not EncodecModel.from_pretrained(tmp_path, return_dict=False).config.return_dict
    assert EncodecModel.from_pretrained(tmp_path).config.return_dict
    with pytest.raises(CheckpointError, match="of shape"):
        EncodecModel.from_pretrained(tmp_path, num_filters=4)
    with pytest.raises(TypeError, match="return_dicts"):
        EncodecModel.from_pretrained(tmp_path, return_dicts=False)


def test_parts_by_the_methods_of_transformers() -> None:
    model = peers.random_model(TINY)
    assert model.get_encoder() is model.encoder
    assert model.get_decoder() is model.decoder
