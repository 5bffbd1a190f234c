"""The training loop of the starter recipe: reconstruction losses, balanced, on one device.

Adversarial losses join in `Trainer.update` as further entries of `losses`; nothing else changes.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F
from tqdm import tqdm

from ..atomic import atomic_write
from ..errors import CheckpointError
from ..model.encodec import EncodecModel
from .balancer import Balancer
from .codebooks import CodebookLearner, quantize_for_training
from .config import TrainConfig
from .data import ShardCrops
from .dev import DevSet
from .initialize import initialize
from .losses import MultiScaleMelLoss

STATE_NAME = "state.pt"
LOG_NAME = "log.jsonl"
INITIAL_CROPS = 16


class Trainer:
    """Everything a run holds. `state_dict` is all of it, so that a resumed run goes on as if unbroken.

    Args:
        config: the run.
        device: where to train.
    """

    def __init__(self, config: TrainConfig, device: str | torch.device = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        torch.manual_seed(config.seed)
        self.model = EncodecModel(config.model).to(self.device).train()
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=config.learning_rate, betas=config.betas, foreach=True
        )
        self.mel = MultiScaleMelLoss(config.model.sampling_rate, floor=config.mel_floor).to(self.device)
        self.balancer = Balancer({"time": config.time_weight, "mel": config.mel_weight})
        self.random = torch.Generator().manual_seed(config.seed)
        self.learner = CodebookLearner(self.model.quantizer, config.codebooks, self.random)
        self.data = ShardCrops(
            config.data,
            group_weights=config.group_weights,
            crop_samples=config.crop_samples,
            gain_db=config.gain_db,
            seed=config.seed,
        )
        initialize(self.model, self.data.batch(INITIAL_CROPS).to(self.device))
        self.done = 0
        self.seconds = 0.0

    def update(self) -> dict[str, float]:
        """One optimizer step on a fresh batch; returns the figures for the log."""
        config = self.config
        if config.train_encoder and self.done == config.quantizer_start:
            self._start_codebooks()
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate_at(self.done)
        audio = self.data.batch(config.batch_size).to(self.device)
        quantized, commitment, used = self._encode(audio)
        output = self.model.decoder(quantized)[..., : audio.shape[-1]]
        losses = {"time": F.l1_loss(output, audio), "mel": self.mel(audio, output)}
        self.optimizer.zero_grad(set_to_none=True)
        gradient = self.balancer.gradient(losses, output)
        if used:
            (config.commitment_weight * commitment).backward(retain_graph=True)
        output.backward(gradient)
        self.optimizer.step()
        revived = [
            self.learner.update(book, vectors, codes)
            for book, (vectors, codes) in zip(self.model.quantizer.codebooks, used, strict=False)
        ]
        self.done += 1
        figures = {name: float(loss.detach()) for name, loss in losses.items()}
        return {**figures, "commitment": float(commitment.detach()), "revived": float(sum(revived))}

    def _encode(
        self, audio: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
        """Audio (B, C, T) to what the decoder gets; see `quantize_for_training`. Nothing to learn from if frozen."""
        if not self.config.train_encoder:
            with torch.no_grad():
                latents = self.model.encoder(audio)
                quantized, loss, _ = quantize_for_training(self.model.quantizer, latents, self._draw_num_quantizers())
            return quantized, loss, []
        latents = self.model.encoder(audio)
        if self.done < self.config.quantizer_start:
            return latents, latents.new_zeros(()), []
        return quantize_for_training(self.model.quantizer, latents, self._draw_num_quantizers())

    def _draw_num_quantizers(self) -> int:
        """Codebooks of this batch: a bandwidth drawn evenly (quantizer dropout, paper section 3.2)."""
        bands = self.config.model.target_bandwidths
        drawn = int(torch.randint(len(bands), (), generator=self.random))
        return self.config.model.quantizers_for(bands[drawn])

    @torch.no_grad()
    def _start_codebooks(self) -> None:
        config = self.config
        wanted = 8 * config.model.codebook_size
        per_batch = config.batch_size * config.model.frames_for(config.crop_samples)
        batches = [
            self.model.encoder(self.data.batch(config.batch_size).to(self.device))
            for _ in range(-(-wanted // per_batch))
        ]
        vectors = torch.cat(batches).transpose(1, 2).flatten(0, 1)
        self.learner.start(vectors)

    def state_dict(self) -> dict[str, Any]:
        """Model, optimizer, moving averages, random states, position in the data and in the run."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "balancer": self.balancer.state_dict(),
            "random": self.random.get_state(),
            "data": self.data.state_dict(),
            "done": self.done,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue a run."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.balancer.load_state_dict(state["balancer"])
        self.random.set_state(state["random"])
        self.data.load_state_dict(state["data"])
        self.done, self.seconds = state["done"], state["seconds"]

    def save(self, folder: Path) -> None:
        """Write the state atomically."""
        with atomic_write(folder / STATE_NAME) as file:
            torch.save(self.state_dict(), file)

    def load(self, folder: Path) -> None:
        """Read the state that `save` wrote.

        Raises:
            CheckpointError: if it is not readable, or belongs to another network.
        """
        path = folder / STATE_NAME
        try:
            self.load_state_dict(torch.load(path, map_location=self.device, weights_only=True))
        except FileNotFoundError:
            raise
        except Exception as error:  # torch.load raises whatever the bytes provoke
            raise CheckpointError(f"cannot resume from {path}: {error}") from error


def train(
    config: TrainConfig,
    out: str | Path,
    *,
    device: str | torch.device = "cpu",
    resume: bool = True,
    progress: bool = True,
    stop_after_s: float | None = None,
) -> EncodecModel:
    """Run `config`, with the state, the log and the model in the folder `out`.

    A run that was interrupted goes on where its last checkpoint stands.

    Args:
        config: the run.
        out: folder; made if it does not exist.
        device: where to train.
        resume: go on from the folder's state if there is one; otherwise refuse to overwrite it.
        progress: show a bar with speed and remaining time.
        stop_after_s: save and return after that many seconds, before the run is complete.

    Returns:
        the trained model, which is also saved as `out/model`.

    Raises:
        FileExistsError: if there is a state and `resume` is false.
        CheckpointError: if the state cannot be read.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, device)
    if (out / STATE_NAME).exists():
        if not resume:
            raise FileExistsError(f"{out} holds a run already; resume it or choose another folder")
        trainer.load(out)
    dev = None if config.dev is None else DevSet(config.dev, config.model)
    started = saved = time.monotonic()
    before = trainer.seconds
    bar = tqdm(total=config.updates, initial=trainer.done, unit="update", disable=not progress, smoothing=0.02)
    with bar, open(out / LOG_NAME, "a", encoding="utf-8", buffering=1) as log:
        while trainer.done < config.updates:
            figures = trainer.update()
            now = time.monotonic()
            trainer.seconds = before + now - started
            bar.update()
            if trainer.done % config.log_every == 0:
                bar.set_postfix(time=f"{figures['time']:.4f}", mel=f"{figures['mel']:.3f}")
                _log(log, trainer, figures)
            if dev is not None and trainer.done % config.dev_every == 0:
                _log(log, trainer, dev.figures(trainer.model))
            if now - saved > config.save_every_s:
                trainer.save(out)
                saved = now
            if stop_after_s is not None and now - started > stop_after_s:
                break
    trainer.save(out)
    trainer.model.save_pretrained(out / "model")
    return trainer.model


def _log(log: Any, trainer: Trainer, figures: dict[str, float]) -> None:
    log.write(json.dumps({"update": trainer.done, "seconds": round(trainer.seconds, 1), **figures}) + "\n")
