"""Settings of a spectral decoder's training: its losses with their weights, and its learning rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import ConfigError

ALONE = "spectral"
"""Value of `TrainConfig.decoder`: the spectral decoder learns and the paper's does not."""
BOTH = "both"
DECODERS = ("encodec", ALONE, BOTH)
SPECTRAL = "spectral"
"""Value of `TrainConfig.losses`: the paper's decoder learns by those of the spectral one."""
LOSSES = ("paper", SPECTRAL)
_WEIGHTS = ("mel_weight", "log_mel_weight", "magnitude_weight", "phase_weight")


@dataclass(frozen=True)
class SpectralTraining:
    """How a spectral decoder learns (`docs/decisions/0021-spectral-decoder.md`).

    Attributes:
        mel_weight: of the L1 distance of mel spectrograms.
        log_mel_weight: of the L2 distance of their logarithms.
        magnitude_weight: of the L1 distance of log magnitudes.
        phase_weight: of the distance of phases, weighted by the target's magnitude alone.
        weight: factor on all of them. Beside the paper's decoder, it says how much the encoder hears of this one.
        windows: of the transforms that the losses are computed from, in samples.
        windows_drawn: how many of them each update takes, drawn at random.
        learning_rate: of the decoder's Adam, at the height of the schedule.
    """

    mel_weight: float = 1.0
    log_mel_weight: float = 1.0
    magnitude_weight: float = 1.0
    phase_weight: float = 0.2
    weight: float = 1.0
    windows: tuple[int, ...] = (2048, 1024, 512, 256, 128, 64)
    windows_drawn: int = 3
    learning_rate: float = 8e-4

    def __post_init__(self) -> None:
        values = [getattr(self, name) for name in _WEIGHTS]
        if not all(math.isfinite(value) and value >= 0 for value in values) or sum(values) <= 0:
            raise ConfigError(f"{', '.join(_WEIGHTS)} of a spectral decoder must not be negative, nor all 0")
        for name in ("weight", "learning_rate"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ConfigError(f"spectral.{name} must be a number above 0, got {value}")
        good = isinstance(self.windows, tuple) and all(type(w) is int and w >= 16 and w % 4 == 0 for w in self.windows)
        if not good or not self.windows:
            raise ConfigError(f"spectral.windows must be a list of multiples of 4 from 16 on, got {self.windows!r}")
        if not 1 <= self.windows_drawn <= len(self.windows):
            raise ConfigError(
                f"spectral.windows_drawn must be from 1 to the number of windows, {len(self.windows)}, "
                f"got {self.windows_drawn}"
            )

    def loss_weights(self) -> dict[str, float]:
        """Weights by the names that `SpectralLosses` gives its terms."""
        return {name.removesuffix("_weight"): self.weight * getattr(self, name) for name in _WEIGHTS}
