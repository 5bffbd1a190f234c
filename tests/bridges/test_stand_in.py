"""Ours in the place of the EnCodec inside other models: `generate` gives the same audio."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from recodec import presets
from recodec.bridges import transformers as bridge
from recodec.errors import ConfigError
from support.closeness import assert_close
from support.codec_holders import bark, musicgen
from support.peers import hf_model, noise, variant

# MusicGen's codec: one bandwidth, not causal, no convolution around the residual branches.
MUSIC = variant(presets.tiny(), target_bandwidths=(1.8,), use_causal_conv=False, use_conv_shortcut=False)
SPEECH = presets.tiny()


@pytest.fixture(autouse=True)
def _no_grad():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("prompted", [False, True])
def test_musicgen_generates_the_same(channels: int, prompted: bool) -> None:
    theirs = musicgen(MUSIC, channels)
    ours = copy.deepcopy(theirs)
    assert bridge.stand_in(ours) == ["audio_encoder"]
    assert type(ours.audio_encoder) is bridge.EncodecModel
    ids = torch.tensor([[3, 4, 5, 1], [6, 7, 1, 0]])
    prompt: dict[str, Any] = {}
    if prompted:
        audio = noise(MUSIC, 3200, batch=2).repeat(1, channels, 1)
        audio[1, :, 2000:] = 0
        prompt = {"input_values": audio}
    a, b = (
        model.generate(input_ids=ids, attention_mask=(ids > 0).long(), do_sample=False, max_new_tokens=24, **prompt)
        for model in (theirs, ours)
    )
    assert a.shape[1] == channels
    assert a.abs().max() > 0.1
    assert_close(b, a)


@pytest.mark.parametrize("lengths", [False, True])
def test_bark_generates_the_same(lengths: bool) -> None:
    theirs = bark(SPEECH)
    ours = copy.deepcopy(theirs)
    assert bridge.stand_in(ours) == ["codec_model"]
    ids = torch.tensor([[3, 4, 5, 1] * 4, [6, 7, 1, 0] * 4])
    a, b = (
        model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, return_output_lengths=lengths)
        for model in (theirs, ours)
    )
    if lengths:
        assert a[1] == b[1]
        a, b = a[0], b[0]
    assert a.abs().max() > 0.1
    assert_close(b, a)


def test_after_registration_musicgen_builds_ours(tmp_path: Path, registered: None) -> None:
    theirs = musicgen(MUSIC)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = transformers.MusicgenForConditionalGeneration.from_pretrained(tmp_path / "theirs")
    assert type(ours.audio_encoder) is bridge.EncodecModel
    ours.save_pretrained(tmp_path / "ours")
    bridge.unregister()
    back = transformers.MusicgenForConditionalGeneration.from_pretrained(tmp_path / "ours")
    assert type(back.audio_encoder) is transformers.EncodecModel
    codes = torch.randint(MUSIC.codebook_size, (1, 2, MUSIC.num_quantizers, 9))
    models: tuple[Any, ...] = (theirs, ours, back)
    a, b, c = (model.audio_encoder.decode(codes, [None]).audio_values for model in models)
    assert_close(b, a)
    assert torch.equal(c, a)


def test_nothing_is_copied() -> None:
    holder = torch.nn.ModuleDict({"codec": hf_model(SPEECH)})
    before = dict(holder.named_parameters())
    config = holder["codec"].config
    bridge.stand_in(holder)
    after = dict(holder.named_parameters())
    assert before.keys() == after.keys()
    assert all(after[name] is before[name] for name in before)
    assert holder["codec"].config is config


def test_a_model_without_a_codec_is_refused() -> None:
    with pytest.raises(ConfigError, match="Linear holds no"):
        bridge.stand_in(torch.nn.Linear(1, 1))
    with pytest.raises(ConfigError, match="is an EnCodec itself"):
        bridge.stand_in(hf_model(SPEECH))
