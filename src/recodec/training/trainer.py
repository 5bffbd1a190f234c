"""`Trainer`: everything that a run holds, and one update of it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..config import EncodecConfig
from ..errors import CheckpointError, TrainingError
from ..model.encodec import EncodecModel
from ..nn.pickled import load_pickled
from . import parallel
from .adversarial import Adversary
from .average import WeightAverage
from .branches import Branch, EncodecBranch, Losses, SpectralBranch
from .codebooks import CodebookLearner, quantize_for_training
from .config import TrainConfig
from .data import Batch, Examples, batches
from .initialize import initialize
from .precision import uses_bf16
from .spectral_start import spectral_network
from .state import read_state, write_state
from .stored import StoredExamples

INITIAL_CROPS = 16

Quantized = tuple[torch.Tensor, torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]


@dataclass(frozen=True)
class _Attempt:
    """A decoder's output (B, C, T), its losses, and their figures for the log."""

    branch: Branch
    output: torch.Tensor
    losses: Losses
    figures: dict[str, float]


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
        failed: recordings that cannot serve, with reasons.
        branches: the decoders that learn.
        spectral: the branch of the spectral decoder, if that is one of them.
        balancer: of the first branch.
    """

    def __init__(self, config: TrainConfig, device: str | torch.device = "cpu") -> None:
        self.config = config
        self.device = torch.device(device)
        torch.manual_seed(config.seed)
        self.examples = Examples(config) if config.codes is None else StoredExamples(config)
        self.failed = dict(self.examples.left_out)
        self._position = 0
        self._batches = None
        self.random = torch.Generator().manual_seed(config.seed)
        self.model = self._fresh_model().to(self.device).train()
        parallel.broadcast(self.model)
        self._half = uses_bf16(config.precision, self.device)
        self._encoder, decoder = self._networks()
        self.average = WeightAverage(self.model, config.average_decay)
        adversarial, more = config.adversarial, {}
        if adversarial.is_on:
            more = {"generator": adversarial.generator_weight, "feature": adversarial.feature_weight}
        self.spectral = self._spectral_branch(more) if config.trains_spectral else None
        paper = [EncodecBranch(config, decoder, self.device, self.random, more)] if config.trains_encodec else []
        self.branches: list[Branch] = [*paper, *([] if self.spectral is None else [self.spectral])]
        self.balancer = self.branches[0].objective.balancer
        self.optimizer = torch.optim.Adam(
            self._groups(), lr=config.learning_rate, betas=config.betas, foreach=True
        )  # fmt: skip
        self.adversary = None
        if adversarial.is_on:
            self.adversary = Adversary(adversarial, config.model, self.device, self.random, compiled=config.compiled)
        self.learner = CodebookLearner(self.model.quantizer, config.codebooks, self.random)
        self.done = 0
        self.seconds = 0.0

    # ---- one update ------------------------------------------------------------------------

    def update(self) -> dict[str, float]:
        """One step of the generator, and perhaps one of the discriminator; returns the figures for the log.

        Raises:
            TrainingError: if a loss is not finite. The network that it is of has the weights of the update before.
        """
        config = self.config
        if config.train_encoder and self.done == config.quantizer_start and config.start is None:
            self._start_codebooks()
        rates = config.learning_rates_at(self.done)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=False):
            group["lr"] = rate
        batch = Batch(self._next_batch()) if config.codes is None else self._next()
        band = int(torch.randint(len(config.model.target_bandwidths), (), generator=self.random))
        with self._autocast():
            quantized, commitment, used = self._quantized(batch, band)
        tried = [self._try(branch, quantized, batch, band) for branch in self.branches]
        figures = {name: value for attempt in tried for name, value in attempt.figures.items()}
        figures["commitment"] = float(commitment.detach())
        self._check(figures)
        self._descend(tried, commitment, bool(used))
        revived = [
            self.learner.update(book, vectors, codes)
            for book, (vectors, codes) in zip(self.model.quantizer.codebooks, used, strict=False)
        ]
        for average in self.averages:
            average.update()
        if self.adversary is not None and config.adversarial.learns_at(self.done):
            with self._autocast():
                rate = rates[0] / config.learning_rate
                figures |= self.adversary.update(batch.audio, tried[0].output, band, rate, self._check)
        self.done += 1
        return {**figures, "revived": float(sum(revived))}

    def _try(self, branch: Branch, quantized: torch.Tensor, batch: Batch, band: int) -> _Attempt:
        """What a decoder makes of the quantized latents, with its losses."""
        audio = batch.audio
        with self._autocast():
            output = branch.decode(quantized, self._num_codebooks(band))
        output = self._crop(output, batch).float()
        losses, terms = branch.objective.losses(audio, output)
        if self.adversary is not None and self.config.adversarial.acts_at(self.done):
            with self._autocast():
                judged = self.adversary.losses(audio, output, band)
            losses, terms = {**losses, **judged}, {**terms, **judged}
        figures = {branch.prefix + name: float(loss.detach()) for name, loss in terms.items()}
        return _Attempt(branch, output, losses, figures)

    def _descend(self, tried: Sequence[_Attempt], commitment: torch.Tensor, commits: bool) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        ends = [attempt.output for attempt in tried]
        gradients = [attempt.branch.objective.gradient(attempt.losses, attempt.output) for attempt in tried]
        if commits:
            # Balanced gradients are sums over the batch's items, this is a mean: its parts add up to one.
            ends.append(commitment)
            gradients.append(torch.full_like(commitment, self.config.commitment_weight / parallel.size()))
        torch.autograd.backward(ends, gradients)
        learning = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        parallel.sum_gradients(learning)
        if self.config.clip_norm:
            nn.utils.clip_grad_norm_(learning, self.config.clip_norm)
        self.optimizer.step()

    def _crop(self, output: torch.Tensor, batch: Batch) -> torch.Tensor:
        """What of an output (B, C, T') belongs to the batch's audio (B, C, T)."""
        length, hop = batch.audio.shape[-1], self.config.model.hop_length
        if not batch.offsets:
            return output[..., :length]
        starts = [offset * hop for offset in batch.offsets]
        return torch.stack([item[..., s : s + length] for item, s in zip(output, starts, strict=True)])

    def _quantized(self, batch: Batch, band: int) -> Quantized:
        """The quantized latents of a batch, by its stored codes where there are some; else see `_encode`."""
        if batch.codes is None:
            return self._encode(batch.audio, band)
        latents = self.model.quantizer.dequantize(batch.codes[:, : self._num_codebooks(band)])
        return latents, latents.new_zeros(()), []

    def _num_codebooks(self, band: int) -> int:
        model = self.config.model
        return model.quantizers_for(model.target_bandwidths[band])

    def _encode(self, audio: torch.Tensor, band: int) -> Quantized:
        """Audio (B, C, T) to what the decoder gets; see `quantize_for_training`. Nothing to learn from if frozen."""
        config, count = self.config, self._num_codebooks(band)
        if not config.train_encoder:
            # A spectral decoder that learns alone hears the codes that the model gives, and those are of float32.
            exact = torch.autocast(self.device.type, enabled=self._half and self.spectral is None)
            with torch.no_grad(), exact:
                latents = self._encoder(audio).float()
                quantized, loss, _ = quantize_for_training(self.model.quantizer, latents, count)
            return quantized, loss, []
        latents = self._encoder(audio).float()
        if self.done < config.quantizer_start:
            return latents, latents.new_zeros(()), []
        return quantize_for_training(self.model.quantizer, latents, count, commit_all=config.commitment_levels == "all")

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._half)

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
            if not config.train_encoder and config.trains_encodec:
                model.config = model.config.with_ancestor(model.fingerprint())
            return model.float()
        model = EncodecModel(config.model)
        first = torch.cat([self._next_batch() for _ in range(-(-INITIAL_CROPS // self._share))])
        initialize(model, parallel.all_gather(first).cpu())
        return model

    def _spectral_branch(self, weights: dict[str, float]) -> SpectralBranch:
        # A fresh decoder starts from the sound of all processes, as one process alone would have it.
        first = lambda: parallel.all_gather(self._next_batch())  # noqa: E731
        network = spectral_network(self.config, self.model, first).to(self.device).train()
        parallel.broadcast(network)
        return SpectralBranch(self.config, network, self.device, self.random, weights)

    def _groups(self) -> Any:
        """What the optimizer is given: the model, and after it the spectral decoder with a learning rate of its own."""
        if self.spectral is None:
            return self.model.parameters()
        return [{"params": list(network.parameters())} for network in (self.model, self.spectral.network)]

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
        return self._next().audio

    def _next(self) -> Batch:
        """The next examples on the device, this process's part of them."""
        if self._batches is None:
            size = self.config.batch_size
            self._batches = batches(
                self.examples, size, first=self._position + parallel.rank() * size, step=self._share,
                workers=self.config.workers,
            )  # fmt: skip
        batch = next(self._batches)
        self._position += self._share
        self.failed |= batch.failed
        codes = None if batch.codes is None else batch.codes.to(self.device, non_blocking=True)
        return dataclasses.replace(batch, audio=batch.audio.to(self.device, non_blocking=True), codes=codes)

    @property
    def averages(self) -> list[WeightAverage]:
        """Those of the model and of the spectral decoder."""
        return [self.average, *([] if self.spectral is None else [self.spectral.average])]

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Averaged weights, for the time of a `with` block."""
        with ExitStack() as stack:
            for average in self.averages:
                stack.enter_context(average.applied())
            yield

    # ---- state -----------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Model, discriminators, optimizers, averages, random states, position in the data and in the run."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(),
            "adversary": None if self.adversary is None else self.adversary.state_dict(),
            "balancer": self.balancer.state_dict(),
            "decoder": self.config.decoder,
            "spectral": None if self.spectral is None else self.spectral.state_dict(),
            "random": self.random.get_state(),
            "position": self._position,
            "done": self.done,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue a run. A discriminator that the state lacks stays fresh."""
        began = state.get("decoder", "encodec")  # states of before there was a choice do not say it
        if began != self.config.decoder:
            raise CheckpointError(f"the run began with decoder={began}, and is now told decoder={self.config.decoder}")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.load_state_dict(state["average"])
        if self.adversary is not None and state["adversary"] is not None:
            self.adversary.load_state_dict(state["adversary"])
        self.balancer.load_state_dict(state["balancer"])
        if self.spectral is not None:
            self.spectral.load_state_dict(state["spectral"])
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
