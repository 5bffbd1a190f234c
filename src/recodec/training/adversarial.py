"""Adversarial training: hinge losses, feature matching, and the discriminator's own updates (paper section 3.4)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..config import EncodecConfig
from ..errors import ConfigError
from . import parallel
from .discriminator import WINDOWS, Judgement, MultiScaleStftDiscriminator

Judge = Callable[[torch.Tensor], list[Judgement]]

_WINDOWS_RATE_HZ = 24_000


@dataclass(frozen=True)
class AdversarialTraining:
    """Settings of the adversarial part.

    Attributes:
        generator_weight, feature_weight: shares in the balanced gradient (lambda_g, lambda_feat); the paper's are 3 at
            24 kHz and 4 at 48 kHz. Both 0: there is no discriminator.
        update_probability: of an update of the discriminator after one of the generator; 2/3 at 24 kHz, 1/2 at 48.
        width: channels of the discriminator.
        windows: of its scales in samples; `None` for the paper's, by the sampling rate.
        per_bandwidth: one discriminator for each bandwidth, of which only the drawn one judges and learns.
        start: updates before it begins.
        lead: updates from then on in which it learns alone, before the generator hears of it.
        gain: factor on the audio that it hears. A quiet spectrum against biases of ordinary size is slow to learn
            from: with 1, as in the paper, some hundreds of updates teach it nothing; short runs want 40.
        learning_rate, betas: of its Adam.
    """

    generator_weight: float = 0.0
    feature_weight: float = 0.0
    update_probability: float = 2 / 3
    width: int = 32
    windows: tuple[int, ...] | None = None
    per_bandwidth: bool = False
    start: int = 0
    lead: int = 0
    gain: float = 1.0
    learning_rate: float = 3e-4
    betas: tuple[float, float] = (0.5, 0.9)

    def __post_init__(self) -> None:
        if min(self.generator_weight, self.feature_weight) < 0:
            raise ConfigError("generator_weight and feature_weight must not be negative")
        if not 0 <= self.update_probability <= 1:
            raise ConfigError(f"update_probability must be from 0 to 1, got {self.update_probability}")
        if self.windows is not None and not (
            isinstance(self.windows, tuple) and self.windows and all(isinstance(w, int) and w > 1 for w in self.windows)
        ):
            raise ConfigError(f"windows must be a list of samples, as [512, 128], got {self.windows!r}")
        if not (self.gain > 0 and math.isfinite(self.gain)):
            raise ConfigError(f"gain must be positive, got {self.gain}")

    def learns_at(self, update: int) -> bool:
        """Whether the discriminator learns at that update (from 0)."""
        return update >= self.start

    def acts_at(self, update: int) -> bool:
        """Whether the generator learns from it then."""
        return update >= self.start + self.lead

    @property
    def is_on(self) -> bool:
        """Whether there is a discriminator."""
        return self.generator_weight > 0 or self.feature_weight > 0

    def windows_for(self, sampling_rate_hz: int) -> tuple[int, ...]:
        """The windows in samples: as given, or the paper's."""
        factor = max(1, round(sampling_rate_hz / _WINDOWS_RATE_HZ))
        return self.windows or tuple(factor * window for window in WINDOWS)


def generator_loss(fake: Sequence[Judgement]) -> torch.Tensor:
    """Hinge loss of the generator: the mean over scales of max(0, 1 - D_k(y)) (paper section 3.4, l_g)."""
    return torch.stack([F.relu(1 - judgement.logits).mean() for judgement in fake]).mean()


def discriminator_loss(real: Sequence[Judgement], fake: Sequence[Judgement]) -> torch.Tensor:
    """Hinge loss of the discriminator: the mean over scales of max(0, 1 - D_k(x)) + max(0, 1 + D_k(y)) (L_d)."""
    both = [F.relu(1 - r.logits).mean() + F.relu(1 + f.logits).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(both).mean()


def feature_loss(real: Sequence[Judgement], fake: Sequence[Judgement]) -> torch.Tensor:
    """Relative feature matching (equation 3), l_feat: it does not depend on the features' scale.

    The mean over scales k and layers l of |D_k^l(x) - D_k^l(y)|_1 / mean |D_k^l(x)|_1. The mean is over all processes.
    """
    pairs = [pair for r, f in zip(real, fake, strict=True) for pair in zip(r.features, f.features, strict=True)]
    sizes = parallel.mean(torch.stack([x.detach().abs().mean() for x, _ in pairs]))
    terms = [F.l1_loss(y, x.detach()) / (size + 1e-9) for (x, y), size in zip(pairs, sizes, strict=True)]
    return torch.stack(terms).mean()


class Adversary:
    """The discriminators of a run, with their optimizer.

    Args:
        settings: see `AdversarialTraining`.
        model: the generator's configuration.
        device: where they live.
        generator: draws whether they are updated; the same on all processes.
        compiled: whether `torch.compile` is used.
    """

    def __init__(
        self,
        settings: AdversarialTraining,
        model: EncodecConfig,
        device: torch.device,
        generator: torch.Generator,
        *,
        compiled: bool = False,
    ) -> None:
        self.settings = settings
        self._generator = generator
        windows = settings.windows_for(model.sampling_rate)
        count = len(model.target_bandwidths) if settings.per_bandwidth else 1
        self.module = nn.ModuleList(MultiScaleStftDiscriminator(windows, settings.width) for _ in range(count))
        self.module.to(device)
        parallel.broadcast(self.module)
        self._judges: list[Judge] = [_compile(judge) if compiled else judge for judge in self.module]
        self._optimizer = torch.optim.Adam(
            self.module.parameters(), lr=settings.learning_rate, betas=settings.betas, foreach=True
        )

    def losses(self, audio: torch.Tensor, output: torch.Tensor, bandwidth: int) -> dict[str, torch.Tensor]:
        """Losses of the generator for its (B, C, T) `output` at the bandwidth of that number."""
        judge = self._judge(bandwidth)
        fake = judge(output)
        # The real audio does not depend on the generator, so its judgement needs no gradient.
        with torch.no_grad():
            real = judge(audio)
        return {"generator": generator_loss(fake), "feature": feature_loss(real, fake)}

    def update(
        self,
        audio: torch.Tensor,
        output: torch.Tensor,
        bandwidth: int,
        rate: float,
        check: Callable[[dict[str, float]], None] = lambda figures: None,
    ) -> dict[str, float]:
        """Learn, as often as the settings say, from a generator's (B, C, T) output; gives figures for the log.

        Args:
            audio, output: real and decoded.
            bandwidth: the number of the bandwidth.
            rate: factor on the learning rate.
            check: is given the figures before anything is learned, and may raise.
        """
        # All processes draw the same: one that learned alone would wait in `sum_gradients` for the others.
        if float(torch.rand((), generator=self._generator)) >= self.settings.update_probability:
            return {}
        for group in self._optimizer.param_groups:
            group["lr"] = rate * self.settings.learning_rate
        judge = self._judge(bandwidth)
        loss = discriminator_loss(judge(audio), judge(output.detach()))
        figures = {"discriminator": float(parallel.mean(loss.detach()))}
        check(figures)
        self._optimizer.zero_grad(set_to_none=True)
        # Gradients of the processes are added, and the loss is a mean over all of them.
        (loss / parallel.size()).backward()
        parallel.sum_gradients(self.module.parameters())
        self._optimizer.step()
        return figures

    def _judge(self, bandwidth: int) -> Judge:
        judge, gain = self._judges[bandwidth if self.settings.per_bandwidth else 0], self.settings.gain
        return judge if gain == 1 else lambda audio: judge(gain * audio)

    def state_dict(self) -> dict[str, Any]:
        """Discriminators and optimizer."""
        return {"module": self.module.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on."""
        self.module.load_state_dict(state["module"])
        self._optimizer.load_state_dict(state["optimizer"])


def _compile(judge: nn.Module) -> Judge:
    """For a balancer that goes back through each judgement twice, once for each loss."""
    from torch._functorch import config

    if hasattr(config, "donated_buffer"):
        config.donated_buffer = False  # buffers that the compiler reuses would not survive the first time
    return torch.compile(judge)
