"""A run from its first update to its last: progress, log, checkpoints, resume."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import torch
from tqdm import tqdm

from ..atomic import atomic_write
from ..model.encodec import EncodecModel
from . import parallel
from .board import Board, codebook_use
from .config import TrainConfig
from .dev import DevSet
from .state import STATE_NAME
from .trainer import Trainer

LOG_NAME = "log.jsonl"
DISCRIMINATOR_NAME = "discriminator.pt"
MODEL_NAME = "model"


def train(
    config: TrainConfig,
    out: str | Path,
    *,
    device: str | torch.device = "cpu",
    resume: bool = True,
    progress: bool = True,
    stop_after_s: float | None = None,
    discriminator: str | Path | None = None,
) -> EncodecModel:
    """Run `config`, with the state, the log and the model in the folder `out`.

    A run that was interrupted goes on where its last checkpoint stands. In several processes (`torchrun`), each calls
    this with the same arguments; the first one writes.

    Args:
        config: the run.
        out: folder; made if it does not exist.
        device: where to train.
        resume: go on from the folder's state if there is one; otherwise refuse to overwrite it.
        progress: show a bar with speed and remaining time.
        stop_after_s: save and return after that many seconds, before the run is complete.
        discriminator: file `discriminator.pt` of another run to begin with.

    Returns:
        the trained model (its averaged weights, if they are averaged), which is also saved as `out/model`.

    Raises:
        FileExistsError: if there is a state and `resume` is false.
        CheckpointError: if the state cannot be read.
        TrainingError: if a loss is not finite; the last checkpoint stays.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(config, device)
    if (out / STATE_NAME).exists():
        if not resume:
            raise FileExistsError(f"{out} holds a run already; resume it or choose another folder")
        trainer.load(out)
    elif discriminator is not None:
        trainer.load_discriminator(discriminator)
    with ExitStack() as stack:
        _Run(trainer, out, progress and parallel.rank() == 0, stack).go(stop_after_s)
    trainer.save(out)
    with trainer.average.applied():
        if parallel.rank() == 0:
            trainer.model.save_pretrained(out / MODEL_NAME)
            if trainer.adversary is not None:
                with atomic_write(out / DISCRIMINATOR_NAME, overwrite=True) as file:
                    torch.save(trainer.adversary.module.state_dict(), file)
        average = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.model.load_state_dict(average)
    return trainer.model


class _Run:
    """The loop around `Trainer.update`."""

    def __init__(self, trainer: Trainer, out: Path, progress: bool, stack: ExitStack) -> None:
        config = trainer.config
        self.trainer, self.config, self.out = trainer, config, out
        first = parallel.rank() == 0
        self.dev = DevSet(config.dev, config.model) if first and config.dev is not None else None
        self.board = stack.enter_context(Board(out / "board")) if first and config.board else None
        self.bar = stack.enter_context(
            tqdm(total=config.updates, initial=trainer.done, unit="update", disable=not progress, smoothing=0.02)
        )
        self.log: IO[str] | None = None
        if first:
            self.log = stack.enter_context((out / LOG_NAME).open("a", encoding="utf-8", buffering=1))

    def go(self, stop_after_s: float | None) -> None:
        """Update until the run is complete, or the time is up."""
        trainer, config = self.trainer, self.config
        started = saved = time.monotonic()
        before = trainer.seconds
        while trainer.done < config.updates:
            figures = trainer.update()
            now = time.monotonic()
            trainer.seconds = before + now - started
            self.bar.update()
            if trainer.done % config.log_every == 0:
                self._report(figures)
            if trainer.done % config.dev_every == 0:
                self._report_dev()
            # All processes decide alike: the first one's clock counts.
            save, stop = self._decide(now - saved > config.save_every_s, now - started, stop_after_s)
            if save:
                trainer.save(self.out)
                saved = now
            if stop:
                break

    def _decide(self, save: bool, spent_s: float, stop_after_s: float | None) -> tuple[bool, bool]:
        stop = stop_after_s is not None and spent_s > stop_after_s
        if parallel.size() == 1:
            return save, stop
        first = parallel.gather(torch.tensor([[save, stop]], device=self.trainer.device))[0]
        return bool(first[0]), bool(first[1])

    def _report(self, figures: Mapping[str, float]) -> None:
        self.bar.set_postfix(time=f"{figures['time']:.4f}", mel=f"{figures['mel']:.3f}")
        unreadable = {"unreadable": len(self.trainer.failed)} if self.trainer.failed else {}
        self._write({**figures, **unreadable})
        if self.board is not None:
            norms = {f"norm/{name}": norm for name, norm in self.trainer.balancer.ratios.items()}
            self.board.figures(self.trainer.done, {**figures, **norms, **codebook_use(self.trainer.model)})

    def _report_dev(self) -> None:
        if self.dev is None:
            return
        trainer = self.trainer
        with trainer.average.applied():
            figures = self.dev.figures(trainer.model)
            if self.board is not None:
                self.board.figures(trainer.done, figures)
                self.board.examples(trainer.done, trainer.model, self.dev.clips)
        self._write(figures)

    def _write(self, figures: Mapping[str, float]) -> None:
        if self.log is not None:
            line = {"update": self.trainer.done, "seconds": round(self.trainer.seconds, 1), **figures}
            self.log.write(json.dumps(line) + "\n")
