"""Batches of independent streams: states put side by side, and taken apart."""

from dataclasses import replace

import pytest
import torch

from recodec import presets
from recodec.errors import ConfigError
from recodec.nn import Network, build_decoder, build_encoder

HOP = presets.tiny().hop_length


def _network(which: str, pad_mode: str) -> tuple[Network, int, int]:
    """A network, its input channels and its unit: a frame's worth of input."""
    torch.manual_seed(0)
    config = replace(presets.tiny(), pad_mode=pad_mode)
    return (build_encoder(config), 1, HOP) if which == "encoder" else (build_decoder(config), config.hidden_size, 1)


@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
@pytest.mark.parametrize("which", ["encoder", "decoder"])
@torch.no_grad()
def test_streams_join_and_leave_a_batch(which: str, pad_mode: str) -> None:
    """Three streams that began at different times go on as a batch; one leaves and ends alone."""
    network, channels, unit = _network(which, pad_mode)
    audio = [torch.randn(1, channels, (20 + 3 * i) * unit) for i in range(3)]
    whole = [network(x) for x in audio]
    outs: list[list[torch.Tensor]] = [[], [], []]
    states = []
    for i, x in enumerate(audio):
        y, state = network.step(x[..., : (10 + i) * unit], network.init_state(1))
        outs[i].append(y)
        states.append(state)
    batch = torch.cat([x[..., (10 + i) * unit : (15 + i) * unit] for i, x in enumerate(audio)])
    y, state = network.step(batch, network.stack(states))
    for i in range(3):
        outs[i].append(y[i : i + 1])
        last, _ = network.step(audio[i][..., (15 + i) * unit :], network.select(state, torch.tensor([i])), last=True)
        outs[i].append(last)
        torch.testing.assert_close(torch.cat(outs[i], -1), whole[i], rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_streams_that_are_not_equally_far_are_refused() -> None:
    network, channels, unit = _network("encoder", "reflect")
    fresh = network.init_state(1)
    _, waiting = network.step(torch.randn(1, channels, unit), fresh)
    _, running = network.step(torch.randn(1, channels, 12 * unit), fresh)
    for others in ([fresh, running], [waiting, running]):
        with pytest.raises(ConfigError, match="batched only where"):
            network.stack(others)
