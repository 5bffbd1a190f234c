"""Many jobs in parallel processes, with a journal so that an interrupted run goes on where it was."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .jobs import Job, Outcome, failed, run_job

JOURNAL_NAME = "journal.jsonl"
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def run(jobs: Sequence[Job], *, workers: int | None = None, folder: str | Path | None = None) -> Iterator[Outcome]:
    """Do the jobs, and yield each outcome as it comes: first those that the journal has, then new ones.

    Every worker is a process of one thread, so that all cores are busy and speeds are comparable.
    A job that kills its process is reported like any that fails.

    Args:
        jobs: what to do.
        workers: processes; by default one for each core that this process may use.
        folder: where the journal is kept. Without it nothing is remembered. Failed jobs are not
            taken from a journal, but tried again.
    """
    known = read_journal(folder) if folder is not None else {}
    todo = []
    for job in jobs:
        old = known.get(job.key)
        if old is not None and old.error is None and (old.audio is None or Path(old.audio).exists()):
            yield old
        else:
            todo.append(job)
    if not todo:
        return
    workers = min(workers or len(os.sched_getaffinity(0)), len(todo))
    with _journal(folder) as journal, _one_thread_each():
        for outcome in _in_processes(todo, workers):
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


def _in_processes(jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    left = list(jobs)
    while left:
        done: set[Job] = set()
        try:
            with _pool(workers) as pool:
                futures = {pool.submit(run_job, job): job for job in left}
                for future in as_completed(futures):
                    outcome = future.result()
                    done.add(futures[future])
                    yield outcome
        except BrokenProcessPool:
            # Some job took its process along, and all others' futures with it. It is among the first
            # that are not done: the pool hands out jobs in order. Those go on one process each.
            left = [job for job in left if job not in done]
            suspects = 2 * workers + 2
            for job in left[:suspects]:
                yield _alone(job)
            left = left[suspects:]
        else:
            return


def _alone(job: Job) -> Outcome:
    try:
        with _pool(1) as pool:
            return pool.submit(run_job, job).result()
    except BrokenProcessPool:
        return failed(job, "the process died (a crash in a codec or a metric, or too little memory)")


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))


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


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started meanwhile keep to one thread: libraries read these variables when loaded."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
