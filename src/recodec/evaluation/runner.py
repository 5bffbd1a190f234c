"""Many trials in parallel processes, with a journal so that an interrupted run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ..processes import Died, WorkerPool, usable_cores
from .trials import Outcome, Trial, failed, run_trial

JOURNAL_NAME = "journal.jsonl"


def run(
    trials: Sequence[Trial], *, workers: int | None = None, folder: str | Path | None = None
) -> Generator[Outcome, None, None]:
    """Do the trials, and yield each outcome as it comes: first those that the journal has, then new ones.

    Every worker is a process of one thread, so that all cores are busy and speeds are comparable.
    A trial that kills its process is reported like any that fails.

    Args:
        trials: what to do.
        workers: processes; by default one for each core that this process may use.
        folder: where the journal is kept. Without it nothing is remembered. Failed trials are not
            taken from a journal, but tried again.
    """
    known = read_journal(folder) if folder is not None else {}
    todo = []
    for trial in trials:
        old = known.get(trial.key)
        if old is not None and old.error is None and all(Path(kept).exists() for kept in old.kept):
            yield old
        else:
            todo.append(trial)
    if not todo:
        return
    workers = min(workers or usable_cores(), len(todo))
    with _journal(folder) as journal, WorkerPool(workers, one_thread=True) as pool:
        for trial, found in pool.map(run_trial, todo, ordered=False):
            outcome = _outcome(trial, found)
            if journal is not None:
                journal.write(json.dumps(outcome.to_dict()) + "\n")
                journal.flush()
            yield outcome


def read_journal(folder: str | Path) -> dict[str, Outcome]:
    """Outcomes of earlier runs by key, the latest of each. Lines cut off or of another version are skipped."""
    path = Path(folder) / JOURNAL_NAME
    if not path.exists():
        return {}
    known = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            outcome = Outcome(**json.loads(line))
        except (json.JSONDecodeError, TypeError):
            continue
        known[outcome.key] = outcome
    return known


def _outcome(trial: Trial, found: Outcome | Died) -> Outcome:
    if isinstance(found, Died):
        return failed(trial, "the process died (a crash in a codec or a metric, or too little memory)")
    return found


@contextmanager
def _journal(folder: str | Path | None) -> Iterator[IO[str] | None]:
    if folder is None:
        yield None
        return
    path = Path(folder) / JOURNAL_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with open(path, "a", encoding="utf-8") as file:
        if torn:
            file.write("\n")
        yield file
