"""An exact model on disk: what is read is what was written, or a clear error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from recodec.errors import CheckpointError, ConfigError
from recodec.lm.config import CodeLMConfig
from recodec.lm.weights import fingerprint, read_lm, save_lm
from support.kernels import KERNELS, make_kernel
from support.tiny_lm import TINY, tiny_tensors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_lm(tmp_path, TINY, tiny_tensors())
    return tmp_path


def test_what_is_read_is_what_was_written(folder: Path) -> None:
    config, tensors = read_lm(folder)
    assert config == TINY
    mark = fingerprint(config, tensors)
    assert mark == fingerprint(TINY, tiny_tensors())
    assert mark == "aac36d772fe5fedf866df5fd67f33705acf4645a296212edcef65194b2361f07"


@pytest.mark.parametrize("name", ["embed", "bias", "layers.1.up", "layers.0.score_shift"])
def test_any_change_of_a_weight_changes_the_fingerprint(name: str) -> None:
    tensors = tiny_tensors()
    tensors[name].flat[-1] += 1
    assert fingerprint(TINY, tensors) != fingerprint(TINY, tiny_tensors())


def test_any_change_of_the_shape_changes_the_fingerprint() -> None:
    other = CodeLMConfig.from_dict({**TINY.to_dict(), "num_heads": 2})
    assert fingerprint(other, tiny_tensors()) != fingerprint(TINY, tiny_tensors())


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("start", np.zeros(24, np.int32), "start must be int16"),
        ("start", np.zeros(23, np.int16), r"start must be int16 \(24,\), got int16 \(23,\)"),
        ("start", None, "missing \\['start'\\]"),
        ("more", np.zeros(1, np.int16), "unknown \\['more'\\]"),
        ("layers.0.up", np.full((24, 48), 32767, np.int16), "layers.0.up: its weights allow sums"),
        ("layers.0.down", np.full((48, 24), -32768, np.int16), "layers.0.down: its weights allow sums"),
        ("layers.1.out", np.full((24, 24), 32767, np.int16), "layers.1.out: its weights allow sums"),
        ("layers.1.query_key_value", np.full((24, 72), 32767, np.int16), "query_key_value: its weights allow sums"),
        ("hidden", np.full((4, 24, 16), 32767, np.int16), "hidden: its weights allow sums"),
        ("embed.shift", np.full((4, 64), 9, np.int8), "embed.shift must be from 0 to 8"),
        ("condition.shift", np.full((4, 64), -1, np.int8), "condition.shift must be from 0 to 8"),
        ("logits.shift", np.full((4, 64), 8, np.int8), "logits: its weights allow sums"),
        ("bias", np.full((4, 64), 1 << 23, np.int32), "logits: its weights allow sums"),
        ("bias", np.full((4, 64), -(1 << 31), np.int32), "logits: its weights allow sums"),
        ("layers.0.distance", np.full((4, 16), -(1 << 31), np.int32), "layers.0.distance must not exceed"),
        ("score_shift", np.full(4, -128, np.int8), "score_shift must be from -60 to 60"),
    ],
)
@pytest.mark.parametrize("kernel", KERNELS)
def test_tensors_that_do_not_fit_are_named(
    tmp_path: Path, kernel: str, name: str, tensor: np.ndarray | None, message: str
) -> None:
    tensors = tiny_tensors()
    if tensor is None:
        del tensors[name]
    else:
        tensors[name] = tensor
    save_file(tensors, tmp_path / "lm.safetensors")
    (tmp_path / "lm_config.json").write_text(TINY.to_json_string())
    with pytest.raises(CheckpointError, match=message):
        make_kernel(kernel, *read_lm(tmp_path))
    with pytest.raises(CheckpointError, match=message):
        save_lm(tmp_path, TINY, tensors)


def test_a_file_of_something_else_is_refused(folder: Path) -> None:
    (folder / "lm.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(CheckpointError, match="not a valid safetensors file"):
        read_lm(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "encodec"}, "not a configuration of"),
        ({"width": 25}, "num_heads must be a divisor of width"),
        ({"width": 0}, "width must be"),
        ({"width": 4096}, "width must be at most 2048"),
        ({"num_layers": True}, "num_layers must be"),
        ({"num_layers": 1 << 40}, "num_layers must be"),
        ({"codebook_size": 1 << 13}, "codebook_size must be"),
        ({"conditioned": 1}, "conditioned must be"),
        ({"context_s": float("nan")}, "context_s must be"),
        ({"context_s": 50}, "context_s must be below 1024 frames"),
        ({"more": 1}, "unknown keys"),
    ],
)
def test_bad_configurations_are_named(folder: Path, change: dict[str, object], message: str) -> None:
    (folder / "lm_config.json").write_text(json.dumps({**TINY.to_dict(), **change}))
    with pytest.raises(ConfigError, match=message):
        read_lm(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "\udcff"])
def test_configurations_that_are_no_json_object_are_refused(folder: Path, text: str) -> None:
    (folder / "lm_config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError):
        read_lm(folder)
