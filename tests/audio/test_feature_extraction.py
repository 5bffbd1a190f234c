"""Equality with `transformers.EncodecFeatureExtractor`, over a wide grid of arguments."""

from __future__ import annotations

import json
import logging
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.utils.generic import PaddingStrategy

from recodec.audio import BatchFeature, EncodecFeatureExtractor
from recodec.errors import AudioError, ConfigError

FORMS = ("array", "float64", "int16", "float16", "list", "arrays", "tuple of arrays", "float64 arrays", "lists", "bad")


def shape_audio(form: str, feature_size: int, lengths: list[int], seed: int) -> Any:
    """Audio in one of the forms that callers use; the single forms take the first length."""
    random = np.random.default_rng(seed)

    def one(length: int) -> np.ndarray:
        return random.uniform(-1, 1, (2, length) if feature_size == 2 else length).astype(np.float32)

    first = one(lengths[0])
    match form:
        case "array":
            return first
        case "float64" | "float16":
            return first.astype(form)
        case "int16":
            return (first * 32767).astype(np.int16)
        case "list":
            return first.tolist()
        case "arrays":
            return [one(length) for length in lengths]
        case "float64 arrays":
            return [one(length).astype(np.float64) for length in lengths]
        case "tuple of arrays":
            return tuple(one(length) for length in lengths)
        case "lists":
            return [one(length).tolist() for length in lengths]
        case _:
            return [random.uniform(size=(3, length)) for length in lengths]


def outcome(extractor: Any, audio: Any, arguments: dict[str, Any]) -> Any:
    """What a call returns, or the kind of its error."""
    try:
        return dict(extractor(audio, **arguments))
    except (ValueError, IndexError, TypeError) as error:
        return error


def assert_same(ours: Any, theirs: Any) -> None:
    assert type(ours) is type(theirs)
    if isinstance(theirs, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            assert_same(a, b)
    elif theirs.dtype == object:
        assert ours.dtype == object
        assert_same(list(ours), list(theirs))
    else:
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        assert bool((ours == theirs).all())


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_equals_transformers(data: st.DataObject) -> None:
    pick = lambda *values: data.draw(st.sampled_from(values))  # noqa: E731
    setup = {
        "feature_size": pick(1, 2),
        "sampling_rate": 100,
        "padding_value": pick(0.0, 0.0, -0.5, -0.5, None),
        "padding_side": pick("right", "right", "left"),
        "return_attention_mask": pick(True, False),
    }
    if pick(True, False):
        setup |= {"chunk_length_s": pick(0.05, 0.16, 1.0), "overlap": pick(0.0, 0.01, 0.3, 0.9, None)}
    lengths = data.draw(st.lists(st.integers(0, 40), min_size=1, max_size=3))
    lengths = [lengths[0]] * len(lengths) if pick(True, False) else lengths
    audio = shape_audio(pick(*FORMS), setup["feature_size"], lengths, data.draw(st.integers(0, 99)))
    arguments = {
        "padding": pick(None, True, True, False, "longest", "max_length", "do_not_pad", PaddingStrategy.LONGEST),
        "truncation": pick(False, False, None, True),
        "max_length": pick(None, None, 0, 7, 30, 64),
        "return_tensors": pick(None, "np", "pt"),
        "sampling_rate": pick(100, 100, 100, 100, 100, 100, None, 99),
    }
    theirs = outcome(transformers.EncodecFeatureExtractor(**setup), audio, arguments)
    ours = outcome(EncodecFeatureExtractor(**setup), audio, arguments)
    if isinstance(theirs, Exception):
        assert isinstance(ours, (AudioError, ConfigError)), (ours, theirs)
        return
    assert not isinstance(ours, Exception), ours
    assert ours.keys() == theirs.keys()
    for key in theirs:
        assert_same(ours[key], theirs[key])


@pytest.mark.parametrize("padding", [None, False])
def test_truncation_to_the_segments_of_the_shortest(padding: bool | None) -> None:
    setup = {"sampling_rate": 100, "chunk_length_s": 0.1, "overlap": 0.2}
    audio = shape_audio("arrays", 1, [50, 29, 33], 0)
    arguments = {"padding": padding, "truncation": True, "return_tensors": "np", "sampling_rate": 100}
    ours = EncodecFeatureExtractor(**setup)(audio, **arguments)
    theirs = transformers.EncodecFeatureExtractor(**setup)(audio, **arguments)
    assert ours.input_values.shape == (3, 1, 26)  # 3 segments of 10 samples, 8 apart
    assert_same(ours.input_values, theirs.input_values)


@pytest.mark.parametrize("feature_size", [1, 2])
def test_shapes(feature_size: int) -> None:
    extractor = EncodecFeatureExtractor(feature_size=feature_size)
    audio = shape_audio("arrays", feature_size, [10, 7], 0)
    features = extractor(audio, return_tensors="np", sampling_rate=24_000)
    assert features.input_values.shape == (2, feature_size, 10)
    np.testing.assert_array_equal(features["padding_mask"].sum(1), [10, 7])
    assert not features.input_values[1, :, 7:].any()


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        ([], "no recording"),
        (np.zeros((2, 5)), "mono"),
        (np.zeros((1, 2, 5)), "shape"),
        (np.float32(0), "shape"),
        ("text", "numbers"),
        (np.array(["a"]), "real numbers"),
        (np.zeros(3, complex), "real numbers"),
        (None, "shape"),
        ({"array": [0.0]}, "numbers"),
        ([[0.0], [[1.0], [2.0, 3.0]]], "numbers"),
    ],
)
def test_bad_audio_is_named(audio: Any, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        EncodecFeatureExtractor()(audio, sampling_rate=24_000)


def test_stereo_refuses_pairs_of_samples() -> None:
    # The reference lets two 1-D recordings of two samples pass for stereo.
    with pytest.raises(AudioError, match="stereo"):
        EncodecFeatureExtractor(feature_size=2)([[0.0, 1.0], [2.0, 3.0]], sampling_rate=24_000)


def test_ragged_recordings_make_no_tensor() -> None:
    with pytest.raises(AudioError, match="5 to 9 samples"):
        EncodecFeatureExtractor()([np.zeros(9), np.zeros(5)], padding=False, return_tensors="np", sampling_rate=24_000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("feature_size", 3),
        ("sampling_rate", 0),
        ("padding_value", "x"),
        ("chunk_length_s", -1.0),
        ("overlap", 1.0),
        ("padding_side", "top"),
    ],
)
def test_bad_setting_is_named(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        EncodecFeatureExtractor(**{name: value})
    extractor = EncodecFeatureExtractor()
    setattr(extractor, name, value)
    with pytest.raises(ConfigError, match=name):
        extractor(np.zeros(4), sampling_rate=24_000)


@pytest.mark.parametrize(
    "arguments", [{"padding": "foo"}, {"padding": 0}, {"return_tensors": "tf"}, {"max_length": -1}]
)
def test_bad_argument_is_named(arguments: dict[str, Any]) -> None:
    # With segments any string pads, as in transformers.
    segments: dict[str, Any] = {} if "padding" in arguments else {"chunk_length_s": 1.0, "overlap": 0.1}
    with pytest.raises(ConfigError, match=next(iter(arguments))):
        EncodecFeatureExtractor(**segments)(np.zeros(4), sampling_rate=24_000, **arguments)


def test_rate_is_checked_and_its_absence_noted(caplog: pytest.LogCaptureFixture) -> None:
    extractor = EncodecFeatureExtractor()
    with caplog.at_level(logging.WARNING):
        extractor(np.zeros(4), sampling_rate=24_000)
        assert not caplog.records
        extractor(np.zeros(4))
    assert "sampling_rate" in caplog.text
    with pytest.raises(AudioError, match="24000 Hz, and the audio has 16000 Hz"):
        extractor(np.zeros(4), sampling_rate=16_000)


@pytest.mark.parametrize(("chunk", "overlap"), [(None, None), (1.0, None), (1.0, 0.01), (0.02, 0.999)])
def test_chunk_properties_equal_transformers(chunk: float | None, overlap: float | None) -> None:
    ours = EncodecFeatureExtractor(sampling_rate=48_000, chunk_length_s=chunk, overlap=overlap)
    theirs = transformers.EncodecFeatureExtractor(sampling_rate=48_000, chunk_length_s=chunk, overlap=overlap)
    assert (ours.chunk_length, ours.chunk_stride) == (theirs.chunk_length, theirs.chunk_stride)


def test_file_equals_transformers(tmp_path: Path) -> None:
    setup = {"feature_size": 2, "sampling_rate": 48_000, "chunk_length_s": 1.0, "overlap": 0.01, "note": [1]}
    (ours,) = EncodecFeatureExtractor(**setup).save_pretrained(tmp_path / "ours")
    (theirs,) = transformers.EncodecFeatureExtractor(**setup).save_pretrained(tmp_path / "theirs")
    assert Path(ours).read_text() == Path(theirs).read_text()
    assert transformers.EncodecFeatureExtractor.from_pretrained(tmp_path / "ours").chunk_stride == 47_520
    loaded = EncodecFeatureExtractor.from_pretrained(theirs)
    assert loaded.extra == {"note": [1]}
    assert loaded.to_json_string() == Path(theirs).read_text()
    assert EncodecFeatureExtractor.from_pretrained(theirs, overlap=0.5).overlap == 0.5


def test_loads_from_a_folder(tmp_path: Path) -> None:
    EncodecFeatureExtractor(sampling_rate=32_000).save_pretrained(tmp_path)
    assert EncodecFeatureExtractor.from_pretrained(tmp_path).sampling_rate == 32_000


@pytest.mark.parametrize("content", ["", "[]", "{", '{"feature_size": 7}', '{"feature_extractor_type": "Other"}'])
def test_bad_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "preprocessor_config.json"
    path.write_text(content)
    with pytest.raises(ConfigError):
        EncodecFeatureExtractor.from_pretrained(path)


def test_batch_feature_moves_tensors_and_keeps_the_mask() -> None:
    features = EncodecFeatureExtractor()(np.zeros(4), return_tensors="pt", sampling_rate=24_000)
    assert features.to(torch.float16) is features
    assert features.input_values.dtype == torch.float16
    assert features.padding_mask.dtype == torch.int32
    features.to("meta")
    assert {value.device.type for value in features.values()} == {"meta"}
    assert features.to("meta", torch.float64).input_values.dtype == torch.float64


def test_batch_feature_is_a_mapping_with_attributes() -> None:
    features = EncodecFeatureExtractor()([0.5], sampling_rate=24_000)
    assert dict(**features).keys() == {"input_values", "padding_mask"}
    assert features.to("cpu").input_values[0] == [[0.5]]
    with pytest.raises(AttributeError, match="no entry 'codes'"):
        _ = features.codes
    copy = pickle.loads(pickle.dumps(features))
    assert isinstance(copy, BatchFeature)
    assert copy.padding_mask == [[1]]


def test_numpy_path_needs_no_torch() -> None:
    code = (
        "import sys, numpy as np; from recodec.audio import EncodecFeatureExtractor as E\n"
        "E()(np.zeros(9), return_tensors='np', sampling_rate=24000)\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_settings_are_plain_json() -> None:
    assert json.loads(EncodecFeatureExtractor().to_json_string()) == EncodecFeatureExtractor().to_dict()
