"""The paper's language model: equal to Meta's `LMModel` on the same random weights, loaded by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from recodec.errors import ConfigError
from recodec.lm.meta_network import MetaCodeLM, MetaLMConfig
from support.peers import import_encodec

SHAPE = MetaLMConfig(
    num_codebooks=4, codebook_size=16, width=24, num_layers=2, num_heads=4, feed_forward=96, past_context=7
)


def their_model(config: MetaLMConfig) -> Any:
    return import_encodec("encodec.model").LMModel(
        config.num_codebooks,
        config.codebook_size,
        config.width,
        num_layers=config.num_layers,
        num_heads=config.num_heads,
        hidden_scale=config.feed_forward / config.width,
        past_context=config.past_context,
    )


def pair(config: MetaLMConfig = SHAPE) -> tuple[MetaCodeLM, Any]:
    torch.manual_seed(0)
    theirs = their_model(config).eval()
    ours = MetaCodeLM(config)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def indices_of(frames: int, num_codebooks: int = 4) -> torch.Tensor:
    return torch.randint(17, (2, num_codebooks, frames), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("num_codebooks", [1, 4])
@pytest.mark.parametrize("frames", [1, 6, 8, 30])
@pytest.mark.parametrize("offset", [0, 123])
@torch.no_grad()
def test_equals_metas_model(frames: int, num_codebooks: int, offset: int) -> None:
    ours, theirs = pair()
    indices = indices_of(frames, num_codebooks)
    logits, state = ours.step(indices, ours.init_state(2, offset))
    expected, _, their_offset = theirs(indices, None, offset)
    torch.testing.assert_close(logits.softmax(1), expected, rtol=1e-5, atol=1e-7)
    assert state.offset == their_offset


@torch.no_grad()
def test_equals_metas_model_frame_by_frame() -> None:
    ours, theirs = pair()
    state, their_states, offset = ours.init_state(2), None, 0
    for frame in indices_of(20).split(1, dim=-1):
        logits, state = ours.step(frame, state)
        expected, their_states, offset = theirs(frame, their_states, offset)
        torch.testing.assert_close(logits.softmax(1), expected, rtol=1e-5, atol=1e-7)
    assert their_states is not None
    for got, held in zip(state.past, their_states, strict=True):
        torch.testing.assert_close(got, held, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_forward_is_step_on_shifted_codes() -> None:
    ours, _ = pair()
    codes = indices_of(9) % 16
    indices = torch.cat([torch.zeros(2, 4, 1, dtype=torch.int64), codes[..., :-1] + 1], dim=-1)
    logits, _ = ours.step(indices, ours.init_state(2))
    torch.testing.assert_close(ours(codes), logits.permute(0, 2, 3, 1))


def test_defaults_are_the_released_models() -> None:
    ours, theirs = MetaCodeLM(), their_model(MetaLMConfig())
    assert {n: p.shape for n, p in ours.state_dict().items()} == {n: p.shape for n, p in theirs.state_dict().items()}


def test_more_codebooks_than_known_are_refused() -> None:
    ours, _ = pair()
    with pytest.raises(ConfigError, match="5 codebooks"):
        ours(torch.zeros(1, 5, 3, dtype=torch.int64))
