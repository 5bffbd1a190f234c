"""The search over the codebooks. Whole numbers make scores exact, so ties are ties in any order of sums."""

from __future__ import annotations

import pytest
import torch

from recodec import presets
from recodec.model.quantizer import FrozenQuantizer, nearest, offsets
from support.peers import hf_model, random_model

TINY = presets.tiny()


def whole_numbers(*shape: int, seed: int) -> torch.Tensor:
    return torch.randint(-2, 3, shape, generator=torch.Generator().manual_seed(seed)).float()


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 700])
def test_the_first_of_the_nearest_is_found(count: int) -> None:
    x, embed = whole_numbers(count, 4, seed=0), whole_numbers(300, 4, seed=1)  # many entries are equal
    distance = (x[:, None] - embed).square().sum(-1)
    first = (distance == distance.amin(1, keepdim=True)).int().argmax(1)
    assert torch.equal(nearest(x, embed, offsets(embed)), first)


def test_ties_are_those_of_the_reference() -> None:
    theirs, ours = hf_model(TINY), random_model(TINY)
    for k, (a, b) in enumerate(zip(theirs.quantizer.layers, ours.quantizer.codebooks, strict=True)):
        a.codebook.embed.copy_(whole_numbers(TINY.codebook_size, TINY.hidden_size, seed=k) // 2)
        b.embed.copy_(a.codebook.embed)
        b.embed[1::2] = a.codebook.embed[1::2] = b.embed[::2]  # each entry twice
    latents = whole_numbers(3, TINY.hidden_size, 500, seed=99)
    expected = theirs.quantizer.encode(latents, TINY.target_bandwidths[-1]).transpose(0, 1)
    assert torch.equal(ours.quantizer.quantize(latents, TINY.num_quantizers), expected)
    assert not (expected % 2).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_frozen_codebooks_give_the_same_codes(dtype: torch.dtype) -> None:
    quantizer = random_model(TINY).to(dtype).quantizer
    frozen = FrozenQuantizer(quantizer)
    latents = torch.randn(2, TINY.hidden_size, 300, generator=torch.Generator().manual_seed(0)).to(dtype)
    for count in (1, 3, TINY.num_quantizers):
        codes = frozen.quantize(latents, count)
        assert codes.shape == (2, count, 300)
        assert torch.equal(codes, quantizer.quantize(latents, count))
    quantizer.codebooks[0].embed.zero_()
    assert torch.equal(frozen.quantize(latents, TINY.num_quantizers), codes)
