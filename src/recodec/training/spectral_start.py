"""What the training of a spectral decoder begins with: the one beside a model, or a fresh one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch

from ..checkpoint import check_fit
from ..codec import ModelChoice, read_spectral
from ..errors import CheckpointError
from ..model.encodec import EncodecModel
from ..nn.spectral import SpectralDecoder
from ..spectral import SpectralConfig
from .branches import codebooks_of_model
from .config import TrainConfig

_FLOOR = 1e-4


def existing_shape(start: str, model: EncodecModel) -> SpectralConfig | None:
    """The configuration of the spectral decoder beside a model's weights; `None` if there is none.

    Args:
        start: a folder, a hub id or a file of weights.
        model: of those weights.

    Raises:
        CheckpointError: if it is not valid, or was made for other codes.
    """
    found = read_spectral(ModelChoice(start), model.config, codebooks_of_model(model))
    return None if found is None else found[0]


def spectral_network(config: TrainConfig, model: EncodecModel, audio: Callable[[], torch.Tensor]) -> SpectralDecoder:
    """The decoder that a run begins with, on a CPU.

    Args:
        config: of the run.
        model: whose codes it decodes.
        audio: gives a batch (B, C, T), which a fresh decoder's start is taken from.

    Raises:
        CheckpointError: if the one beside the weights in `start` is another than the run is for, or not valid.
    """
    books = codebooks_of_model(model)
    found = None
    if config.start is not None:
        found = read_spectral(ModelChoice(config.start), model.config, books)
    network = SpectralDecoder(config.spectral_model)
    if found is None:
        _initialize(network, audio().cpu())
        return network
    shape, tensors = found
    if dataclasses.replace(shape, codebooks="") != dataclasses.replace(config.spectral_model, codebooks=""):
        raise CheckpointError(
            f"{config.start} holds another spectral decoder than the run is for: recodec finetune takes its own, "
            "else set spectral_model to it"
        )
    check_fit(shape, model.config, books)
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    return network


@torch.no_grad()
def _initialize(network: SpectralDecoder, audio: torch.Tensor) -> None:
    """Let the first spectra have the level of typical sound: the biases of log magnitudes are its means.

    With torch's own start all bins would have a magnitude of about 1, which is much too loud.
    """
    config = network.config
    window = torch.hann_window(config.n_fft)
    length = max(audio.shape[-1], 2 * config.n_fft)
    samples = torch.nn.functional.pad(audio.flatten(0, 1), (0, length - audio.shape[-1]))
    spectra = torch.stft(samples, config.n_fft, config.hop_length, window=window, center=False, return_complex=True)
    levels = (spectra.abs() + _FLOOR).log().mean((0, 2))
    network.head.out.bias[: len(levels)].copy_(levels)
