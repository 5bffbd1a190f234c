"""Our code language model in floating point: what each prediction may depend on, and its parametrization."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from recodec.errors import ConfigError
from recodec.lm.config import CodeLMConfig
from recodec.lm.float_network import CodeLM

SHAPE = CodeLMConfig(
    4, codebook_size=16, width=24, num_layers=2, num_heads=4, feed_forward=32, context_s=0.1, head_width=12
)


def model_of(codebooks: torch.Tensor | None = None, **changes: object) -> CodeLM:
    torch.manual_seed(0)
    return CodeLM(CodeLMConfig.from_dict({**SHAPE.to_dict(), **changes}), codebooks).double()


def codes_of(frames: int, num_codebooks: int = 4) -> torch.Tensor:
    return torch.randint(16, (1, num_codebooks, frames), generator=torch.Generator().manual_seed(1))


def depends(model: CodeLM, codes: torch.Tensor, codebook: int, frame: int) -> torch.Tensor:
    """(K, F) bool: which logits change with one code."""
    changed = codes.clone()
    changed[0, codebook, frame] = (changed[0, codebook, frame] + 1) % 16
    with torch.no_grad():
        return (model(codes) - model(changed)).abs().amax(-1)[0] > 1e-12


@pytest.mark.parametrize("head_width", [12, 0])
@pytest.mark.parametrize("conditioned", [True, False])
def test_a_code_is_seen_by_what_follows_within_the_context(conditioned: bool, head_width: int) -> None:
    model = model_of(conditioned=conditioned, head_width=head_width)
    reach = 2 * model.config.past_context  # of two layers
    seen = depends(model, codes_of(30), codebook=1, frame=3)
    assert not seen[:, :3].any()
    assert seen[:, 3].tolist() == [False, False, conditioned, conditioned]
    assert seen[:, 4 : 4 + reach + 1].all()
    assert not seen[:, 4 + reach + 1 :].any()


def test_fewer_codebooks_are_as_if_there_were_no_more() -> None:
    model = model_of()
    assert model(codes_of(9, 2)).shape == (1, 2, 9, 16)
    with pytest.raises(ConfigError, match="5 codebooks"):
        model(torch.zeros(1, 5, 3, dtype=torch.int64))


def test_a_batch_gives_each_item_what_it_gets_alone() -> None:
    model = model_of()
    codes = torch.cat([codes_of(12), (codes_of(12) + 3) % 16])
    torch.testing.assert_close(model(codes)[1:], model(codes[1:]))


def test_starts_near_the_uniform_distribution() -> None:
    codes = codes_of(200)
    nats = torch.nn.functional.cross_entropy(model_of()(codes).flatten(0, 2), codes.flatten())
    assert nats.item() == pytest.approx(math.log(16), abs=0.1)


def test_codebooks_change_the_parametrization_and_not_the_network() -> None:
    books = torch.randn(4, 16, 8)
    shaped, plain = model_of(books), model_of()
    weights = {name: torch.from_numpy(w).double() for name, w in shaped.exact_weights().items()}
    with torch.no_grad():
        for name, p in plain.named_parameters():
            stem = name.removesuffix(".own")
            p.copy_(weights[stem].transpose(1, 2) if stem == "logits" else weights[stem])
    torch.testing.assert_close(plain(codes_of(9)), shaped(codes_of(9)), rtol=1e-5, atol=1e-5)


def test_codes_of_like_entries_are_alike_from_the_start() -> None:
    books = torch.randn(4, 16, 8)
    books[:, 5] = books[:, 4]
    weights = model_of(books).exact_weights()
    for name in ("embed", "condition"):
        np.testing.assert_allclose(weights[name][:, 5], weights[name][:, 4], atol=1e-6)
        assert not (weights[name][:, 6] == weights[name][:, 4]).any()


def test_codebooks_of_another_shape_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"\(4, 16\), got \(4, 17\)"):
        model_of(torch.zeros(4, 17, 8))
