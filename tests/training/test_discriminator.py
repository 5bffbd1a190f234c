"""The discriminator equals Meta's released module, and its losses are those of the paper."""

import sys
import types
from typing import Any

import pytest
import torch

from recodec import presets
from recodec.errors import ConfigError
from recodec.training.adversarial import (
    AdversarialTraining,
    Adversary,
    discriminator_loss,
    feature_loss,
    generator_loss,
)
from recodec.training.discriminator import WINDOWS, Judgement, MultiScaleStftDiscriminator, StftDiscriminator


class _Spectrogram(torch.nn.Module):
    """What torchaudio's transform does with these settings."""

    def __init__(self, n_fft, hop_length, win_length, window_fn, normalized, center, pad_mode, power):
        super().__init__()
        assert normalized
        assert not center
        assert power is None
        self.sizes, self.window = (n_fft, hop_length, win_length), window_fn(win_length)

    def forward(self, x):
        size, hop, window = self.sizes
        found = (
            torch.stft(x.flatten(0, 1), size, hop, window, window=self.window, center=False, return_complex=True)
            / self.window.square().sum().sqrt()
        )
        return found.view(*x.shape[:2], *found.shape[1:])


@pytest.fixture
def metas(monkeypatch):
    """Meta's module, without torchaudio."""
    stub: Any = types.ModuleType("torchaudio")
    stub.transforms = types.SimpleNamespace(Spectrogram=_Spectrogram)
    monkeypatch.setitem(sys.modules, "torchaudio", stub)
    monkeypatch.delitem(sys.modules, "encodec.msstftd", raising=False)
    module = pytest.importorskip("encodec.msstftd")
    yield module
    sys.modules.pop("encodec.msstftd", None)


def test_it_equals_metas(metas):
    windows = [512, 256, 128]
    torch.manual_seed(0)
    theirs = metas.MultiScaleSTFTDiscriminator(
        filters=4, n_ffts=windows, win_lengths=windows, hop_lengths=[w // 4 for w in windows]
    )
    ours = MultiScaleStftDiscriminator(windows, width=4)
    renamed = {}
    for name, tensor in theirs.state_dict().items():
        # The two names that torch has given to weight norm.
        name = name.replace("weight_g", "parametrizations.weight.original0")
        renamed[name.replace("weight_v", "parametrizations.weight.original1")] = tensor
    ours.load_state_dict(renamed)
    audio = torch.randn(2, 1, 4000)
    logits, features = theirs(audio)
    for judgement, their_logits, their_features in zip(ours(audio), logits, features, strict=True):
        torch.testing.assert_close(judgement.logits, their_logits, rtol=1e-4, atol=1e-5)
        for mine, their in zip(judgement.features, their_features, strict=True):
            torch.testing.assert_close(mine, their, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("window", WINDOWS)
def test_shapes(window):
    """Frames of a quarter's hop; bands halved three times; five feature maps."""
    judgement = StftDiscriminator(window, width=2)(torch.randn(3, 4096))
    frames, bands = 1 + (4096 - window) // (window // 4), window // 2 + 1
    sizes = [bands]
    for _ in range(3):
        sizes.append(-(-sizes[-1] // 2))
    expected = [(3, 2, frames, size) for size in [*sizes, sizes[-1]]]
    assert [tuple(f.shape) for f in judgement.features] == expected
    assert judgement.logits.shape == (3, 1, frames, sizes[-1])


def test_the_receptive_field_in_time():
    """3, then dilations 1, 2, 4 of 3, then two of 3: one frame's verdict sees 1 + 2 (1 + 1 + 2 + 4 + 1 + 1) frames."""
    scale = StftDiscriminator(128, width=2)
    audio = torch.randn(1, 128 + 32 * 60, requires_grad=True)
    scale(audio).logits[0, 0, 30].sum().backward()
    assert audio.grad is not None
    touched = audio.grad[0].abs().nonzero()
    first, last = int(touched.min()), int(touched.max())
    assert first // 32 == 20
    assert -(-(last - 127) // 32) == 40
    assert 32 * 20 <= first <= 32 * 20 + 1  # the window is 0 at its first sample
    assert last == 32 * 40 + 127


def test_stereo_channels_are_judged_apart():
    ours = MultiScaleStftDiscriminator((128,), width=2)
    left, right = torch.randn(2, 2, 1000).unbind(1)
    together = ours(torch.stack([left, right], dim=1))[0].logits
    apart = torch.stack([ours(side[:, None])[0].logits for side in (left, right)], dim=1).flatten(0, 1)
    torch.testing.assert_close(together, apart)


def _judgements(values, scale=1.0):
    return [Judgement(torch.tensor(v), [scale * torch.tensor(v), 2 * scale * torch.tensor(v)]) for v in values]


def test_hinge_losses_by_hand():
    fake, real = _judgements([[0.5, 2.0], [-1.0, 0.0]]), _judgements([[3.0, 0.0], [1.0, -1.0]])
    assert float(generator_loss(fake)) == pytest.approx(((0.5 + 0.0) / 2 + (2.0 + 1.0) / 2) / 2)
    by_hand = ((0 + 1) / 2 + (1.5 + 3) / 2 + (0 + 2) / 2 + (0 + 1) / 2) / 2
    assert float(discriminator_loss(real, fake)) == pytest.approx(by_hand)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_feature_loss_is_free_of_scale(scale):
    real, fake = [[1.0, 3.0], [2.0, 2.0]], [[2.0, 3.0], [2.0, 0.0]]
    found = float(feature_loss(_judgements(real, scale), _judgements(fake, scale)))
    assert found == pytest.approx((0.5 / 2 + 1.0 / 2) / 2, rel=1e-4)


def _adversary(**settings):
    config = presets.tiny()
    options = {"generator_weight": 3.0, "feature_weight": 3.0, "width": 2, "windows": (128, 64), **settings}
    random = torch.Generator().manual_seed(0)
    return Adversary(AdversarialTraining(**options), config, torch.device("cpu"), random)


def test_it_learns_to_tell_noise_from_a_tone():
    torch.manual_seed(0)
    adversary = _adversary(update_probability=1.0, learning_rate=1e-2)
    tone = torch.sin(torch.arange(2000) * 0.3).expand(2, 1, -1)
    losses = [adversary.update(tone, torch.randn(2, 1, 2000), 0, 1.0)["discriminator"] for _ in range(30)]
    assert losses[-1] < 0.3 * losses[0]


def test_its_gain_makes_audio_louder_for_it_alone():
    torch.manual_seed(0)
    quiet = _adversary(gain=40.0)
    plain = _adversary()
    plain.module.load_state_dict(quiet.module.state_dict())
    audio, output = 0.01 * torch.randn(1, 1, 500), (0.01 * torch.randn(1, 1, 500)).requires_grad_()
    heard, expected = quiet.losses(audio, output, 0), plain.losses(40 * audio, 40 * output, 0)
    for name, loss in expected.items():
        torch.testing.assert_close(heard[name], loss)
    (gradient,) = torch.autograd.grad(heard["generator"], output)
    assert gradient.shape == output.shape
    assert float(gradient.norm()) > 0
    assert heard["feature"].item() != pytest.approx(plain.losses(audio, output, 0)["feature"].item(), rel=0.01)


def test_updates_come_as_often_as_asked():
    adversary = _adversary(update_probability=0.25)
    audio = torch.randn(1, 1, 500)
    count = sum(bool(adversary.update(audio, audio, 0, 1.0)) for _ in range(200))
    assert 30 < count < 70


def test_one_discriminator_a_bandwidth():
    """Only the drawn one judges, and only it learns."""
    adversary = _adversary(per_bandwidth=True, update_probability=1.0)
    before = [{k: v.clone() for k, v in judge.state_dict().items()} for judge in adversary.module]
    audio, output = torch.randn(1, 1, 500), torch.randn(1, 1, 500)
    losses = [float(adversary.losses(audio, output, band)["generator"].detach()) for band in range(len(before))]
    assert len(set(losses)) == len(losses)
    adversary.update(audio, output, 1, 1.0)
    changed = [
        any(not torch.equal(v, before[i][k]) for k, v in judge.state_dict().items())
        for i, judge in enumerate(adversary.module)
    ]
    assert changed == [False, True, *[False] * (len(before) - 2)]


def test_windows_follow_the_rate():
    settings = AdversarialTraining()
    assert settings.windows_for(24_000) == WINDOWS
    assert settings.windows_for(48_000) == tuple(2 * w for w in WINDOWS)


@pytest.mark.parametrize("bad", [{"generator_weight": -1.0}, {"update_probability": 1.5}, {"gain": 0.0}])
def test_bad_settings(bad):
    with pytest.raises(ConfigError):
        AdversarialTraining(**bad)
