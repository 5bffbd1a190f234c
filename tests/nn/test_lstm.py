"""The LSTM that the compiler can take: the same numbers as torch's."""

from __future__ import annotations

import pytest
import torch

from recodec.nn import lstm
from recodec.nn.lstm import LstmStack


@pytest.mark.parametrize("num_layers", [1, 3])
def test_it_is_torchs_lstm(num_layers: int) -> None:
    theirs = torch.nn.LSTM(4, 4, num_layers)
    ours = LstmStack(4, num_layers)
    ours.load_state_dict(theirs.state_dict())
    frames, state = torch.randn(5, 3, 4), (torch.randn(num_layers, 3, 4), torch.randn(num_layers, 3, 4))
    y, (h, c) = ours(frames, state)
    expected, (expected_h, expected_c) = theirs(frames, state)
    assert torch.equal(y, expected)
    assert torch.equal(h, expected_h)
    assert torch.equal(c, expected_c)
    assert torch.equal(ours(frames)[0], theirs(frames)[0])


@pytest.mark.parametrize("num_layers", [1, 2])
def test_the_operator_keeps_the_compilers_rules(num_layers: int) -> None:
    module = LstmStack(4, num_layers)
    frames = torch.randn(3, 5, 4).transpose(0, 1)
    zeros = torch.zeros(num_layers, 3, 4)
    arguments = (frames, zeros, zeros, [p.detach() for p in module.parameters()])
    torch.library.opcheck(lstm._operator, arguments)


def test_quantization_of_torch_finds_it() -> None:
    # A table of classes is all that `quantize_dynamic` asks.
    assert LstmStack in {torch.nn.LSTM: "quantized"}
    assert LstmStack != torch.nn.GRU
    model = torch.nn.Sequential(LstmStack(4, 1))
    quantized = torch.ao.quantization.quantize_dynamic(model, {torch.nn.LSTM}, dtype=torch.qint8)
    assert "quantized" in type(quantized[0]).__module__
