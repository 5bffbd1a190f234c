"""The local engine: processes of this machine, each with a model of its own."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import queue
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from multiprocessing.util import Finalize
from typing import Any

from ...errors import ConfigError, RecodecError
from ..job import Job
from ..shards import Shard
from ..worker import ShardWorker, Tick, follow_parent, is_finished

_POLL_S = 0.2
_ATTEMPTS = 3
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_worker: ShardWorker | None = None
_ticks: Any = None


class LocalEngine:
    """See `TokenizeEngine`.

    Args:
        processes: encoders, each with a model. By default one for each core this process may use, or for each
            GPU with `--device cuda`. With 0 all is done in this process, one shard after the other.
    """

    def __init__(self, processes: int | None = None) -> None:
        self._processes = processes

    def run(self, job: Job, shards: Iterable[Shard], count: int) -> Iterator[Tick]:
        if self._processes == 0:
            yield from _run_here(job, shards)
            return
        source = iter(shards)
        again: list[Shard] = []
        for _ in range(_ATTEMPTS):
            in_work: dict[int, Shard] = {}
            try:
                yield from self._run_pool(job, itertools.chain(again, source), count, in_work)
                return
            except BrokenProcessPool:
                again = [shard for shard in in_work.values() if not is_finished(job, shard)]
                # Something kills processes, perhaps a file that its library cannot stand: decode away from the model.
                job = replace(job, workers=max(1, job.workers))
        numbers = ", ".join(str(shard.index) for shard in again)
        raise RecodecError(
            f"processes died {_ATTEMPTS} times, now at the shards {numbers}: is there too little memory?"
        )

    def _run_pool(self, job: Job, shards: Iterator[Shard], count: int, in_work: dict[int, Shard]) -> Iterator[Tick]:
        cores = usable_cores()
        devices = _devices(job.model.device)
        processes = min(self._processes or (len(devices) if job.model.device != "cpu" else cores), count)
        if job.model.threads is None and job.model.device == "cpu":
            job = replace(job, model=replace(job.model, threads=max(1, cores // processes)))
        context = multiprocessing.get_context("spawn")
        ticks, places = context.Queue(), context.Queue()
        for i in range(processes):
            places.put(devices[i % len(devices)])
        pool = ProcessPoolExecutor(processes, context, _start, (job, ticks, places))
        futures: list[Future[int]] = []
        try:
            while True:
                for shard in itertools.islice(shards, processes + 1 - len(in_work)):  # one waits, so that none idles
                    in_work[shard.index] = shard  # first, for `submit` may find the pool broken
                    futures.append(pool.submit(_run_shard, shard))
                if not futures:
                    break
                yield from _drain(ticks, _POLL_S)
                for future in [future for future in futures if future.done()]:
                    del in_work[future.result()]
                    futures.remove(future)
            yield from _drain(ticks, _POLL_S)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _drain(ticks: Any, wait_s: float) -> Iterator[Tick]:
    """What has come, waiting for the first."""
    with suppress(queue.Empty):
        yield ticks.get(timeout=wait_s)
        while True:
            yield ticks.get_nowait()


def _devices(device: str) -> list[str]:
    """The GPUs that `cuda` means, all there are; else the one named."""
    if device != "cuda":
        return [device]
    import torch

    count = torch.cuda.device_count()
    if not count:
        raise ConfigError("torch finds no CUDA device here")
    return [f"cuda:{i}" for i in range(count)]


def _run_here(job: Job, shards: Iterable[Shard]) -> Iterator[Tick]:
    with ShardWorker(job) as worker:
        for shard in shards:
            ticks: list[Tick] = []
            worker.run(shard, ticks.append)
            yield from ticks


def _start(job: Job, ticks: Any, places: Any) -> None:
    """In a new process: load the model, on a device of its own."""
    global _worker, _ticks
    follow_parent()
    for name in _THREAD_VARIABLES:  # for what this process starts
        os.environ.setdefault(name, "1")
    job = replace(job, model=replace(job.model, device=places.get()))
    _worker, _ticks = ShardWorker(job), ticks
    # At its end a process waits for those that it started before anything tells them to end.
    Finalize(None, _end_decoders, exitpriority=10)


def _end_decoders() -> None:
    """End the processes that decode for this one; all shards are done, and they keep nothing."""
    for child in multiprocessing.active_children():
        child.kill()


def _run_shard(shard: Shard) -> int:
    assert _worker is not None
    return _worker.run(shard, _ticks.put).shard
