"""The plan of a stream against the torch layers, which find out sample by sample."""

from __future__ import annotations

import pytest
import torch

from recodec.onnx_engine.plan import decoder_plan, encoder_plan
from support import onnx_support as support


@pytest.mark.parametrize("name", support.CAUSAL)
@torch.no_grad()
def test_the_first_push_is_as_short_as_it_can_be(name: str) -> None:
    config, model = support.CAUSAL[name], support.torch_model(name)
    for network, plan, channels in (
        (model.encoder, encoder_plan(config), config.audio_channels),
        (model.decoder, decoder_plan(config), config.hidden_size),
    ):
        enough = torch.zeros(1, channels, plan.first * plan.unit)
        assert network.step(enough, network.init_state(1))[0].shape[-1] > 0
        short = enough[..., : -plan.unit]
        assert network.step(short, network.init_state(1))[0].shape[-1] == 0


@pytest.mark.parametrize("name", support.CAUSAL)
@torch.no_grad()
def test_a_tail_is_announced(name: str) -> None:
    config, decoder = support.CAUSAL[name], support.torch_model(name).decoder
    frames = torch.zeros(1, config.hidden_size, 20)
    _, state = decoder.step(frames, decoder.init_state(1))
    left = decoder.step(frames[..., :0], state, last=True)[0].shape[-1]
    assert decoder_plan(config).tail == (left > 0)
    assert not encoder_plan(config).tail
