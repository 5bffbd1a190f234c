"""`pad` of the feature extractor: equal to that of `transformers`, and its errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.audio import EncodecFeatureExtractor
from recodec.errors import AudioError, ConfigError


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    feature_size=st.sampled_from([1, 2]),
    padding=st.sampled_from([True, False, "longest", "max_length", "do_not_pad"]),
    max_length=st.sampled_from([None, 20, 64]),
    truncation=st.booleans(),
    multiple=st.sampled_from([None, 1, 7]),
    mask=st.sampled_from([None, True, False]),
    tensors=st.sampled_from(["np", "pt"]),
    side=st.sampled_from(["left", "right"]),
    columns=st.booleans(),
)
@settings(deadline=None, max_examples=150, derandomize=True)
def test_it_is_equal_to_theirs(
    lengths: list[int], feature_size: int, padding: Any, max_length: int | None, truncation: bool, multiple: int | None,
    mask: bool | None, tensors: str, side: str, columns: bool,
) -> None:  # fmt: skip
    random = np.random.default_rng(sum(lengths))
    items = [random.normal(size=(n, 2) if feature_size == 2 else n) for n in lengths]
    given_features: Any = {"input_values": items} if columns else [{"input_values": item} for item in items]
    arguments: dict[str, Any] = {
        "padding": padding, "max_length": max_length, "truncation": truncation, "pad_to_multiple_of": multiple,
        "return_attention_mask": mask, "return_tensors": tensors,
    }  # fmt: skip
    theirs = transformers.EncodecFeatureExtractor(feature_size, padding_side=side)
    try:
        expected = theirs.pad(given_features, **arguments)
        if expected["input_values"].dtype == object:
            raise ValueError("not a tensor, though one was asked for")
    except ValueError:  # what they refuse is refused here too
        with pytest.raises(ValueError):
            EncodecFeatureExtractor(feature_size, padding_side=side).pad(given_features, **arguments)
        return
    found = EncodecFeatureExtractor(feature_size, padding_side=side).pad(given_features, **arguments)
    assert list(found) == list(expected)
    for name in expected:
        assert np.array_equal(np.asarray(found[name]), np.asarray(expected[name]))
        assert type(found[name]) is type(expected[name])


def test_the_input_stays_as_it_was() -> None:
    items = [{"input_values": np.ones(3)}, {"input_values": np.ones(5)}]
    padded = EncodecFeatureExtractor().pad(items, return_tensors="pt")
    assert padded.input_values.shape == (2, 5)
    assert padded.attention_mask.sum(1).tolist() == [3, 5]
    assert torch.is_tensor(padded.attention_mask)
    assert [sorted(item) for item in items] == [["input_values"], ["input_values"]]


def test_errors_say_what_is_missing() -> None:
    extractor = EncodecFeatureExtractor()
    with pytest.raises(AudioError, match="input_values"):
        extractor.pad([{"audio": [1.0]}])
    with pytest.raises(AudioError, match="batch sizes: 2 input_values, 1 labels"):
        extractor.pad({"input_values": [[1.0], [2.0]], "labels": [1]})
    with pytest.raises(ConfigError, match='padding="max_length" needs max_length'):
        extractor.pad([{"input_values": [1.0]}], padding="max_length")
    with pytest.raises(ConfigError, match="truncation=True needs max_length"):
        extractor.pad([{"input_values": [1.0]}], truncation=True)
    with pytest.raises(AudioError, match="padding=True"):
        extractor.pad([{"input_values": [1.0]}, {"input_values": [1.0, 2.0]}], padding=False, return_tensors="np")
    extractor.padding_value = None
    with pytest.raises(ConfigError, match="no padding_value"):
        extractor.pad([{"input_values": [1.0]}])
