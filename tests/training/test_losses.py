"""The mel loss: against independent arithmetic, and for what a distance must do."""

import numpy as np
import pytest
import torch

from recodec.training.losses import MelScale, MultiScaleMelLoss, mel_filters


def test_filters_peak_at_one_and_cover_the_band() -> None:
    filters = mel_filters(24_000, 2048, 64)
    assert filters.shape == (1025, 64)
    assert float(filters.max()) <= 1.0
    assert float(filters.max(0).values.min()) > 0.5
    # Between the first and the last centre, neighbouring triangles add up to 1.
    inside = filters.sum(1)[20:950]
    torch.testing.assert_close(inside, torch.ones_like(inside), atol=1e-3, rtol=0)


@pytest.mark.parametrize("window", [32, 256, 2048])
def test_a_sine_lights_the_band_of_its_frequency(window: int) -> None:
    scale = MelScale(24_000, window, 64)
    time = torch.arange(24_000) / 24_000
    spectrum = scale(torch.sin(2 * torch.pi * 3000 * time)[None])
    filters = mel_filters(24_000, window, 64)
    filters = filters[:, filters.sum(0) > 0]
    expected = int(filters[round(3000 / 24_000 * window)].argmax())
    assert int(spectrum[0].mean(0).argmax()) == expected


def test_one_scale_against_numpy() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=4096).astype(np.float32) * 0.1
    window, hop = 512, 128
    padded = np.pad(x.astype(np.float64), window // 2, mode="reflect")
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    frames = np.stack([padded[i : i + window] * hann for i in range(0, len(padded) - window + 1, hop)])
    magnitude = np.sqrt(np.abs(np.fft.rfft(frames) / np.sqrt(window)) ** 2 + 1e-10)
    expected = magnitude @ mel_filters(24_000, window, 64).double().numpy()
    got = MelScale(24_000, window, 64)(torch.from_numpy(x)[None])[0]
    filters = mel_filters(24_000, window, 64)
    np.testing.assert_allclose(got.numpy(), expected[:, (filters.sum(0) > 0).numpy()], rtol=2e-3, atol=2e-4)


def test_distance_is_least_for_the_same_and_grows_with_noise() -> None:
    torch.manual_seed(0)
    loss = MultiScaleMelLoss(24_000)
    x = torch.randn(2, 1, 8000) * 0.1
    noise = torch.randn_like(x)
    values = [float(loss(x, x + level * noise)) for level in (0.0, 0.01, 0.03, 0.1)]
    assert values == sorted(values)
    assert values[0] < 2e-3 < values[1]


def test_gradient_is_finite_in_silence() -> None:
    estimate = torch.zeros(1, 1, 4000, requires_grad=True)
    MultiScaleMelLoss(24_000)(torch.zeros(1, 1, 4000), estimate).backward()
    assert estimate.grad is not None
    assert bool(estimate.grad.isfinite().all())
