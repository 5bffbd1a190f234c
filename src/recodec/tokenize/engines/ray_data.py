"""The Ray engine: actors of a cluster, fed by Ray Data. Input, output and model must be reachable from every node
under the same names, as on a shared file system."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

from ..job import Job
from ..shards import Shard
from ..worker import ShardWorker, Tick


class RayEngine:
    """See `TokenizeEngine`.

    Args:
        processes: actors, each with a model; by default as many as the cluster has room for.
    """

    def __init__(self, processes: int | None = None) -> None:
        self._processes = processes

    def run(self, job: Job, shards: Iterable[Shard], count: int) -> Iterator[Tick]:
        ray: Any = import_module("ray")
        data: Any = import_module("ray.data")

        logging.getLogger("ray.data").setLevel(logging.WARNING)
        if not ray.is_initialized():
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        gpu = job.model.device != "cpu"
        cpus = job.model.threads or 1
        if not gpu:
            job = replace(job, model=replace(job.model, threads=cpus))
        resources = ray.cluster_resources()
        room = int(resources.get("GPU", 0) if gpu else resources.get("CPU", 1) // (cpus + job.workers))
        actors = max(1, min(self._processes or room, count))
        rows = [{"shard": json.dumps(shard.to_json(), default=str)} for shard in shards]
        data.DataContext.get_current().enable_progress_bars = False
        done = data.from_items(rows, override_num_blocks=count).map(
            _Actor,
            fn_constructor_args=(job,),
            compute=data.ActorPoolStrategy(size=actors),
            num_cpus=cpus + job.workers,
            num_gpus=1 if gpu else 0,
        )
        for row in done.iter_rows():
            yield Tick(int(row["clips"]), float(row["seconds"]), int(row["broken"]))


class _Actor:
    """A worker on some node. Ray gives each its own GPU, which it sees as the only one."""

    def __init__(self, job: Job) -> None:
        self._worker = ShardWorker(job)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        record = self._worker.run(Shard.from_json(json.loads(row["shard"])))
        broken = len(record.broken)
        return {"clips": record.clips + broken, "seconds": record.seconds, "broken": broken}
