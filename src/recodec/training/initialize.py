"""Data-dependent start of the weights.

With torch's default weights each convolution shrinks its signal by about sqrt(3): after the encoder's
dozen the latents of any two sounds differ by less than the biases do, one direction holds nearly all
of their variance, and training spends its first thousands of updates getting out of there.
"""

from __future__ import annotations

import torch
from torch import nn

from ..model.encodec import EncodecModel
from ..nn.layers import Residual


@torch.no_grad()
def initialize(model: EncodecModel, audio: torch.Tensor) -> None:
    """Scale every convolution so that its outputs have mean 0 and variance 1 on a batch, in place.

    This is the start that the paper on weight normalization gives (Salimans and Kingma 2016,
    section 3, equation 6). The two branches of a residual block get variance 1/2 each, for their
    sum; the last convolution gets the variance of the audio.

    Args:
        model: fresh; its weights are overwritten.
        audio: (B, C, T), a few seconds of typical sound.
    """
    half = {id(conv) for block in model.modules() if isinstance(block, Residual) for conv in _ends(block)}
    last = [m for m in model.decoder.modules() if isinstance(m, nn.Conv1d)][-1]

    def standardize(conv: nn.Conv1d | nn.ConvTranspose1d, _: object, y: torch.Tensor) -> torch.Tensor:
        target = float(audio.std()) if conv is last else 0.5**0.5 if id(conv) in half else 1.0
        mean, scale = y.mean((0, 2)), target / (y.std((0, 2)) + 1e-5)
        out_axis = 1 if isinstance(conv, nn.ConvTranspose1d) else 0
        shape = [1, 1, 1]
        shape[out_axis] = -1
        weight = conv.weight * scale.view(shape)
        conv.weight = weight if _is_parametrized(conv) else nn.Parameter(weight)  # type: ignore[assignment]
        assert conv.bias is not None
        bias = (conv.bias - mean) * scale
        conv.bias.copy_(bias)
        return (y - mean[:, None]) * scale[:, None]

    convs = [m for m in model.modules() if isinstance(m, (nn.Conv1d, nn.ConvTranspose1d))]
    hooks = [conv.register_forward_hook(standardize) for conv in convs]
    try:
        model.decoder(model.encoder(audio))
    finally:
        for hook in hooks:
            hook.remove()


def _ends(block: Residual) -> list[nn.Conv1d]:
    """The convolutions whose outputs the block adds."""
    branch = [m for m in block.block.modules() if isinstance(m, nn.Conv1d)][-1:]
    return branch + [m for m in block.shortcut.modules() if isinstance(m, nn.Conv1d)]


def _is_parametrized(conv: nn.Module) -> bool:
    return nn.utils.parametrize.is_parametrized(conv, "weight")
