"""`Trainer`: everything that a run holds, and one update of it."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..config import EncodecConfig
from ..errors import CheckpointError, TrainingError
from ..model.encodec import EncodecModel
from ..nn.pickled import load_pickled
from . import parallel
from .adversarial import Adversary
from .average import WeightAverage
from .balancer import Balancer
from .codebooks import CodebookLearner, quantize_for_training
from .config import TrainConfig
from .data import Examples, batches
from .initialize import initialize
from .losses import MultiScaleMelLoss
from .state import read_state, write_state

INITIAL_CROPS = 16

Quantized = tuple[torch.Tensor, torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]


class Trainer:
    """Everything a run holds. `state_dict` is all of it, so that a resumed run goes on as if unbroken.

    In several processes (see `parallel`) each has a part of every batch, and all have the same weights.

    Args:
        config: the run; `batch_size` is that of each process.
        device: where to train.

    Raises:
        AudioError: if there is no audio.
        CheckpointError: if there is nothing to start from.

    Attributes:
        done: updates so far.
        failed: names of recordings that could not be read.
    """

    def __init__(self, config: TrainConfig, device: str | torch.device = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        torch.manual_seed(config.seed)
        self.examples = Examples(config)
        self.failed = set(self.examples.left_out)
        self._position = 0
        self._batches = None
        self.random = torch.Generator().manual_seed(config.seed)
        self.model = self._fresh_model().to(self.device).train()
        parallel.broadcast(self.model)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=config.learning_rate, betas=config.betas, foreach=True
        )
        self.average = WeightAverage(self.model, config.average_decay)
        self.mel = MultiScaleMelLoss(config.model.sampling_rate, floor=config.mel_floor).to(self.device)
        adversarial = config.adversarial
        weights = {"time": config.time_weight, "mel": config.mel_weight}
        self.adversary = None
        if adversarial.is_on:
            weights |= {"generator": adversarial.generator_weight, "feature": adversarial.feature_weight}
            self.adversary = Adversary(adversarial, config.model, self.device, self.random, compiled=config.compiled)
        self.balancer = Balancer(weights)
        self.learner = CodebookLearner(self.model.quantizer, config.codebooks, self.random)
        self._encoder, self._decoder = self._networks()
        self.done = 0
        self.seconds = 0.0

    # ---- one update ------------------------------------------------------------------------

    def update(self) -> dict[str, float]:
        """One step of the generator, and perhaps one of the discriminator; returns the figures for the log.

        Raises:
            TrainingError: if a loss is not finite. The weights are those of the update before.
        """
        config = self.config
        if config.train_encoder and self.done == config.quantizer_start and config.start is None:
            self._start_codebooks()
        rate = config.learning_rate_at(self.done)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        audio = self._next_batch()
        band = int(torch.randint(len(config.model.target_bandwidths), (), generator=self.random))
        with self._autocast():
            quantized, commitment, used = self._encode(audio, band)
            output = self._decoder(quantized)
        output = output[..., : audio.shape[-1]].float()
        losses = {"time": F.l1_loss(output, audio), "mel": self.mel(audio, output)}
        adversary = self.adversary if config.adversarial.learns_at(self.done) else None
        if adversary is not None and config.adversarial.acts_at(self.done):
            with self._autocast():
                losses |= adversary.losses(audio, output, band)
        figures = {name: float(loss.detach()) for name, loss in {**losses, "commitment": commitment}.items()}
        self._check(figures)
        self._descend(losses, output, commitment, bool(used))
        revived = [
            self.learner.update(book, vectors, codes)
            for book, (vectors, codes) in zip(self.model.quantizer.codebooks, used, strict=False)
        ]
        self.average.update()
        if adversary is not None:
            with self._autocast():
                figures |= adversary.update(audio, output, band, rate / config.learning_rate)
            self._check(figures)
        self.done += 1
        return {**figures, "revived": float(sum(revived))}

    def _descend(
        self, losses: dict[str, torch.Tensor], output: torch.Tensor, commitment: torch.Tensor, commits: bool
    ) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        ends, gradients = [output], [self.balancer.gradient(losses, output)]
        if commits:
            # Balanced gradients are sums over the batch's items, this is a mean: its parts add up to one.
            ends.append(commitment)
            gradients.append(torch.full_like(commitment, self.config.commitment_weight / parallel.size()))
        torch.autograd.backward(ends, gradients)
        parallel.sum_gradients(self.model.parameters())
        if self.config.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.optimizer.step()

    def _encode(self, audio: torch.Tensor, band: int) -> Quantized:
        """Audio (B, C, T) to what the decoder gets; see `quantize_for_training`. Nothing to learn from if frozen."""
        config = self.config
        count = config.model.quantizers_for(config.model.target_bandwidths[band])
        if not config.train_encoder:
            with torch.no_grad():
                latents = self._encoder(audio).float()
                quantized, loss, _ = quantize_for_training(self.model.quantizer, latents, count)
            return quantized, loss, []
        latents = self._encoder(audio).float()
        if self.done < config.quantizer_start:
            return latents, latents.new_zeros(()), []
        return quantize_for_training(self.model.quantizer, latents, count, commit_all=config.commitment_levels == "all")

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16")

    def _check(self, figures: dict[str, float]) -> None:
        bad = [name for name, value in figures.items() if not math.isfinite(value)]
        if bad:
            raise TrainingError(f"update {self.done + 1}: the loss {bad[0]!r} is {figures[bad[0]]}; training stops")

    # ---- beginning -------------------------------------------------------------------------

    def _fresh_model(self) -> EncodecModel:
        config = self.config
        if config.start is not None:
            model = EncodecModel.from_pretrained(config.start)
            if _network(model.config) != _network(config.model):
                raise CheckpointError(f"{config.start} holds another network than the run is for")
            if not config.train_encoder:
                model.config = model.config.with_ancestor(model.fingerprint())
            return model.float()
        model = EncodecModel(config.model)
        first = torch.cat([self._next_batch() for _ in range(-(-INITIAL_CROPS // self._share))])
        initialize(model, parallel.all_gather(first).cpu())
        return model

    @torch.no_grad()
    def _start_codebooks(self) -> None:
        config = self.config
        wanted = 8 * config.model.codebook_size
        per_batch = self._share * config.model.frames_for(config.crop_samples)
        latents = [parallel.all_gather(self.model.encoder(self._next_batch())) for _ in range(-(-wanted // per_batch))]
        self.learner.start(torch.cat(latents).transpose(1, 2).flatten(0, 1))

    def _networks(self) -> tuple[nn.Module, nn.Module]:
        encoder, decoder = self.model.encoder, self.model.decoder
        return (torch.compile(encoder), torch.compile(decoder)) if self.config.compiled else (encoder, decoder)  # type: ignore[return-value]

    @property
    def _share(self) -> int:
        """Examples of all processes in one update."""
        return self.config.batch_size * parallel.size()

    def _next_batch(self) -> torch.Tensor:
        """(B, C, T) of the next examples, this process's part of them."""
        if self._batches is None:
            size = self.config.batch_size
            self._batches = batches(
                self.examples, size, first=self._position + parallel.rank() * size, step=self._share,
                workers=self.config.workers,
            )  # fmt: skip
        batch = next(self._batches)
        self._position += self._share
        self.failed |= batch.failed
        return batch.audio.to(self.device, non_blocking=True)

    # ---- state -----------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Model, discriminators, optimizers, averages, random states, position in the data and in the run."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
            "adversary": None if self.adversary is None else self.adversary.state_dict(),
            "balancer": self.balancer.state_dict(),
            "random": self.random.get_state(),
            "position": self._position,
            "done": self.done,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue a run. A discriminator that the state lacks stays fresh."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
        if self.adversary is not None and state["adversary"] is not None:
            self.adversary.load_state_dict(state["adversary"])
        self.balancer.load_state_dict(state["balancer"])
        self.random.set_state(state["random"].cpu())
        self._position, self._batches = state["position"], None
        self.done, self.seconds = state["done"], state["seconds"]

    def load_discriminator(self, path: str | Path) -> None:
        """Begin with the discriminator that another run has left.

        Raises:
            CheckpointError: if it cannot be read, or the run has none or another.
        """
        if self.adversary is None:
            raise CheckpointError("this run has no discriminator: its generator_weight and feature_weight are 0")
        try:
            self.adversary.module.load_state_dict(load_pickled(path, self.device))
        except Exception as error:  # torch.load raises whatever the bytes provoke
            raise CheckpointError(f"cannot read the discriminator {path}: {error}") from error

    def save(self, folder: Path) -> None:
        """Write the state atomically; of several processes, the first one does."""
        if parallel.rank() == 0:
            write_state(folder, self.state_dict())
        parallel.barrier()

    def load(self, folder: Path) -> None:
        """Read the state that `save` wrote.

        Raises:
            CheckpointError: if it is not readable, or belongs to another network.
        """
        read_state(folder, self.load_state_dict, self.device)


def _network(config: EncodecConfig) -> str:
    """What two configurations of one network agree in: all but what only their files hold."""
    return json.dumps(dataclasses.replace(config, extra={}).to_dict(), sort_keys=True)
