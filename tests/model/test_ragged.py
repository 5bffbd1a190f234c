"""A padded batch gives each item what it gets alone."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec import presets
from recodec.config import EncodecConfig
from recodec.errors import AudioError
from recodec.model.encodec import EncodecModel
from support import peers
from support.closeness import assert_close, assert_same_codes

CONFIGS = {
    "24 kHz": presets.tiny(),
    "24 kHz, constant padding": peers.variant(presets.tiny(), pad_mode="constant", num_residual_layers=2),
    "32 kHz": peers.variant(presets.tiny(), use_causal_conv=False, use_conv_shortcut=False),
    "48 kHz": peers.variant(
        presets.tiny(), audio_channels=2, normalize=True, chunk_length_s=0.1, overlap=0.05,
        norm_type="time_group_norm", use_causal_conv=False,
    ),
    "48 kHz, long overlaps": peers.variant(
        presets.tiny(), audio_channels=2, normalize=True, chunk_length_s=0.08, overlap=0.4,
        norm_type="time_group_norm", use_causal_conv=False, upsampling_ratios=(8, 5), target_bandwidths=(7.2, 14.4),
    ),
}  # fmt: skip
EVERY_CONFIG = pytest.mark.parametrize("name", CONFIGS)
TOLERANCE = 2e-5  # a batch's convolutions add up in another order than those of one item


@cache
def model_of(name: str) -> EncodecModel:
    return peers.random_model(CONFIGS[name])


def batch_of(config: EncodecConfig, lengths: list[int], *, behind: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise of these lengths, padded with the value `behind`, and its mask (B, T)."""
    x = peers.noise(config, max(lengths), batch=len(lengths), seed=sum(lengths))
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return torch.where(mask[:, None], x, torch.tensor(behind)), mask


@torch.no_grad()
def check(model: EncodecModel, lengths: list[int], bandwidth: float) -> None:
    """Codes, scales and waveforms of a padded batch against each item alone; what is behind it must not matter."""
    config = model.config
    x, mask = batch_of(config, lengths, behind=7.0)
    batch = model.encode(x, mask, bandwidth)
    audio = model.decode(batch.audio_codes, batch.audio_scales, mask, True, batch.last_frame_pad_length).audio_values
    at_once = model(x, mask, bandwidth)
    assert torch.equal(at_once.audio_codes, batch.audio_codes)
    assert torch.equal(at_once.audio_values, audio)
    for i, length in enumerate(lengths):
        item = x[i : i + 1, :, :length]
        alone = model.encode(item, None, bandwidth)
        latents = model.encode_latents(item).latents
        size = config.chunk_length or length
        frames = [config.frames_for(min(size, length - start)) for start in config.segment_starts(length)]
        for s, valid in enumerate(frames):
            codes = batch.audio_codes[s, i : i + 1]
            assert_same_codes(model, latents[s][..., :valid], codes[..., :valid], alone.audio_codes[s][..., :valid])
            assert not codes[..., valid:].any()
            if config.normalize:
                together, single = batch.audio_scales[s], alone.audio_scales[s]
                assert together is not None
                assert single is not None
                assert_close(together[i], single[0])
        assert not batch.audio_codes[len(frames) :, i].any()
        if all(
            torch.equal(batch.audio_codes[s, i, :, :n], alone.audio_codes[s, 0, :, :n]) for s, n in enumerate(frames)
        ):
            expected = model.decode(alone.audio_codes, alone.audio_scales, torch.ones_like(item),
                                    last_frame_pad_length=alone.last_frame_pad_length)[0]  # fmt: skip
            assert_close(audio[i, :, :length], expected[0], TOLERANCE)
        assert not audio[i, :, length:].any()


@EVERY_CONFIG
@given(data=st.data())
@settings(deadline=None, max_examples=8, derandomize=True)
def test_each_item_gets_what_it_gets_alone(name: str, data: st.DataObject) -> None:
    model = model_of(name)
    longest = 3 * (model.config.chunk_length or 2 * model.config.hop_length)
    lengths = data.draw(st.lists(st.integers(1, longest), min_size=2, max_size=4))
    check(model, lengths, data.draw(st.sampled_from(list(model.config.target_bandwidths))))


@EVERY_CONFIG
def test_lengths_around_frames_and_segments(name: str) -> None:
    config = model_of(name).config
    hop, size = config.hop_length, config.chunk_length or 3 * config.hop_length
    stride = config.chunk_stride or size
    for lengths in ([1, 2, 3, hop], [hop - 1, hop, hop + 1], [size, size + 1, 1], [stride, stride + 1, 2 * stride + 2]):
        check(model_of(name), lengths, config.target_bandwidths[-1])


def test_a_mask_of_channels_is_a_mask_of_samples() -> None:
    model = model_of("48 kHz")
    x, mask = batch_of(model.config, [700, 300], behind=0.0)
    with torch.no_grad():
        expected = model(x, mask)
        for wide in (mask[:, None].expand(-1, 2, -1), mask[:, None].float(), mask.int()):
            assert torch.equal(model(x, wide).audio_values, expected.audio_values)


@pytest.mark.parametrize("lengths", [[300, 300], [700, 300]])
def test_padding_may_hold_anything(lengths: list[int]) -> None:
    model = model_of("24 kHz")
    x, mask = batch_of(model.config, lengths, behind=0.0)
    x, mask = torch.nn.functional.pad(x, (0, 40)), torch.nn.functional.pad(mask, (0, 40))
    with torch.no_grad():
        expected = model.encode(x, mask).audio_codes
        found = model.encode(x.masked_fill(~mask[:, None].bool(), math.nan), mask).audio_codes
    assert torch.equal(found, expected)


def test_a_mask_of_ones_changes_nothing() -> None:
    model = model_of("24 kHz")
    x = peers.noise(model.config, 1000, batch=2)
    with torch.no_grad():
        assert torch.equal(model.encode(x, torch.ones(2, 1000))[0], model.encode(x)[0])


def test_latents_of_a_batch_too() -> None:
    model = model_of("24 kHz")
    x, mask = batch_of(model.config, [1000, 400], behind=0.0)
    with torch.no_grad():
        batch = model.encode_latents(x, mask)
        alone = model.encode_latents(x[1:, :, :400])
        audio = model.decode_latents(batch.latents, batch.audio_scales, mask)
        assert_close(batch.latents[0, 1:, :, :2], alone.latents[0])
        assert not batch.latents[0, 1, :, 2:].any()
        assert_close(audio[1:, :, :400], model.decode_latents(alone.latents)[..., :400], TOLERANCE)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ([[1, 1, 1, 1], [0, 0, 1, 1]], "padding goes on the right"),
        ([[1, 1, 1, 1], [1, 0, 1, 0]], "padding goes on the right"),
        ([[1, 1, 1, 1], [0, 0, 0, 0]], "without a single sample"),
    ],
    ids=["left", "holes", "empty"],
)
def test_other_masks_are_refused(mask: list[list[int]], message: str) -> None:
    with pytest.raises(AudioError, match=message):
        model_of("24 kHz").encode(torch.zeros(2, 1, 4), torch.tensor(mask))


def test_a_mask_that_differs_between_channels_is_refused() -> None:
    mask = torch.ones(1, 2, 8)
    mask[0, 1, 5:] = 0
    with pytest.raises(AudioError, match="alike for all channels"):
        model_of("48 kHz").encode(torch.zeros(1, 2, 8), mask)
