"""Names, folding, fingerprints and files of weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import utils as hub_errors
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import numpy as safetensors_numpy
from safetensors import torch as safetensors_torch

from recodec import checkpoint, hub, presets
from recodec.config import EncodecConfig
from recodec.errors import CheckpointError, ConfigError
from recodec.hub import model_name
from support import peers

TINY = presets.tiny()
GROUP_NORM = peers.variant(TINY, norm_type="time_group_norm", use_causal_conv=False, audio_channels=2, normalize=True)
CONFIGS = {"weight norm": TINY, "group norm": GROUP_NORM}


def numbers(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """float32 values from -1 to 1 by whole-number arithmetic: the same with any version of anything."""
    index = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(seed * 7919 + 1)
    return ((index * np.uint64(40503)) % np.uint64(65536)).astype(np.float32).reshape(shape) / 32768 - 1


def tensors_of(config: EncodecConfig) -> dict[str, np.ndarray]:
    expected = checkpoint.expected_tensors(config)
    return {name: numbers(shape, seed) for seed, (name, shape) in enumerate(expected.items())}


def to_old_weight_norm(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Hugging Face's names before torch 2: how most checkpoints on the hub are stored."""
    old = {".parametrizations.weight.original0": ".weight_g", ".parametrizations.weight.original1": ".weight_v"}
    renamed = {}
    for name, tensor in tensors.items():
        for ours, theirs in old.items():
            name = name.replace(ours, theirs)
        renamed[name] = tensor
    return renamed


def assert_same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


# ---- names ---------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", [presets.encodec_24khz, presets.encodec_48khz, presets.encodec_32khz, presets.tiny])
def test_expected_tensors_are_those_of_transformers_and_of_our_model(preset: Any) -> None:
    config = preset()
    expected = checkpoint.expected_tensors(config)
    with torch.device("meta"):
        from transformers import EncodecConfig as HfConfig
        from transformers import EncodecModel as HfModel

        theirs, ours = HfModel(HfConfig(**config.to_dict())), peers.EncodecModel(config)
    assert expected == {name: tuple(t.shape) for name, t in theirs.state_dict().items()}
    assert expected == {name: tuple(t.shape) for name, t in ours.state_dict().items()}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_layouts_of_transformers_become_ours(config: EncodecConfig) -> None:
    tensors = peers.to_arrays(peers.hf_model(config).state_dict())
    assert_same(checkpoint.conform(tensors, config), tensors)
    assert_same(checkpoint.conform(to_old_weight_norm(tensors), config), tensors)


@pytest.mark.parametrize(
    ("config", "pairs"),
    [
        (
            TINY,
            {
                "encoder.layers.0.conv.parametrizations.weight.original0": "encoder.model.0.conv.conv.weight_g",
                "encoder.layers.1.block.3.conv.bias": "encoder.model.1.block.3.conv.conv.bias",
                "encoder.layers.1.shortcut.conv.parametrizations.weight.original1":
                    "encoder.model.1.shortcut.conv.conv.weight_v",
                "encoder.layers.13.lstm.weight_hh_l0": "encoder.model.13.lstm.weight_hh_l0",
                "decoder.layers.3.conv.parametrizations.weight.original1": "decoder.model.3.convtr.convtr.weight_v",
                "quantizer.layers.1.codebook.embed": "quantizer.vq.layers.1._codebook.embed",
            },
        ),
        (
            GROUP_NORM,
            {
                "encoder.layers.0.conv.weight": "encoder.model.0.conv.conv.weight",
                "encoder.layers.0.norm.weight": "encoder.model.0.conv.norm.weight",
                "decoder.layers.3.conv.weight": "decoder.model.3.convtr.convtr.weight",
                "decoder.layers.3.norm.bias": "decoder.model.3.convtr.norm.bias",
            },
        ),
    ],
    ids=CONFIGS.keys(),
)  # fmt: skip
def test_metas_layout_becomes_ours(config: EncodecConfig, pairs: dict[str, str]) -> None:
    tensors = peers.to_arrays(peers.meta_model(config).state_dict())
    conformed = checkpoint.conform(tensors, config)
    assert conformed.keys() == checkpoint.expected_tensors(config).keys()
    for ours, theirs in pairs.items():
        np.testing.assert_array_equal(conformed[ours], tensors[theirs], err_msg=ours)


def test_folded_weights_become_ours_and_make_the_same_network() -> None:
    folded = checkpoint.fold(tensors_of(TINY), TINY)
    assert "encoder.layers.0.conv.weight" in folded
    conformed = checkpoint.conform(folded, TINY)
    assert conformed.keys() == checkpoint.expected_tensors(TINY).keys()
    assert_same(checkpoint.fold(conformed, TINY), folded)


def test_known_models_are_recognized_by_their_shapes() -> None:
    for preset in (presets.encodec_24khz, presets.encodec_48khz, presets.encodec_32khz, presets.recodec_24khz):
        shapes = {n: np.broadcast_to(np.float32(0), s) for n, s in checkpoint.expected_tensors(preset()).items()}
        assert checkpoint.guess_config(to_old_weight_norm(shapes)) == preset()
    with pytest.raises(CheckpointError, match="no known model"):
        checkpoint.guess_config(tensors_of(TINY))


def test_every_fault_is_named() -> None:
    good = tensors_of(TINY)
    bad = dict(good)
    del bad["decoder.layers.0.conv.bias"]
    bad["encoder.nonsense"] = np.zeros(3, np.float32)
    bad["quantizer.layers.0.codebook.embed"] = np.zeros((3, 4), np.float32)
    bad["quantizer.layers.1.codebook.embed"] = np.zeros((64, 16), np.int64)
    bad["quantizer.layers.2.codebook.embed"] = np.full((64, 16), np.nan, np.float32)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.conform(bad, TINY)
    assert str(caught.value).splitlines()[1:] == [
        "  missing: decoder.layers.0.conv.bias",
        "  of shape (3, 4) in place of (64, 16): quantizer.layers.0.codebook.embed",
        "  of type int64 in place of floating point: quantizer.layers.1.codebook.embed",
        "  not finite: quantizer.layers.2.codebook.embed",
        "  unexpected: encoder.nonsense",
    ]


def test_of_many_faults_ten_are_named_and_the_rest_counted() -> None:
    expected = checkpoint.expected_tensors(TINY)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.conform({}, TINY)
    lines = str(caught.value).splitlines()[1:]
    assert len(lines) == 11
    assert lines[-1] == f"  and {len(expected) - 10} more"


def test_without_strictness_missing_and_unexpected_tensors_are_left_out_but_misshapen_ones_are_refused() -> None:
    some = {"encoder.layers.0.conv.bias": np.zeros(2, np.float32), "other": np.zeros(1, np.float32)}
    assert checkpoint.conform(some, TINY, strict=False).keys() == {"encoder.layers.0.conv.bias"}
    with pytest.raises(CheckpointError, match="of shape"):
        checkpoint.conform({"encoder.layers.0.conv.bias": np.zeros(3, np.float32)}, TINY, strict=False)


def test_two_names_for_one_tensor_are_refused() -> None:
    twice = tensors_of(TINY)
    twice["encoder.model.0.conv.conv.bias"] = twice["encoder.layers.0.conv.bias"]
    with pytest.raises(CheckpointError, match="the same tensor"):
        checkpoint.conform(twice, TINY)


# ---- weight norm ---------------------------------------------------------------------------


@pytest.mark.parametrize("module", [torch.nn.Conv1d(5, 4, 7), torch.nn.ConvTranspose1d(5, 4, 6)])
def test_folding_is_what_torch_computes(module: torch.nn.Module) -> None:
    normed: Any = torch.nn.utils.parametrizations.weight_norm(module)
    gain, direction = (p.detach().numpy() for p in normed.parametrizations.weight.parameters())
    folded = checkpoint.fold_weight(gain * 1.7, direction)
    np.testing.assert_allclose(folded, normed.weight.detach().numpy() * 1.7, rtol=3e-7)


@given(st.integers(1, 5), st.integers(1, 300), st.integers(-40, 30), st.integers(0, 2**31))
@settings(deadline=None, max_examples=50, derandomize=True)
def test_unfolding_then_folding_gives_the_same_bits(rows: int, columns: int, exponent: int, seed: int) -> None:
    weight = np.random.default_rng(seed).standard_normal((rows, columns, 3)).astype(np.float32) * np.float32(
        2.0**exponent
    )
    gain, direction = checkpoint.unfold_weight(weight)
    assert gain.shape == (rows, 1, 1)
    np.testing.assert_allclose(gain.ravel(), np.sqrt(np.square(weight.astype(float)).sum((1, 2))), rtol=1e-7)
    np.testing.assert_array_equal(checkpoint.fold_weight(gain, direction), weight)


@given(st.integers(2, 5000), st.integers(0, 2**31))
@settings(deadline=None, max_examples=50, derandomize=True)
def test_folding_does_not_depend_on_the_order_of_sums(columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    direction = (rng.standard_normal((2, columns)) * np.exp(3 * rng.standard_normal((2, columns)))).astype(np.float32)
    gain, order = rng.random((2, 1)).astype(np.float32), rng.permutation(columns)
    np.testing.assert_array_equal(
        checkpoint.fold_weight(gain, direction[:, order]), checkpoint.fold_weight(gain, direction)[:, order]
    )


def test_folding_does_not_depend_on_the_order_of_sums_where_it_would_show() -> None:
    # The norm lies halfway between two float32, but for numbers that a float64 forgets if they are added
    # to the large one, each by itself, and not if they are added up first.
    direction = np.zeros((1, 128), np.float32)
    direction[0, [0, 1, 2, 3]] = [1, 2.0**-12, 2.0**-12, 2.0**-24]
    direction[0, 8::8] = 2.0**-27
    gain = np.ones((1, 1), np.float32)
    backwards = checkpoint.fold_weight(gain, direction[:, ::-1])[:, ::-1]
    np.testing.assert_array_equal(checkpoint.fold_weight(gain, direction), backwards)


def test_weights_of_zero_survive_torch() -> None:
    gain, direction = checkpoint.unfold_weight(np.zeros((2, 3, 1), np.float32))
    assert not checkpoint.fold_weight(gain, direction).any()
    assert not checkpoint.fold_weight(np.ones((2, 1, 1)), np.zeros((2, 3, 1), np.float32)).any()
    assert not torch.ops.aten._weight_norm(torch.from_numpy(direction), torch.from_numpy(gain)).any()


# ---- fingerprints --------------------------------------------------------------------------


def test_fingerprints_are_pinned() -> None:
    """Files carry them: these may never change, on any machine."""
    size: dict[str, Any] = {"hidden_size": 16, "num_filters": 2, "codebook_size": 64, "num_lstm_layers": 1}
    causal = EncodecConfig(**size, target_bandwidths=(0.45, 0.9))
    segmented = EncodecConfig(
        **size,
        target_bandwidths=(0.9,),
        sampling_rate=48_000,
        audio_channels=2,
        normalize=True,
        chunk_length_s=1,
        overlap=0.01,
        norm_type="time_group_norm",
        use_causal_conv=False,
    )
    assert (
        checkpoint.fingerprint(tensors_of(causal), causal)
        == "375ec8c78cd3b8662dd48a4be878604178bc8b7bbef4f0eb755088b86060f24a"
    )
    assert (
        checkpoint.fingerprint(tensors_of(segmented), segmented)
        == "5bbbac5c11ee3743a4ad75cc9e85a36f15b9ba6bfacfc79b1cb8c5c025a81e31"
    )


def test_a_fingerprint_does_not_depend_on_layout_folding_or_training() -> None:
    tensors = tensors_of(TINY)
    expected = checkpoint.fingerprint(tensors, TINY)
    assert checkpoint.fingerprint(checkpoint.conform(to_old_weight_norm(tensors), TINY), TINY) == expected
    folded = checkpoint.fold(tensors, TINY)
    assert checkpoint.fingerprint(folded, TINY) == expected
    assert checkpoint.fingerprint(checkpoint.conform(folded, TINY), TINY) == expected
    trained = {n: t + 1 if "cluster_size" in n or "embed_avg" in n else t for n, t in tensors.items()}
    assert checkpoint.fingerprint(trained, TINY) == expected
    assert checkpoint.fingerprint(tensors, peers.variant(TINY, target_bandwidths=(3.6,))) == expected


def test_a_fingerprint_depends_on_every_tensor_that_inference_uses() -> None:
    tensors = tensors_of(TINY)
    seen = {checkpoint.fingerprint(tensors, TINY)}
    used = [n for n in tensors if not n.endswith(("inited", "cluster_size", "embed_avg"))]
    for name in used:
        changed = tensors[name] * np.float32(-1.5)  # all that matters of a direction of one number is its sign
        seen.add(checkpoint.fingerprint({**tensors, name: changed}, TINY))
    assert len(seen) == len(used) + 1


@pytest.mark.parametrize(
    "change",
    [{"pad_mode": "constant"}, {"sampling_rate": 16_000, "target_bandwidths": (1.2,)}, {"normalize": True},
     {"chunk_length_s": 1.0}, {"trim_right_ratio": 0.5}, {"dilation_growth_rate": 3}],
)  # fmt: skip
def test_a_fingerprint_depends_on_the_settings_that_no_tensor_shows(change: dict[str, Any]) -> None:
    tensors = tensors_of(TINY)
    assert checkpoint.fingerprint(tensors, peers.variant(TINY, **change)) != checkpoint.fingerprint(tensors, TINY)


def test_a_fingerprint_is_the_same_for_halves_and_for_the_same_values_in_floats() -> None:
    halves = {n: t.astype(np.float16) for n, t in tensors_of(TINY).items()}
    floats = {n: t.astype(np.float32) for n, t in halves.items()}
    assert checkpoint.fingerprint(halves, TINY) == checkpoint.fingerprint(floats, TINY)
    assert checkpoint.fingerprint(halves, TINY) != checkpoint.fingerprint(tensors_of(TINY), TINY)


# ---- files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_tensors_are_read_as_they_were_written(tmp_path: Path, dtype: type) -> None:
    tensors = {
        "a": np.arange(6, dtype=dtype).reshape(2, 3),
        "b": np.asarray(1.5, dtype),
        "t": np.eye(3, 4, dtype=dtype).T,
    }
    checkpoint.write_safetensors(tmp_path / "x", tensors)
    read = checkpoint.read_safetensors(tmp_path / "x")
    assert_same(read, tensors)
    assert {t.dtype for t in read.values()} == {np.dtype(dtype)}
    header = (tmp_path / "x").read_bytes()[8:]
    assert json.JSONDecoder().raw_decode(header.decode("latin-1"))[0]["__metadata__"] == {"format": "pt"}


def test_bfloat16_is_widened(tmp_path: Path) -> None:
    values = torch.tensor([[1.0, -2.5, 3e38], [1e-40, 0.0, 7.0]], dtype=torch.bfloat16)
    safetensors_torch.save_file({"x": values}, tmp_path / "x")
    read = checkpoint.read_safetensors(tmp_path / "x")["x"]
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, values.float().numpy())


def test_a_type_that_is_not_supported_is_named(tmp_path: Path) -> None:
    safetensors_torch.save_file({"odd": torch.zeros(2).to(torch.float8_e5m2)}, tmp_path / "x")
    with pytest.raises(CheckpointError, match=r"odd of .* is of type F8_E5M2"):
        checkpoint.read_safetensors(tmp_path / "x")


def test_a_file_that_ends_anywhere_early_gives_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    whole = safetensors_numpy.save({"a": np.arange(8, dtype=np.float32), "b": np.ones((2, 2), np.float16)})
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=r"model\.safetensors"):
            checkpoint.read_safetensors(path)


HUGE = b'{"x":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,0]}}'


@pytest.mark.parametrize(
    "content",
    [
        (2**60).to_bytes(8, "little") + b"{}",
        len(HUGE).to_bytes(8, "little") + HUGE,
        b"this is no model" * 10,
        bytes(1000),
    ],
    ids=["a header of 2^60 bytes", "a tensor of 2^60 numbers", "text", "zeros"],
)
def test_hostile_files_give_one_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        checkpoint.read_safetensors(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"cannot read .*absent"):
        checkpoint.read_safetensors(tmp_path / "absent")


# ---- where models are ----------------------------------------------------------------------


def save_tiny(folder: Path) -> dict[str, np.ndarray]:
    tensors = tensors_of(TINY)
    TINY.save_pretrained(folder)
    checkpoint.write_safetensors(folder / hub.SAFETENSORS_NAME, tensors)
    return tensors


def test_a_folder_is_used_as_it_is(tmp_path: Path) -> None:
    tensors = save_tiny(tmp_path / "model")
    config, read = checkpoint.read_model(tmp_path / "model")
    assert config.to_dict() == TINY.to_dict()
    assert_same(read, tensors)
    assert EncodecConfig.from_pretrained(str(tmp_path / "model")).to_dict() == TINY.to_dict()


def test_the_default_model_lies_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(checkpoint.__file__).parent.parent
    assert package / "weights" == hub.DEFAULT_FOLDER
    save_tiny(tmp_path)
    monkeypatch.setattr(hub, "DEFAULT_FOLDER", tmp_path)
    assert hub.resolve_file(None, "config.json") == tmp_path / "config.json"


def test_what_a_folder_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        EncodecConfig.from_pretrained(tmp_path)
    with pytest.raises(
        CheckpointError,
        match=r"has no model\.safetensors and no model\.safetensors\.index\.json and no pytorch_model\.bin",
    ):
        hub.resolve_weights(tmp_path)


@pytest.mark.parametrize("name", ["/no/such/folder", "./model", "two words/model", "a/b/c", "x" * 5000 + "/b", "a/\0b"])
def test_what_is_neither_folder_nor_hub_id_is_refused_without_the_network(name: str) -> None:
    with pytest.raises(CheckpointError, match="neither a folder here nor the id of a model"):
        hub.resolve_file(name, "config.json")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("encodec_24khz", "did you mean facebook/encodec_24khz"), ("recodec-24khz", "is called recodec_24khz"),
     ("two words", "owner/name"), ("", "owner/name"), ("a\0b", "owner/name")],
)  # fmt: skip
def test_a_name_without_an_owner_never_asks_the_network(name: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: pytest.fail("the network was asked"))
    with pytest.raises(CheckpointError, match=meant):
        hub.resolve_file(name, "config.json")


def test_the_shipped_model_is_found_by_its_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hub.resolve_file("recodec_24khz", "config.json") == hub.resolve_file(None, "config.json")
    monkeypatch.chdir(tmp_path)
    save_tiny(tmp_path / "recodec_24khz")  # a folder of that name here comes first
    assert hub.resolve_file("recodec_24khz", "config.json") == Path("recodec_24khz/config.json")


class _NoSuchEntry(hub_errors.EntryNotFoundError):
    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)  # the class itself wants a response of the server


def test_the_hub_is_asked_for_a_name_that_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []

    def download(repo_id: str, filename: str, **options: Any) -> str:
        asked.append((repo_id, filename, options["revision"], options["token"]))
        if filename.startswith("model.safetensors"):
            raise _NoSuchEntry("404")
        return str(tmp_path / filename)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    path = hub.resolve_weights("some/model", revision="v2", token="secret")
    assert path == tmp_path / "pytorch_model.bin"
    assert [a[1] for a in asked] == ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"]
    assert asked[0] == ("some/model", "model.safetensors", "v2", "secret")


def test_without_the_network_one_clear_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is no folder 'facebook/encodec_24khz' here, and the hub gave no"):
        hub.resolve_weights("facebook/encodec_24khz", cache_dir=tmp_path, local_files_only=True)


def test_the_network_is_waited_for_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    local_only: list[bool] = []

    def download(*_: Any, **options: Any) -> str:
        local_only.append(options["local_files_only"])
        raise hub_errors.LocalEntryNotFoundError("cannot reach the hub")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    with pytest.raises(CheckpointError, match="cannot reach the hub"):
        hub.resolve_weights("some/model")
    assert local_only == [False, True, True]


def test_a_config_of_absurd_size_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    for change in (
        {"target_bandwidths": [1e9]},
        {"num_residual_layers": 10**9},
        {"num_lstm_layers": 10**9},
        {"upsampling_ratios": [2] * 10**5},
        {"chunk_length_s": 1e308},
        {"sampling_rate": 10**400},
        {"codebook_size": 2**40},
    ):
        (tmp_path / "config.json").write_text(json.dumps({**TINY.to_dict(), **change}))
        with pytest.raises(ConfigError):
            EncodecConfig.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="not valid JSON"):
        EncodecConfig.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("encodec_24khz-d7cc33bc.th", "encodec_24khz"), ("model-12345678.safetensors", "model"), ("a-b.th", "a-b")],
)
def test_the_hash_in_the_name_of_a_file_is_not_part_of_the_models_name(
    name: str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / name).touch()
    assert model_name(tmp_path / name) == expected
    (tmp_path / "run-12345678").mkdir()
    assert model_name(tmp_path / "run-12345678") == "run-12345678"
