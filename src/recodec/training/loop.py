"""The loop around a trainer's updates: progress, log, checkpoints, resume. One for all kinds of training."""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Protocol

import torch
from tqdm import tqdm

from . import parallel
from .state import STATE_NAME

LOG_NAME = "log.jsonl"


class RunConfig(Protocol):
    """What the loop asks of a run's configuration; `TrainConfig` and `LMTrainConfig` say what each is."""

    @property
    def updates(self) -> int: ...
    @property
    def save_every_s(self) -> float: ...
    @property
    def log_every(self) -> int: ...
    @property
    def dev_every(self) -> int: ...


class Trainable(Protocol):
    """What the loop asks of a trainer: everything a run holds, and one update of it."""

    done: int
    seconds: float

    @property
    def config(self) -> RunConfig: ...
    @property
    def device(self) -> torch.device: ...
    def update(self) -> dict[str, float]: ...
    def save(self, folder: Path) -> None: ...
    def load(self, folder: Path) -> None: ...


def begin(trainer: Trainable, out: Path, resume: bool) -> bool:
    """Make the folder of a run; go on from the state in it, if there is one. Says whether there was.

    Raises:
        FileExistsError: if there is a state and `resume` is false.
        CheckpointError: if the state cannot be read.
    """
    out.mkdir(parents=True, exist_ok=True)
    if not (out / STATE_NAME).exists():
        return False
    if not resume:
        raise FileExistsError(f"{out} holds a run already; resume it or choose another folder")
    trainer.load(out)
    return True


class Run(ABC):
    """A run from where its trainer stands to its last update. In several processes, the first one reports.

    Args:
        trainer: what learns.
        out: folder of the state and the log.
        progress: show a bar with speed and remaining time.
        stack: closes the bar and the log.
    """

    def __init__(self, trainer: Trainable, out: Path, progress: bool, stack: ExitStack) -> None:
        self._trainer, self._out = trainer, out
        first = parallel.rank() == 0
        self._bar = stack.enter_context(
            tqdm(total=trainer.config.updates, initial=trainer.done, unit="update", disable=not (progress and first),
                 smoothing=0.02)
        )  # fmt: skip
        self._log: IO[str] | None = None
        if first:
            self._log = stack.enter_context((out / LOG_NAME).open("a", encoding="utf-8", buffering=1))

    @abstractmethod
    def shown(self, figures: Mapping[str, float]) -> dict[str, str]:
        """The figures of an update that the bar shows."""

    @abstractmethod
    def reported(self, figures: Mapping[str, float]) -> Mapping[str, Any]:
        """The figures of an update as the log has them."""

    @abstractmethod
    def dev_figures(self) -> Mapping[str, Any]:
        """Figures on the dev split, for the log; nothing where there is none."""

    def go(self, stop_after_s: float | None) -> None:
        """Update until the run is complete, or the time is up; the state is then still to be saved."""
        trainer, config = self._trainer, self._trainer.config
        started = saved = time.monotonic()
        before = trainer.seconds
        while trainer.done < config.updates:
            figures = trainer.update()
            now = time.monotonic()
            trainer.seconds = before + now - started
            self._bar.update()
            if trainer.done % config.log_every == 0:
                self._bar.set_postfix(self.shown(figures))
                self._write(self.reported(figures))
            if trainer.done % config.dev_every == 0 or trainer.done == config.updates:
                self._write(self.dev_figures())
            # All processes decide alike: the first one's clock counts.
            save, stop = self._decide(now - saved > config.save_every_s, now - started, stop_after_s)
            if save:
                trainer.save(self._out)
                saved = now
            if stop:
                break

    def _decide(self, save: bool, spent_s: float, stop_after_s: float | None) -> tuple[bool, bool]:
        stop = stop_after_s is not None and spent_s > stop_after_s
        if parallel.size() == 1:
            return save, stop
        first = parallel.all_gather(torch.tensor([[save, stop]], device=self._trainer.device))[0]
        return bool(first[0]), bool(first[1])

    def _write(self, figures: Mapping[str, Any]) -> None:
        if self._log is not None and figures:
            line = {"update": self._trainer.done, "seconds": round(self._trainer.seconds, 1), **figures}
            self._log.write(json.dumps(line) + "\n")
