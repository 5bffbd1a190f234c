"""`train`: a codec model's run, from its first update to the model it leaves."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import torch

from ..atomic import atomic_write, write_text
from ..model.encodec import EncodecModel
from ..tables import table_text
from ..text import quoted, shown
from . import parallel
from .board import Board, codebook_use, wants_board
from .config import TrainConfig
from .dev import Decoders, DevSet, own_decoder, spectral_decoder
from .loop import Run, begin
from .sources import NothingToTrainError
from .trainer import Trainer

DISCRIMINATOR_NAME = "discriminator.pt"
MODEL_NAME = "model"
_SHOWN = ("time", "mel", "spectral_mel", "spectral_log_mel", "spectral_phase")
BOARD_NAME = "board"
LEFT_OUT_NAME = "left_out.tsv"


def train(
    config: TrainConfig,
    out: str | Path,
    *,
    device: str | torch.device = "cpu",
    resume: bool = True,
    progress: bool = True,
    stop_after_s: float | None = None,
    discriminator: str | Path | None = None,
    say: Callable[[str], object] | None = None,
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
        say: takes lines for people: where TensorBoard's files are, and at the end where the model is.

    Returns:
        the trained model (its averaged weights, if they are averaged), which is also saved as `out/model`.

    Raises:
        FileExistsError: if there is a state and `resume` is false.
        CheckpointError: if the state cannot be read.
        AudioError: if there is nothing to train on, or no dev clip can be read.
        TrainingError: if a loss is not finite; the last checkpoint stays.
    """
    out, say = Path(out), say or (lambda line: None)
    first = parallel.rank() == 0
    dev = DevSet(config.dev, config.model) if first and config.dev is not None else None
    try:
        trainer = Trainer(config, device)
    except NothingToTrainError as error:
        if first:
            note_left_out(error.left_out, out / LEFT_OUT_NAME)
        raise
    if not begin(trainer, out, resume) and discriminator is not None:
        trainer.load_discriminator(discriminator)
    with ExitStack() as stack:
        run = _CodecRun(trainer, dev, out, progress, stack, say)
        try:
            run.go(stop_after_s)
        finally:
            if first:
                run.note_failed()
    trainer.save(out)
    with trainer.averaged():
        if parallel.rank() == 0:
            trainer.model.save_pretrained(out / MODEL_NAME)
            if trainer.spectral is not None:
                trainer.spectral.save(out / MODEL_NAME, trainer.model)
            if trainer.adversary is not None:
                with atomic_write(out / DISCRIMINATOR_NAME, overwrite=True) as file:
                    torch.save(trainer.adversary.module.state_dict(), file)
        average = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.model.load_state_dict(average)
    if first:
        say(ending(trainer, out / MODEL_NAME))
    return trainer.model


def ending(trainer: Trainer, model: Path) -> str:
    """The last line of a run: how far it came, where its model is, and a command that uses it."""
    done, updates = trainer.done, trainer.config.updates
    where = quoted(model)
    more = "" if done >= updates else " (the same command goes on)"
    return (
        f"{done} of {updates} updates{more}. The model is in {where}: recodec compress IN.wav OUT.ecdc --model {where}"
    )


def note_left_out(left_out: Mapping[str, str], path: Path, before: Mapping[str, str] | None = None) -> None:
    """Write which recordings cannot serve, and why, and say how many they are; nothing if all can.

    Args:
        left_out: reasons by name.
        path: of the table.
        before: what the table has already.
    """
    if not left_out:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [("name", "reason"), *{**(before or {}), **left_out}.items()]
    write_text(path, table_text(rows, delimiter="\t"))
    first_name, first_reason = next(iter(left_out.items()))
    line = f"left out {len(left_out)}: {first_name} ({first_reason})"
    print(shown(line + (", ..." if len(left_out) > 1 else "") + f"; see {path}"), file=sys.stderr)


class _CodecRun(Run):
    """The loop of a codec model's run, with its dev set and its board."""

    def __init__(
        self, trainer: Trainer, dev: DevSet | None, out: Path, progress: bool, stack: ExitStack,
        say: Callable[[str], object],
    ) -> None:  # fmt: skip
        super().__init__(trainer, out, progress, stack)
        self.trainer, self.dev, self.out = trainer, dev, out
        self.board: Board | None = None
        if parallel.rank() != 0:
            return
        self.left_out = {**trainer.examples.left_out, **(dev.left_out if dev is not None else {})}
        note_left_out(self.left_out, out / LEFT_OUT_NAME)
        wanted, line = wants_board(trainer.config.board, dev is not None)
        if wanted:
            self.board = stack.enter_context(Board(out / BOARD_NAME))
            line = f"figures, spectrograms and sound: tensorboard --logdir {quoted(out / BOARD_NAME)}"
        if line is not None:
            say(line)

    def note_failed(self) -> None:
        """Add to the list of what was left out the recordings that could not serve when crops of them were read."""
        later = {name: self.trainer.failed[name] for name in sorted(self.trainer.failed) if name not in self.left_out}
        if later:
            note_left_out(later, self.out / LEFT_OUT_NAME, before=self.left_out)

    def shown(self, figures: Mapping[str, float]) -> dict[str, str]:
        return {name: f"{figures[name]:.4f}" for name in _SHOWN if name in figures}

    def reported(self, figures: Mapping[str, float]) -> Mapping[str, float]:
        if self.board is not None:
            norms = {
                f"norm/{branch.prefix}{name}": norm
                for branch in self.trainer.branches
                for name, norm in branch.objective.balancer.ratios.items()
            }
            self.board.figures(self.trainer.done, {**figures, **norms, **codebook_use(self.trainer.model)})
        left_out = {"left_out": len(self.trainer.failed)} if self.trainer.failed else {}
        return {**figures, **left_out}

    def dev_figures(self) -> Mapping[str, float]:
        if self.dev is None:
            return {}
        trainer = self.trainer
        with trainer.averaged():
            decoders = decoders_of(trainer)
            figures = self.dev.figures(trainer.model, decoders)
            if self.board is not None:
                self.board.figures(trainer.done, figures)
                self.board.examples(trainer.done, trainer.model, self.dev.clips, decoders)
        return figures


def decoders_of(trainer: Trainer) -> Decoders:
    """The decoders that learn, by the word that their figures begin with."""
    found: Decoders = {}
    if trainer.config.trains_encodec:
        found[""] = own_decoder(trainer.model)
    if trainer.spectral is not None:
        found[trainer.spectral.prefix] = spectral_decoder(trainer.model, trainer.spectral.network)
    return found
