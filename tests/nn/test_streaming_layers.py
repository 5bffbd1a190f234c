"""Any cutting of a stream into pieces gives what the whole gives."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec import presets
from recodec.errors import ConfigError
from recodec.nn import Network
from support import peers
from support.closeness import assert_close

TINY = peers.variant(presets.tiny(), upsampling_ratios=(5, 4, 2), sampling_rate=3000)
CONFIGS = {
    f"{mode}, {count} residual": peers.variant(TINY, pad_mode=mode, num_residual_layers=count)
    for mode in ("reflect", "constant")
    for count in (1, 2, 3)
}
CONFIGS["kernel below stride"] = peers.variant(TINY, kernel_size=1, last_kernel_size=2, residual_kernel_size=1)
CONFIGS["trimmed on both sides"] = peers.variant(TINY, trim_right_ratio=0.5)
CONFIGS["trimmed on the left"] = peers.variant(TINY, trim_right_ratio=0.0)
CONFIGS["no LSTM, no shortcut"] = peers.variant(TINY, num_lstm_layers=0, use_conv_shortcut=False)
HOP = TINY.hop_length
TOLERANCE = 1e-6
EVERY_CONFIG = pytest.mark.parametrize("name", CONFIGS)
PARTS = pytest.mark.parametrize("part", ["encoder", "decoder"])


@cache
def network(name: str, part: str, dtype: torch.dtype = torch.float64) -> Network:
    return getattr(peers.random_model(CONFIGS[name]).to(dtype), part)


def signal(name: str, part: str, length: int) -> torch.Tensor:
    """Input in float64, so that a tolerance of 1e-6 leaves no room for a wrong sample."""
    if part == "encoder":
        return peers.noise(CONFIGS[name], length, batch=2).double()
    return torch.randn(2, CONFIGS[name].hidden_size, length, generator=torch.Generator().manual_seed(length)).double()


@torch.no_grad()
def stream(net: Network, x: torch.Tensor, cuts: list[int], *, last_alone: bool = False) -> list[torch.Tensor]:
    """Outputs of pushing `x` cut at these places; `last` comes with the last piece, or after it with nothing."""
    edges = [0, *sorted(cuts), x.shape[-1]]
    pieces = [x[..., a:b] for a, b in pairwise(edges)]
    if last_alone:
        pieces.append(x[..., :0])
    state = net.init_state(x.shape[0])
    outputs = []
    for index, piece in enumerate(pieces):
        y, state = net.step(piece, state, last=index == len(pieces) - 1)
        outputs.append(y)
    return outputs


@EVERY_CONFIG
@PARTS
@given(data=st.data())
@settings(deadline=None, max_examples=12, derandomize=True)
def test_any_partition_gives_the_whole(name: str, part: str, data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 12 * HOP if part == "encoder" else 14))
    cuts = data.draw(st.lists(st.integers(0, length), max_size=8))
    x, net = signal(name, part, length), network(name, part)
    pieces = stream(net, x, cuts, last_alone=data.draw(st.booleans()))
    with torch.no_grad():
        assert_close(torch.cat(pieces, dim=-1), net(x), TOLERANCE)


@EVERY_CONFIG
@PARTS
def test_one_sample_at_a_time(name: str, part: str) -> None:
    length = 9 * HOP + 3 if part == "encoder" else 11
    x, net = signal(name, part, length), network(name, part)
    pieces = stream(net, x, list(range(1, length)))
    with torch.no_grad():
        assert_close(torch.cat(pieces, dim=-1), net(x), TOLERANCE)


@EVERY_CONFIG
@PARTS
def test_one_push_is_offline_bit_for_bit(name: str, part: str) -> None:
    net = network(name, part, torch.float32)
    for length in (1, 2, 7, HOP, HOP + 1, 8 * HOP + 13):
        x = signal(name, part, length).float()
        (whole,) = stream(net, x, [])
        with torch.no_grad():
            assert torch.equal(whole, net(x))
        assert whole.shape[-1] == (-(-length // HOP) if part == "encoder" else length * HOP)


@PARTS
@torch.no_grad()
def test_a_state_is_a_value(part: str) -> None:
    """Going on from a state leaves it as it was: a stream may be forked or taken up again."""
    net, x = network("reflect, 2 residual", part), signal("reflect, 2 residual", part, 12 * HOP)
    state = net.init_state(2)
    _, state = net.step(x[..., : 9 * HOP], state)
    first, _ = net.step(x[..., 9 * HOP :], state, last=True)
    net.step(torch.zeros_like(x), state)
    again, _ = net.step(x[..., 9 * HOP :], state, last=True)
    assert torch.equal(first, again)


@PARTS
def test_streams_of_a_batch_do_not_touch_each_other(part: str) -> None:
    net, x = network("reflect, 1 residual", part), signal("reflect, 1 residual", part, 11 * HOP)
    cuts = [3, HOP, 5 * HOP + 1]
    together = torch.cat(stream(net, x, cuts), dim=-1)
    for row in range(2):
        alone = torch.cat(stream(net, x[row : row + 1], cuts), dim=-1)
        assert_close(together[row : row + 1], alone, TOLERANCE)


@pytest.mark.parametrize(("mode", "frames"), [("reflect", 7), ("constant", 1)])
@PARTS
@torch.no_grad()
def test_the_wait_at_the_start_of_the_released_geometry(mode: str, frames: int, part: str) -> None:
    """Mirrored padding makes a stream wait for 7 frames (93.3 ms) on either side; zeros do not."""
    config = peers.variant(presets.tiny(), pad_mode=mode)
    net = getattr(peers.random_model(config), part)
    width, frame = (1, config.hop_length) if part == "encoder" else (config.hidden_size, 1)
    state = net.init_state(1)
    lengths = []
    for _ in range(10):
        y, state = net.step(torch.randn(1, width, frame), state)
        lengths.append(y.shape[-1] // (1 if part == "encoder" else config.hop_length))
    assert lengths == [0] * (frames - 1) + [frames] + [1] * (10 - frames)


def test_a_model_that_looks_ahead_refuses_pieces() -> None:
    for change in ({"use_causal_conv": False}, {"use_causal_conv": False, "norm_type": "time_group_norm"}):
        net = peers.random_model(peers.variant(TINY, **change)).encoder
        with pytest.raises(ConfigError, match="not causal"):
            net.step(torch.zeros(1, 1, 400), net.init_state(1))
