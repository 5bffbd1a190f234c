"""A training run as a frozen value. Recipes are functions that return one."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..config import EncodecConfig
from ..errors import ConfigError
from .codebooks import CodebookLearning


@dataclass(frozen=True)
class TrainConfig:
    """What a run trains, on what and how (paper section 4).

    Attributes:
        model: the network.
        data: folder of shards (see `ShardCrops`).
        dev: folder of clips for the figures in the log; `None` for none.
        group_weights: share of crops from each group of shards.
        updates: number of optimizer steps in all.
        warmup_updates: steps over which the learning rate rises from 0.
        cooldown_updates: steps at the end over which it falls to 0.
        quantizer_start: updates without quantization before the k-means start.
        batch_size, crop_s: crops a step, and their length in seconds.
        gain_db: bounds of the random gain.
        learning_rate, betas: of Adam.
        time_weight, mel_weight: shares in the balanced gradient (lambda_t, lambda_f).
        mel_floor: mel magnitudes below it count as silence (see `MultiScaleMelLoss`).
        commitment_weight: of the commitment loss, outside the balancer.
        codebooks: how they learn.
        train_encoder: false to let encoder and codebooks, and with them all codes, stay as they are: the decoder
            learns alone, and a language model of the codes stays right.
        seed: of everything random.
        save_every_s, log_every, dev_every: seconds between checkpoints, updates between log lines
            and between dev figures.
    """

    model: EncodecConfig
    data: str
    dev: str | None = None
    group_weights: Mapping[str, float] = field(default_factory=lambda: {"speech": 0.45, "music": 0.35, "sfx": 0.2})
    updates: int = 100_000
    warmup_updates: int = 100
    cooldown_updates: int = 0
    quantizer_start: int = 0
    batch_size: int = 64
    crop_s: float = 1.0
    gain_db: tuple[float, float] = (-10.0, 6.0)
    learning_rate: float = 3e-4
    betas: tuple[float, float] = (0.5, 0.9)
    time_weight: float = 0.1
    mel_weight: float = 1.0
    mel_floor: float = 3e-4
    commitment_weight: float = 1.0
    codebooks: CodebookLearning = field(default_factory=CodebookLearning)
    train_encoder: bool = True
    seed: int = 0
    save_every_s: float = 300.0
    log_every: int = 20
    dev_every: int = 1000

    def __post_init__(self) -> None:
        for name in ("updates", "batch_size", "log_every", "dev_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.crop_samples < self.model.hop_length:
            raise ConfigError(f"crop_s must hold a frame ({self.model.hop_length} samples), got {self.crop_s}")
        if self.time_weight < 0 or self.mel_weight < 0 or self.time_weight + self.mel_weight <= 0:
            raise ConfigError("time_weight and mel_weight must not be negative, nor both 0")

    @property
    def crop_samples(self) -> int:
        """Samples of a crop."""
        return round(self.crop_s * self.model.sampling_rate)

    def learning_rate_at(self, update: int) -> float:
        """Learning rate of that update (from 0): warm-up, plateau, linear cool-down."""
        rise = min(1.0, (update + 1) / max(1, self.warmup_updates))
        fall = min(1.0, (self.updates - update) / max(1, self.cooldown_updates))
        return self.learning_rate * min(rise, fall)

    def with_settings(self, settings: Mapping[str, str]) -> TrainConfig:
        """A copy with `key=value` settings applied; `model.key` reaches into the network's config.

        Raises:
            ConfigError: for a key that does not exist, or a value of the wrong kind.
        """
        return apply_settings(self, settings, owners=("model", "codebooks"))


Config = TypeVar("Config")


def apply_settings(config: Config, settings: Mapping[str, str], *, owners: Sequence[str]) -> Config:
    """A copy of a dataclass with `key=value` settings applied; `owner.key` reaches into a field that is one.

    Raises:
        ConfigError: for a key that does not exist, or a value of the wrong kind.
    """
    for key, text in settings.items():
        owner, _, name = key.rpartition(".")
        target: Any = getattr(config, owner) if owner in owners else config
        known = {f.name for f in dataclasses.fields(target)}
        if owner not in ("", *owners) or name not in known:
            raise ConfigError(f"there is no setting {key!r}; see {type(config).__name__} for those that exist")
        changed = dataclasses.replace(target, **{name: _parse(key, text, getattr(target, name))})
        config = dataclasses.replace(config, **{owner: changed}) if owner else changed  # type: ignore[type-var]
    return config


def _parse(key: str, text: str, old: object) -> Any:
    """Read a setting's text as JSON where it is some, else as a string."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(old, float) and isinstance(value, int):
        value = float(value)
    if old is not None and value is not None and type(value) is not type(old):
        raise ConfigError(f"{key} must be of the kind of {old!r}, got {text!r}")
    return value
