"""A training run as a frozen value. Recipes are functions that return one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..checkpoint import check_fit
from ..config import EncodecConfig
from ..errors import CheckpointError, ConfigError
from ..spectral import SpectralConfig
from .adversarial import AdversarialTraining
from .codebooks import CodebookLearning
from .precision import PRECISIONS
from .settings import apply_settings, share_of
from .spectral import ALONE, BOTH, DECODERS, LOSSES, SPECTRAL, SpectralTraining


@dataclass(frozen=True)
class TrainConfig:
    """What a run trains, on what and how (paper section 4).

    Attributes:
        model: the network.
        data: a folder of shards, or by group of audio where that lies (see `sources.open_groups`).
        codes: folder of the codes that `recodec tokenize` made of `data` (of each group's, if `data` names groups), so
            that a frozen encoder need not run; `None` to encode. See `stored.py`.
        context_frames: of stored codes, how many the decoder hears before a crop. No loss is computed on them.
        dev: corpus of clips for the figures in the log (see `dev.DevSet`); `None` for none.
        start: weights to begin with: a folder, a hub id, or a file of weights in any layout that
            `EncodecModel.from_pretrained` reads; `None` for a fresh start.
        group_weights: share of crops from each group; a group of `data` that is not in it gets their mean.
        mixing: chances of an example to be one crop of music, one of another group, two of any, three without
            music (paper section 4.1: 0.32, 0.32, 0.24, 0.12); `None` for one crop of a group by `group_weights`.
        normalize_crops: scale each crop to full scale before its gain.
        reverb_probability: of a crop to be reverberated (paper: 0.2).
        speed: bounds of the factor by which a crop is played faster, with its pitch, by resampling; (1, 1) for none.
        equalizer_probability: of a crop to go through random shelving and peaking filters (see `augment.py`).
        equalizer_db: the most that each of those filters raises or lowers.
        workers: processes that make batches ahead; 0 for none.
        updates: number of optimizer steps in all.
        warmup_updates: steps over which the learning rate rises from 0.
        cooldown_updates: steps at the end over which it falls to 0.
        quantizer_start: updates without quantization before the k-means start.
        batch_size, crop_s: crops a step, and their length in seconds.
        gain_db: bounds of the random gain.
        learning_rate, betas: of Adam.
        schedule: of the learning rate between warm-up and cool-down: `"constant"`, or `"cosine"` to 0 at the end.
        clip_norm: largest norm of the gradient of the generator; 0 for any.
        precision: `"fp32"`; `"bf16"` for mixed precision; `"auto"` for `"bf16"` where the processor or GPU computes in
            it (see `precision.py`), else `"fp32"`. Codebooks are searched in float32 always.
        compiled: whether encoder, decoder and discriminator go through `torch.compile`.
        average_decay: of the moving average of the weights that is evaluated and kept; 0 for none.
        time_weight, mel_weight: shares in the balanced gradient (lambda_t, lambda_f).
        mel_floor: mel magnitudes below it count as silence (see `MultiScaleMelLoss`).
        commitment_weight: of the commitment loss, outside the balancer.
        commitment_levels: `"all"`, or `"first"` as in Meta's released code.
        adversarial: discriminator and its losses, for the one decoder that learns.
        decoder: which one learns: `"encodec"`, the paper's; `"spectral"`, the second one of `spectral_model`, and the
            paper's stays as it is; or `"both"` on the same codes. A spectral decoder that lies beside the weights in
            `start` is what its training begins with.
        losses: what the paper's decoder learns by: `"paper"`, the balanced ones of waveforms and mel spectrograms; or
            `"spectral"`, those of `spectral`, which leave the level right where the phase cannot be known.
        spectral_model: the spectral decoder.
        spectral: those losses, and the learning rate of the spectral decoder; `learning_rate` is then that of the
            encoder and the paper's decoder.
        codebooks: how they learn.
        train_encoder: false to let encoder and codebooks, and with them all codes, stay as they are: the decoder
            learns alone, and a language model of the codes stays right.
        seed: of everything random.
        board: write figures, spectrograms and sound for TensorBoard; `None` to do so where `dev` is given and the
            package `tensorboard` is installed.
        save_every_s, log_every, dev_every: seconds between checkpoints, updates between log lines
            and between dev figures.
    """

    model: EncodecConfig
    data: str | Mapping[str, str]
    codes: str | Mapping[str, str] | None = None
    context_frames: int = 16
    dev: str | None = None
    start: str | None = None
    group_weights: Mapping[str, float] = field(default_factory=lambda: {"speech": 0.45, "music": 0.35, "sfx": 0.2})
    mixing: tuple[float, float, float, float] | None = None
    normalize_crops: bool = False
    reverb_probability: float = 0.0
    speed: tuple[float, float] = (1.0, 1.0)
    equalizer_probability: float = 0.0
    equalizer_db: float = 6.0
    workers: int = 0
    updates: int = 100_000
    warmup_updates: int = 100
    cooldown_updates: int = 0
    quantizer_start: int = 0
    batch_size: int = 64
    crop_s: float = 1.0
    gain_db: tuple[float, float] = (-10.0, 6.0)
    learning_rate: float = 3e-4
    betas: tuple[float, float] = (0.5, 0.9)
    schedule: str = "constant"
    clip_norm: float = 0.0
    precision: str = "fp32"
    compiled: bool = False
    average_decay: float = 0.0
    time_weight: float = 0.1
    mel_weight: float = 1.0
    mel_floor: float = 3e-4
    commitment_weight: float = 1.0
    commitment_levels: str = "all"
    adversarial: AdversarialTraining = field(default_factory=AdversarialTraining)
    codebooks: CodebookLearning = field(default_factory=CodebookLearning)
    decoder: str = "encodec"
    losses: str = "paper"
    spectral_model: SpectralConfig = field(default_factory=SpectralConfig)
    spectral: SpectralTraining = field(default_factory=SpectralTraining)
    train_encoder: bool = True
    seed: int = 0
    board: bool | None = None
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
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ConfigError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.mixing is not None and (len(self.mixing) != 4 or min(self.mixing) < 0 or sum(self.mixing) <= 0):
            raise ConfigError(f"mixing must be four chances, got {self.mixing}")
        good = len(self.speed) == 2 and MIN_SPEED <= self.speed[0] <= self.speed[1] <= MAX_SPEED
        if not good:
            raise ConfigError(f"speed must be two factors from {MIN_SPEED:g} to {MAX_SPEED:g}, got {self.speed}")
        if not 0 <= self.equalizer_probability <= 1:
            raise ConfigError(f"equalizer_probability must be from 0 to 1, got {self.equalizer_probability}")
        if not 0 <= self.equalizer_db <= MAX_EQUALIZER_DB:
            raise ConfigError(f"equalizer_db must be from 0 to {MAX_EQUALIZER_DB:g}, got {self.equalizer_db}")
        if self.crop_samples <= MEL_WINDOW // 2:
            least = MEL_WINDOW // 2 / self.model.sampling_rate
            raise ConfigError(f"crop_s must be above {least:.4f} (half a window of the mel loss), got {self.crop_s}")
        longest = max(self.adversarial.windows_for(self.model.sampling_rate))
        if self.adversarial.is_on and self.crop_samples < longest:
            raise ConfigError(f"a crop must hold the discriminator's longest window, {longest} samples")
        if self.trains_spectral or self.losses == SPECTRAL:
            self._check_windows()
        if self.trains_spectral:
            self._check_spectral()
        if self.codes is not None:
            self._check_codes()

    def _check_codes(self) -> None:
        hop = self.model.hop_length
        if self.train_encoder:
            raise ConfigError(
                "stored codes leave nothing for the encoder to learn: codes goes with train_encoder=false"
            )
        if isinstance(self.codes, str) != isinstance(self.data, str):
            raise ConfigError("codes must be one folder where data is one place, and a folder for each group where not")
        if self.crop_samples % hop:
            raise ConfigError(f"with stored codes crop_s must be whole frames of {hop} samples, got {self.crop_s}")
        if self.context_frames < 0:
            raise ConfigError(f"context_frames must not be negative, got {self.context_frames}")
        if self.model.normalize or self.model.chunk_length is not None:
            raise ConfigError("stored codes are for models that neither normalize nor have segments")
        for name, plain in _AS_STORED.items():
            if (value := getattr(self, name)) != plain:
                raise ConfigError(
                    f"stored codes are of recordings as they are, so {name} must be {plain!r} with codes, got {value!r}"
                )

    def _check_windows(self) -> None:
        longest = max(self.spectral.windows)
        if self.crop_samples <= longest // 2:
            least = longest // 2 / self.model.sampling_rate
            raise ConfigError(
                f"crop_s must be above {least:.4f} (half a window of spectral.windows), got {self.crop_s}"
            )

    def _check_spectral(self) -> None:
        if self.decoder == BOTH and self.adversarial.is_on:
            raise ConfigError(
                "a discriminator is for one decoder: with decoder=both, adversarial.generator_weight and "
                "adversarial.feature_weight must be 0; sharpen each decoder in a run of its own, by train_encoder=false"
            )
        try:
            check_fit(dataclasses.replace(self.spectral_model, codebooks=""), self.model, np.empty(0))
        except CheckpointError as error:
            raise ConfigError(f"spectral_model does not fit the model: {error}") from error

    @property
    def trains_encodec(self) -> bool:
        """Whether the paper's decoder learns."""
        return self.decoder != ALONE

    @property
    def trains_spectral(self) -> bool:
        """Whether a spectral decoder learns."""
        return self.decoder in (ALONE, BOTH)

    def share_of(self, group: str) -> float:
        """The share of crops from a group."""
        return share_of(group, self.group_weights)

    @property
    def crop_samples(self) -> int:
        """Samples of a crop."""
        return round(self.crop_s * self.model.sampling_rate)

    def learning_rate_at(self, update: int) -> float:
        """Learning rate of that update (from 0): linear warm-up, `schedule`, linear cool-down."""
        return self._rate_at(update, self.learning_rate)

    def learning_rates_at(self, update: int) -> tuple[float, float]:
        """That of the model and that of the spectral decoder, at that update (from 0)."""
        return self.learning_rate_at(update), self._rate_at(update, self.spectral.learning_rate)

    def _rate_at(self, update: int, height: float) -> float:
        rise = min(1.0, (update + 1) / max(1, self.warmup_updates))
        fall = min(1.0, (self.updates - update) / max(1, self.cooldown_updates))
        middle = 1.0 if self.schedule == "constant" else (1 + math.cos(math.pi * update / self.updates)) / 2
        return height * min(rise, fall) * middle

    def with_settings(self, settings: Mapping[str, str]) -> TrainConfig:
        """A copy with `key=value` settings applied; `model.key` reaches into the network's config, `data.speech` is
        the place of a group.

        Raises:
            ConfigError: for a key that does not exist, or a value of the wrong kind.
        """
        return apply_settings(
            self,
            settings,
            owners=("model", "codebooks", "adversarial", "spectral_model", "spectral"),
            mappings=("data", "codes", "group_weights"),
        )


MEL_WINDOW = 2048
MIN_SPEED, MAX_SPEED = 0.5, 2.0
MAX_EQUALIZER_DB = 24.0

_AS_STORED: dict[str, Any] = {
    "gain_db": (0.0, 0.0),
    "mixing": None,
    "normalize_crops": False,
    "reverb_probability": 0.0,
    "speed": (1.0, 1.0),
    "equalizer_probability": 0.0,
}
"""What changes audio before it is encoded, and the values that do not."""

_CHOICES = {
    "schedule": ("constant", "cosine"),
    "precision": PRECISIONS,
    "decoder": DECODERS,
    "losses": LOSSES,
    "commitment_levels": ("all", "first"),
}
