"""The local engine: processes of this machine, each with a model of its own."""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from multiprocessing.util import Finalize
from typing import Any

from ...errors import ConfigError, RecodecError
from ...processes import Died, WorkerPool, usable_cores
from ..job import Job
from ..shards import Shard
from ..worker import ShardWorker, Tick

_POLL_S = 0.2
_ATTEMPTS = 3

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
        cores, devices = usable_cores(), _devices(job.model.device)
        processes = min(self._processes or (len(devices) if job.model.device != "cpu" else cores), count)
        if job.model.threads is None and job.model.device == "cpu":
            job = replace(job, model=replace(job.model, threads=max(1, cores // processes)))
        context = multiprocessing.get_context("spawn")
        ticks: Any = context.Queue()

        def start(died: bool) -> tuple[Job, Any, Any]:
            nonlocal job, ticks
            if died:
                # Something kills processes, perhaps a file that its library cannot stand: decode away from the model.
                # The queue is a new one, for the process that died may have held its lock.
                job, ticks = replace(job, workers=max(1, job.workers)), context.Queue()
            places = context.Queue()
            for i in range(processes):
                places.put(devices[i % len(devices)])
            return job, ticks, places

        with WorkerPool(processes, start=_start, arguments=start, attempts=_ATTEMPTS) as pool:
            for found in pool.poll(_run_shard, shards, wait_s=_POLL_S):
                yield from _drain(ticks)
                if found is not None and isinstance(found[1], Died):
                    raise RecodecError(
                        f"processes died {_ATTEMPTS} times at shard {found[0].index}: is there too little memory?"
                    )
        yield from _drain(ticks, _POLL_S)


def _drain(ticks: Any, wait_s: float = 0.0) -> Iterator[Tick]:
    """What has come, waiting for the first."""
    with suppress(queue.Empty):
        while True:
            yield ticks.get(timeout=wait_s) if wait_s else ticks.get_nowait()


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
