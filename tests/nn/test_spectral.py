"""The spectral decoder in torch: offline is streaming with one push, and Vocos is one of them."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from recodec.checkpoint import vocos_config
from recodec.errors import ConfigError
from recodec.nn.spectral import SpectralDecoder
from recodec.spectral import SpectralConfig
from support import spectral
from support.spectral import HOP, MODEL, SHAPES

FRAMES = 23


def _latents(frames: int = FRAMES, batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, MODEL.hidden_size, frames, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("shape", SHAPES)
@given(cuts=st.lists(st.integers(0, 9), max_size=12))
@settings(deadline=None, max_examples=25)
@torch.no_grad()
def test_pieces_equal_the_whole(shape: str, cuts: list[int]) -> None:
    network, x = spectral.decoder(SHAPES[shape]).double(), _latents()
    condition = len(SHAPES[shape].condition_codebooks) // 2
    whole = network(x, condition)
    assert whole.shape == (2, 1, FRAMES * HOP)
    state, pieces, begin = network.init_state(2), [], 0
    for size in cuts:
        y, state = network.step(x[..., begin : begin + size], state, condition=condition)
        pieces.append(y)
        begin += size
    pieces.append(network.step(x[..., begin:], state, last=True, condition=condition)[0])
    torch.testing.assert_close(torch.cat(pieces, dim=-1), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("frames", [1, 2, 3])
@torch.no_grad()
def test_short_streams_have_all_their_samples(frames: int) -> None:
    y = spectral.decoder(SHAPES["looks ahead everywhere"])(_latents(frames).float())
    assert y.shape == (2, 1, frames * HOP)
    assert y.isfinite().all()


@torch.no_grad()
def test_an_empty_stream_has_no_samples() -> None:
    network = spectral.decoder(SHAPES["causal blocks"])
    y, _ = network.step(_latents(0).float(), network.init_state(2), last=True)
    assert y.shape == (2, 1, 0)


@torch.no_grad()
def test_a_frame_reaches_no_further_back_than_it_looks_ahead() -> None:
    shape = SHAPES["causal blocks"]
    network, x = spectral.decoder(shape).double(), _latents()
    changed = x.clone()
    changed[..., 15] += 1
    same = (network(x) == network(changed)).all(dim=1)[0]
    first = (15 - shape.look_ahead_frames) * HOP - shape.trim
    assert same[:first].all()
    assert not same[first : first + HOP].all()


@torch.no_grad()
def test_streams_join_and_leave_a_batch() -> None:
    network, x = spectral.decoder(SHAPES["causal blocks"]).double(), _latents(batch=3)
    states = [network.step(x[i : i + 1, :, :9], network.init_state(1))[1] for i in range(3)]
    y, state = network.step(x[..., 9:15], network.stack(states))
    rest = [network.step(x[i : i + 1, :, 15:], network.select(state, torch.tensor([i])), last=True)[0] for i in (2, 0)]
    whole = network(x)
    for piece, i in zip(rest, (2, 0), strict=True):
        torch.testing.assert_close(
            torch.cat([y[i : i + 1], piece], -1), whole[i : i + 1, :, -y.shape[-1] - piece.shape[-1] :]
        )


def test_streams_that_are_not_equally_far_cannot_be_batched() -> None:
    network, x = spectral.decoder(SHAPES["causal blocks"]), _latents(batch=1).float()
    states = [network.step(x[..., :n], network.init_state(1))[1] for n in (1, 9)]
    with pytest.raises(ConfigError):
        network.stack(states)


@torch.no_grad()
def test_half_precision_rounds_the_products_alone() -> None:
    network, x = spectral.decoder(SHAPES["causal blocks"]), _latents().float()
    exact = network(x)
    half = network.to(torch.bfloat16)(x.to(torch.bfloat16)).float()
    assert (half - exact).square().mean() < 0.01 * exact.square().mean()


@pytest.mark.parametrize("adapted", [False, True])
@torch.no_grad()
def test_vocos_is_such_a_decoder(adapted: bool) -> None:
    content = spectral.vocos_settings(MODEL, adapted)
    backbone, head = spectral.vocos_parts(content)
    network = SpectralDecoder(vocos_config(content, MODEL, "")).eval()
    network.backbone.load_state_dict(backbone.state_dict())
    network.head.load_state_dict({f"out.{name}": value for name, value in head.out.state_dict().items()})
    x = _latents().float()
    for condition in range(2 if adapted else 1):
        theirs = head(backbone(x, bandwidth_id=torch.tensor([condition])))
        torch.testing.assert_close(network(x, condition)[:, 0], theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("field", "value"),
    [("n_fft", 1283), ("n_fft", 320), ("hop_length", 0), ("dim", True), ("look_ahead", 7), ("norm_eps", 0.0),
     ("max_magnitude", float("nan")), ("condition_codebooks", [0]), ("condition_codebooks", 3), ("codebooks", 1)],
)  # fmt: skip
def test_bad_shapes_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match=field):
        SpectralConfig.from_dict({"model_type": "recodec_spectral_decoder", field: value})


def test_shapes_survive_a_file() -> None:
    shape = SHAPES["adapted"]
    assert SpectralConfig.from_dict(shape.to_dict()) == shape
    with pytest.raises(ConfigError, match="unknown keys"):
        SpectralConfig.from_dict({**shape.to_dict(), "width": 3})
