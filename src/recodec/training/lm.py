"""Training of a code language model on the codes of a corpus (paper section 3.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import CheckpointError, ConfigError
from ..lm.config import CodeLMConfig
from ..lm.dequantize import dequantize
from ..lm.float_network import CodeLM
from ..lm.meta_network import MetaCodeLM, MetaLMConfig
from ..lm.quantize import quantize
from ..lm.weights import WEIGHTS_NAME, check_weights, read_lm, save_lm
from ..nn.pickled import load_pickled
from .codes import CodeCrops, CodecShape, read_clips
from .loop import Run, begin
from .muon import Muon
from .settings import apply_settings
from .state import STATE_NAME, read_state, write_state

EXPORT_NAME = "lm"
_MAX_OFFSET = 10_000  # of the paper's sinusoidal positions, in frames


@dataclass(frozen=True)
class LMTrainConfig:
    """What a run trains, on what and how.

    Attributes:
        model: our network, or the paper's (which cannot be exported to exact arithmetic).
        codec: the codec model whose codes they are, a folder or a hub id; the shipped one for `None`.
        codes: folder that `recodec tokenize` wrote, at the codec's highest bandwidth, or one for each group.
        codebooks: start from the geometry of the codec's codebooks (our network only; see `CodeLM`).
        start: folder to take the weights from: of another run, such as one on an earlier state of the codec, or of an
            exact model (`lm.safetensors`), such as the shipped one's.
        dev: such a folder for the figures in the log; `None` for none.
        group_weights: share of crops from each group.
        updates: number of optimizer steps in all.
        warmup_updates: steps over which the learning rate rises from 0.
        cooldown_updates: steps at the end over which it falls to 0.
        batch_size, crop_s: crops a step, and their length in seconds (paper: 5 s).
        learning_rate, betas: of Adam.
        matrix_learning_rate: of Muon, which takes the matrices of the layers and heads; 0 for Adam alone. The
            paper's network always has Adam alone.
        clip_norm: largest norm of the gradient.
        seed: of everything random.
        save_every_s, log_every, dev_every: seconds between checkpoints, updates between log lines
            and between dev figures.
    """

    model: CodeLMConfig | MetaLMConfig
    codes: str | Mapping[str, str]
    codec: str | None = None
    codebooks: bool = True
    start: str | None = None
    dev: str | None = None
    group_weights: Mapping[str, float] = field(default_factory=lambda: {"speech": 0.45, "music": 0.35, "sfx": 0.2})
    updates: int = 20_000
    warmup_updates: int = 100
    cooldown_updates: int = 4_000
    batch_size: int = 8
    crop_s: float = 5.0
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.98)
    matrix_learning_rate: float = 2e-3
    clip_norm: float = 1.0
    seed: int = 0
    save_every_s: float = 300.0
    log_every: int = 10
    dev_every: int = 500

    def __post_init__(self) -> None:
        for name in ("updates", "batch_size", "log_every", "dev_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not (math.isfinite(self.crop_s) and self.crop_s > 0):
            raise ConfigError(f"crop_s must be positive, got {self.crop_s}")

    def learning_share_at(self, update: int) -> float:
        """Share of the learning rates at that update (from 0): warm-up, plateau, linear cool-down."""
        rise = min(1.0, (update + 1) / max(1, self.warmup_updates))
        fall = min(1.0, (self.updates - update) / max(1, self.cooldown_updates))
        return min(rise, fall)

    def with_settings(self, settings: Mapping[str, str]) -> LMTrainConfig:
        """A copy with `key=value` settings applied; `model.key` reaches into the network's config.

        Raises:
            ConfigError: for a key that does not exist, or a value of the wrong kind.
        """
        return apply_settings(self, settings, owners=("model",), mappings=("codes", "group_weights"))


class LMTrainer:
    """Everything a run holds. `state_dict` is all of it, so that a resumed run goes on as if unbroken.

    Args:
        config: the run.
        device: where to train.

    Raises:
        ConfigError: if the codes are not those the model is for.
        CheckpointError: if there is nothing to start from, or of another network.
    """

    def __init__(self, config: LMTrainConfig, device: str | torch.device = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        self.shape = CodecShape.of(config.codec)
        _check(config.model, self.shape)
        self.counts = list(self.shape.counts.values())
        torch.manual_seed(config.seed)
        self.model = _build(config, self.shape).to(self.device)
        if config.start is not None:
            _take_weights(self.model, Path(config.start))
        self.optimizers = _optimizers(self.model, config)
        self._rates = [optimizer.param_groups[0]["lr"] for optimizer in self.optimizers]
        self.random = torch.Generator().manual_seed(config.seed)
        self.data = CodeCrops(
            config.codes,
            self.shape,
            crop_frames=max(1, round(config.crop_s * self.shape.config.frame_rate)),
            group_weights=config.group_weights,
            seed=config.seed,
        )
        self.done = 0
        self.seconds = 0.0

    def update(self) -> dict[str, float]:
        """One optimizer step on a fresh batch at a bandwidth drawn evenly; returns figures for the log."""
        config = self.config
        share = config.learning_share_at(self.done)
        for optimizer, rate in zip(self.optimizers, self._rates, strict=True):
            optimizer.param_groups[0]["lr"] = share * rate
        count = self.counts[int(torch.randint(len(self.counts), (), generator=self.random))]
        codes = self.data.batch(config.batch_size, count).to(self.device)
        logits = self._logits(codes)
        loss = F.cross_entropy(logits.flatten(0, 2), codes.flatten())
        self.model.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), config.clip_norm)
        for optimizer in self.optimizers:
            optimizer.step()
        self.done += 1
        return {"codebooks": count, "bits_per_code": float(loss.detach()) / math.log(2)}

    def _logits(self, codes: torch.Tensor) -> torch.Tensor:
        """(B, K, F, N); the paper's network starts at a random position."""
        if isinstance(self.model, MetaCodeLM):
            offset = torch.randint(_MAX_OFFSET, (codes.shape[0], 1, 1), generator=self.random)
            return self.model(codes, offset.to(codes.device))
        return self.model(codes)

    def state_dict(self) -> dict[str, Any]:
        """Model, optimizers, random states, position in the data and in the run."""
        return {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "random": self.random.get_state(),
            "data": self.data.state_dict(),
            "done": self.done,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue a run."""
        self.model.load_state_dict(state["model"])
        for optimizer, old in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(old)
        self.random.set_state(state["random"].cpu())
        self.data.load_state_dict(state["data"])
        self.done, self.seconds = state["done"], state["seconds"]

    def save(self, folder: Path) -> None:
        """Write the state atomically."""
        write_state(folder, self.state_dict())

    def load(self, folder: Path) -> None:
        """Read the state that `save` wrote.

        Raises:
            CheckpointError: if it is not readable, or belongs to another network.
        """
        read_state(folder, self.load_state_dict, self.device)


def train_lm(
    config: LMTrainConfig,
    out: str | Path,
    *,
    device: str | torch.device = "cpu",
    resume: bool = True,
    progress: bool = True,
    stop_after_s: float | None = None,
) -> nn.Module:
    """Run `config`, with the state and the log in the folder `out`, and our network exact in `out/lm`.

    A run that was interrupted goes on where its last checkpoint stands.

    Args:
        config: the run.
        out: folder; made if it does not exist.
        device: where to train.
        resume: go on from the folder's state if there is one; otherwise refuse to overwrite it.
        progress: show a bar with speed and remaining time.
        stop_after_s: save, export and return after that many seconds, before the run is complete.

    Returns:
        the trained model.

    Raises:
        FileExistsError: if there is a state and `resume` is false.
        CheckpointError: if the state cannot be read.
        ConfigError: if the codes are not those the model is for.
    """
    out = Path(out)
    trainer = LMTrainer(config, device)
    begin(trainer, out, resume)
    with ExitStack() as stack:
        _LMRun(trainer, out, progress, stack).go(stop_after_s)
    trainer.save(out)
    if isinstance(trainer.model, CodeLM):
        export(trainer.model, out / EXPORT_NAME)
    return trainer.model


class _LMRun(Run):
    """The loop of a language model's run."""

    def __init__(self, trainer: LMTrainer, out: Path, progress: bool, stack: ExitStack) -> None:
        super().__init__(trainer, out, progress, stack)
        self.trainer = trainer

    def shown(self, figures: Mapping[str, float]) -> dict[str, str]:
        return {"bits": f"{figures['bits_per_code']:.3f}"}

    def reported(self, figures: Mapping[str, float]) -> Mapping[str, float]:
        return figures

    def dev_figures(self) -> Mapping[str, float]:
        trainer, dev = self.trainer, self.trainer.config.dev
        groups = list(trainer.config.group_weights)
        return {} if dev is None else bits_by_bandwidth(trainer.model, trainer.shape, dev, groups)


def export(model: CodeLM, folder: str | Path) -> None:
    """Write the exact form of a trained model: `lm.safetensors` and `lm_config.json`."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    save_lm(folder, model.config, quantize(model.config, model.exact_weights()))


@torch.no_grad()
def bits_by_bandwidth(
    model: nn.Module, shape: CodecShape, folder: str | Path, groups: Sequence[str] = ()
) -> dict[str, float]:
    """Bits per frame on the clips of a folder that `tokenize` wrote, each coded from its start as one packet.

    Args:
        model: the language model.
        shape: of the codec model.
        folder: of codes.
        groups: that have figures of their own.

    Returns:
        figures named `dev_<group>_<kbps>` and, over all clips, `dev_<kbps>`.
    """
    device = next(model.parameters()).device
    bits: dict[str, float] = {}
    frames: dict[str, int] = {}
    for clip in read_clips(folder, shape, groups):
        for bandwidth, count in shape.counts.items():
            x = torch.from_numpy(clip.codes[None, :count]).to(device)
            nats = float(F.cross_entropy(model(x).flatten(0, 2), x.flatten(), reduction="sum"))
            for group in (clip.group, ""):
                name = "_".join(filter(None, ("dev", group, f"{bandwidth:g}")))
                bits[name] = bits.get(name, 0.0) + nats / math.log(2)
                frames[name] = frames.get(name, 0) + x.shape[-1]
    return {name: bits[name] / frames[name] for name in sorted(bits)}


def _build(config: LMTrainConfig, shape: CodecShape) -> nn.Module:
    if isinstance(config.model, MetaLMConfig):
        return MetaCodeLM(config.model)
    return CodeLM(config.model, torch.from_numpy(shape.codebooks) if config.codebooks else None)


def _optimizers(model: nn.Module, config: LMTrainConfig) -> list[torch.optim.Optimizer]:
    """Adam, and Muon for the matrices of our network."""
    matrices = model.matrices() if isinstance(model, CodeLM) and config.matrix_learning_rate else []
    own = {id(matrix) for matrix in matrices}
    others = [p for p in model.parameters() if id(p) not in own]
    adam = torch.optim.Adam(others, lr=config.learning_rate, betas=config.betas, foreach=True)
    return [adam, Muon(matrices, config.matrix_learning_rate)] if matrices else [adam]


def _take_weights(model: nn.Module, folder: Path) -> None:
    """The weights of another run, or of an exact model; the codec's codebooks stay those of the model in use."""
    if isinstance(model, CodeLM) and (folder / WEIGHTS_NAME).is_file():
        shape, tensors = read_lm(folder)
        if shape != model.config:
            raise CheckpointError(f"cannot start from {folder}: it has another shape, {shape}")
        check_weights(shape, tensors)
        model.take_exact(dequantize(shape, tensors))
        return
    try:
        weights = load_pickled(folder / STATE_NAME)["model"]
        weights.pop("codebooks", None)
        missing = set(model.load_state_dict(weights, strict=False).missing_keys) - {"codebooks"}
    except Exception as error:  # torch.load raises whatever the bytes provoke
        raise CheckpointError(f"cannot start from {folder}: {error}") from error
    if missing:
        raise CheckpointError(f"cannot start from {folder}: it lacks {', '.join(sorted(missing))}")


def _check(model: CodeLMConfig | MetaLMConfig, shape: CodecShape) -> None:
    config = shape.config
    if model.num_codebooks < config.num_quantizers or model.codebook_size != config.codebook_size:
        raise ConfigError(
            f"the codes have {config.num_quantizers} codebooks of {config.codebook_size} entries, "
            f"the language model {model.num_codebooks} of {model.codebook_size}"
        )
