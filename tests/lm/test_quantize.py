"""What the integers lose against the floats."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from recodec.lm.config import CodeLMConfig
from recodec.lm.dequantize import dequantize
from recodec.lm.float_network import CodeLM
from recodec.lm.network import ExactLM
from recodec.lm.quantize import quantize
from recodec.lm.tables import TOTAL_BITS
from recodec.lm.weights import check_weights

SHAPE = CodeLMConfig(
    3, codebook_size=32, width=32, num_layers=2, num_heads=4, feed_forward=64, context_s=0.2, head_width=24
)


def peaked(config: CodeLMConfig, seed: int = 0) -> CodeLM:
    """Random weights whose distributions are far from flat."""
    torch.manual_seed(seed)
    model = CodeLM(config)
    with torch.no_grad():
        model.logits.own.mul_(20)
        model.bias.normal_()
    return model


def coded_bits(lm: ExactLM, codes: np.ndarray) -> np.ndarray:
    """(K,) mean bits per code of (P, K, F)."""
    packets, num_codebooks, frames = codes.shape
    x = lm.push(codes[..., :-1], lm.start(packets, frames), frames)
    head = lm.head(x.reshape(packets * frames, -1))
    bits = []
    for k in range(num_codebooks):
        symbols = codes[:, k].ravel()
        _, freqs = head.tables().interval(symbols)
        bits.append(TOTAL_BITS - np.log2(freqs).mean())
        head.take(symbols)
    return np.array(bits)


def sampled(model: CodeLM, packets: int, frames: int) -> tuple[np.ndarray, float]:
    """Codes drawn from the model itself, and its own mean bits per code for them."""
    config, random = model.config, torch.Generator().manual_seed(1)
    codes = torch.zeros(packets, config.num_codebooks, frames, dtype=torch.int64)
    with torch.no_grad():
        for f in range(frames):
            for k in range(config.num_codebooks):
                chances = model(codes[..., : f + 1])[:, k, f].softmax(-1)
                codes[:, k, f] = torch.multinomial(chances, 1, generator=random)[:, 0]
        nats = torch.nn.functional.cross_entropy(model(codes).flatten(0, 2), codes.flatten())
    return codes.numpy(), float(nats) / math.log(2)


@pytest.mark.parametrize("conditioned", [True, False])
@pytest.mark.parametrize("head_width", [24, 0])
def test_exact_coding_costs_less_than_half_a_percent(conditioned: bool, head_width: int) -> None:
    fields = {**SHAPE.to_dict(), "conditioned": conditioned, "head_width": head_width}
    model = peaked(CodeLMConfig.from_dict(fields))
    codes, bits = sampled(model, 12, 30)
    assert 1.0 < bits < 4.5  # of 5: neither flat nor decided
    exact = coded_bits(ExactLM(model.config, quantize(model.config, model.exact_weights())), codes).mean()
    assert exact < 1.005 * bits


def test_tables_are_close_to_the_distributions_of_the_floats() -> None:
    """With attention that decides much: its scores have their own unit and scale."""
    model = peaked(SHAPE)
    layers: Any = model.layers
    with torch.no_grad():
        for layer in layers:
            layer.query_key_value.mul_(2)
    codes = torch.randint(32, (4, 3, 40), generator=torch.Generator().manual_seed(2))
    lm = ExactLM(SHAPE, quantize(SHAPE, model.exact_weights()))
    head = lm.head(lm.push(codes.numpy()[..., :-1], lm.start(4, 40), 40).reshape(160, -1))
    with torch.no_grad():
        expected = model(codes).double().log_softmax(-1).transpose(0, 1).reshape(3, 160, 32)
    for k in range(3):
        coded = torch.from_numpy(np.diff(head.tables().cumulative()) / 2**TOTAL_BITS).log()
        assert (expected[k].exp() * (expected[k] - coded)).sum(-1).mean() < 1e-3
        head.take(codes[:, k].numpy().ravel())


def test_weights_far_too_large_still_give_integers_in_bounds() -> None:
    model = peaked(SHAPE)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(1000)
    check_weights(SHAPE, quantize(SHAPE, model.exact_weights()))


def test_a_column_of_one_weight_stays_in_int16() -> None:
    weights = peaked(SHAPE).exact_weights()
    for name in ("layers.0.down", "layers.1.out", "layers.1.up", "layers.0.query_key_value"):
        weights[name][:] = np.eye(*weights[name].shape)
    tensors = quantize(SHAPE, weights)
    check_weights(SHAPE, tensors)
    assert (np.diagonal(tensors["layers.0.down"]) == 1 << 14).all()


def test_weights_of_zero_give_flat_tables() -> None:
    zeros = {name: np.zeros_like(w) for name, w in peaked(SHAPE).exact_weights().items()}
    lm = ExactLM(SHAPE, quantize(SHAPE, zeros))
    assert coded_bits(lm, np.ones((2, 3, 10), np.int64)) == pytest.approx([5, 5, 5])


@pytest.mark.parametrize("conditioned", [True, False])
@pytest.mark.parametrize("head_width", [24, 0])
@pytest.mark.parametrize("projected", [True, False])
def test_training_can_start_from_integers(conditioned: bool, head_width: int, projected: bool) -> None:
    shape = CodeLMConfig.from_dict({**SHAPE.to_dict(), "conditioned": conditioned, "head_width": head_width})
    model = peaked(shape)
    tensors = quantize(shape, model.exact_weights())
    codebooks = torch.randn(shape.num_codebooks, shape.codebook_size, 5) if projected else None
    again = CodeLM(shape, codebooks)
    again.take_exact(dequantize(shape, tensors))
    codes, bits = sampled(model, 12, 30)
    with torch.no_grad():
        given = torch.from_numpy(codes)
        nats = torch.nn.functional.cross_entropy(again(given).flatten(0, 2), given.flatten())
    assert float(nats) / math.log(2) < 1.005 * bits
    # The units that it chose lose nothing that the first rounding has not lost.
    twice = ExactLM(shape, quantize(shape, again.exact_weights()))
    assert coded_bits(twice, codes).mean() < 1.005 * bits
