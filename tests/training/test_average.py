"""The average of weights equals its closed form."""

import pytest
import torch

from recodec.training.average import WeightAverage


def _model(value=0.0):
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(value)
    return model


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_it_equals_the_closed_form(decay):
    model = _model()
    average, expected = WeightAverage(model, decay), 0.0
    for n in range(50):
        model.weight.data.fill_(float(n * n % 7))
        average.update()
        d = min(decay, (1 + n) / (10 + n))
        expected = d * expected + (1 - d) * (n * n % 7)
    with average.applied() as averaged:
        assert isinstance(averaged, torch.nn.Linear)
        assert float(averaged.weight) == pytest.approx(expected, rel=1e-5)
    assert float(model.weight) == 49 * 49 % 7


def test_without_decay_it_follows():
    model = _model()
    average = WeightAverage(model, 0.0)
    model.weight.data.fill_(3.0)
    average.update()
    with average.applied():
        assert float(model.weight) == 3.0


def test_the_own_weights_come_back_after_an_error():
    model = _model(1.0)
    average = WeightAverage(model, 0.9)
    model.weight.data.fill_(2.0)
    with pytest.raises(RuntimeError), average.applied():
        raise RuntimeError
    assert float(model.weight) == 2.0


def test_it_goes_on_from_its_state():
    first, second = _model(1.0), _model(1.0)
    whole, part = WeightAverage(first, 0.9), WeightAverage(second, 0.9)
    for n in range(5):
        first.weight.data.fill_(float(n))
        whole.update()
    part.load_state_dict(whole.state_dict())
    for pair in ((first, whole), (second, part)):
        pair[0].weight.data.fill_(9.0)
        pair[1].update()
    with whole.applied(), part.applied():
        assert torch.equal(first.weight, second.weight)
