"""The decoders that a run trains, each with its losses: the paper's, and a spectral one."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..checkpoint import codebook_digest, write_spectral
from ..model.encodec import EncodecModel
from ..nn.spectral import SpectralDecoder
from . import parallel
from .average import WeightAverage
from .balancer import Balancer
from .config import TrainConfig
from .losses import MultiScaleMelLoss
from .spectral import SPECTRAL
from .spectral_losses import SpectralLosses

Losses = dict[str, torch.Tensor]

RECONSTRUCTION = "reconstruction"


class Objective(ABC):
    """The reconstruction losses of a decoder, and how their gradients are put together.

    Attributes:
        balancer: of the losses, and of further ones such as a discriminator's.
    """

    balancer: Balancer

    @abstractmethod
    def losses(self, audio: torch.Tensor, output: torch.Tensor) -> tuple[Losses, Losses]:
        """For (B, C, T) target and output: the losses that the balancer knows, and what the log is told."""

    @abstractmethod
    def gradient(self, losses: Losses, output: torch.Tensor) -> torch.Tensor:
        """What goes back into `output` (B, C, T). The sum over all processes is the gradient of the whole batch."""


class PaperObjective(Objective):
    """The distances of waveforms and of mel spectrograms, balanced (paper section 3.4).

    Args:
        config: of the run.
        device: where the signals are.
        weights: of further losses in the balancer, by name.
    """

    def __init__(self, config: TrainConfig, device: torch.device, weights: dict[str, float]) -> None:
        self._mel = MultiScaleMelLoss(config.model.sampling_rate, floor=config.mel_floor).to(device)
        self.balancer = Balancer({"time": config.time_weight, "mel": config.mel_weight, **weights})

    def losses(self, audio: torch.Tensor, output: torch.Tensor) -> tuple[Losses, Losses]:
        found = {"time": F.l1_loss(output, audio), "mel": self._mel(audio, output)}
        return found, found

    def gradient(self, losses: Losses, output: torch.Tensor) -> torch.Tensor:
        return self.balancer.gradient(losses, output)


class SpectralObjective(Objective):
    """A weighted sum of `SpectralLosses`.

    The sum's gradient stays as it is. Those of other losses, such as a discriminator's, are scaled to it: a loss of
    weight 0.3 gets 0.3 of its norm.

    Args:
        config: of the run.
        device: where the signals are.
        random: draws the windows of each update; the same on all processes.
        weights: of further losses, by name.
    """

    def __init__(
        self, config: TrainConfig, device: torch.device, random: torch.Generator, weights: dict[str, float]
    ) -> None:
        self._settings, self._random, self._weights = config.spectral, random, config.spectral.loss_weights()
        self._terms = SpectralLosses(
            config.model.sampling_rate, config.spectral.windows, floor=config.mel_floor
        ).to(device)  # fmt: skip
        self.balancer = Balancer({RECONSTRUCTION: 1.0, **weights}, anchor=RECONSTRUCTION)

    def losses(self, audio: torch.Tensor, output: torch.Tensor) -> tuple[Losses, Losses]:
        settings = self._settings
        order = torch.randperm(len(settings.windows), generator=self._random)
        terms = self._terms(audio, output, order[: settings.windows_drawn].tolist())
        total = torch.stack([self._weights[name] * term for name, term in terms.items()]).sum()
        return {RECONSTRUCTION: total}, terms

    def gradient(self, losses: Losses, output: torch.Tensor) -> torch.Tensor:
        return self.balancer.gradient(losses, output) / parallel.size()  # all of them are means over the batch


class Branch(ABC):
    """One decoder that learns.

    Attributes:
        prefix: of its figures in the log.
        objective: its losses.
    """

    prefix: str
    objective: Objective

    @abstractmethod
    def decode(self, quantized: torch.Tensor, num_codebooks: int) -> torch.Tensor:
        """Quantized latents (B, D, F), of so many codebooks, to audio (B, C, F * hop)."""


class EncodecBranch(Branch):
    """The paper's decoder.

    Args:
        config: of the run, which says by which losses it learns.
        decoder: of the model, perhaps compiled.
        device, random, weights: of the losses; see the objectives.
    """

    prefix = ""

    def __init__(
        self,
        config: TrainConfig,
        decoder: Callable[..., Any],
        device: torch.device,
        random: torch.Generator,
        weights: dict[str, float],
    ) -> None:
        self._decoder = decoder
        self.objective = (
            SpectralObjective(config, device, random, weights) if config.losses == SPECTRAL
            else PaperObjective(config, device, weights)
        )  # fmt: skip

    def decode(self, quantized: torch.Tensor, num_codebooks: int) -> torch.Tensor:
        return self._decoder(quantized)


class SpectralBranch(Branch):
    """A spectral decoder.

    Args:
        config: of the run.
        network: the decoder, on its device.
        device, random, weights: of the losses; see `SpectralObjective`.
    """

    prefix = "spectral_"

    def __init__(
        self,
        config: TrainConfig,
        network: SpectralDecoder,
        device: torch.device,
        random: torch.Generator,
        weights: dict[str, float],
    ) -> None:
        self.network, self.objective = network, SpectralObjective(config, device, random, weights)
        self.average = WeightAverage(network, config.average_decay)
        self._frames: Callable[..., Any] = _WholeBackbone(network)
        if config.compiled:
            # The blocks alone: the compiler makes nothing faster of complex numbers and of a Fourier transform.
            self._frames = torch.compile(self._frames)

    def decode(self, quantized: torch.Tensor, num_codebooks: int) -> torch.Tensor:
        frames = self._frames(quantized, self.network.config.condition(num_codebooks))
        return self.network.head.push(frames, None, last=True)[0][:, None]

    def save(self, folder: Path, model: EncodecModel) -> None:
        """Write the decoder, as it stands, beside a model in its folder.

        Args:
            folder: of the model, which exists.
            model: whose codes it decodes.
        """
        config = dataclasses.replace(self.network.config, codebooks=codebook_digest(codebooks_of_model(model)))
        tensors = {name: tensor.cpu().numpy() for name, tensor in self.network.state_dict().items()}
        write_spectral(folder, config, tensors)

    def state_dict(self) -> dict[str, Any]:
        """Network, average and balancer."""
        parts = {"network": self.network, "average": self.average, "balancer": self.objective.balancer}
        return {name: part.state_dict() for name, part in parts.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.objective.balancer.load_state_dict(state["balancer"])


class _WholeBackbone(nn.Module):
    """A spectral decoder's blocks on whole streams, as one module: latents (B, D, F) to (B, F, C)."""

    def __init__(self, network: SpectralDecoder) -> None:
        super().__init__()
        self.backbone = network.backbone
        self._fresh = [None] * (1 + network.config.num_layers)

    def forward(self, latents: torch.Tensor, condition: int) -> torch.Tensor:
        return self.backbone.push(latents.transpose(1, 2), self._fresh, condition, last=True)[0]


def codebooks_of_model(model: EncodecModel) -> Any:
    """The codebooks (K, N, D) float32 of a model, as NumPy has them."""
    return model.quantizer.entries.float().cpu().numpy()
