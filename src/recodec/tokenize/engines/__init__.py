"""Who does the work: processes of this machine, or a cluster. Shards go in, ticks come out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from typing import Protocol

from ...errors import ConfigError
from ..job import Job
from ..shards import Shard
from ..worker import Tick
from .local import LocalEngine

ENGINES = ("local", "ray")


class TokenizeEngine(Protocol):
    """Runs a job. What it writes depends on the job and the shards alone."""

    def run(self, job: Job, shards: Iterable[Shard], count: int) -> Iterator[Tick]:
        """Tokenize shards, in any order; each is done when its record is written.

        Args:
            job: what to do.
            shards: what is left of the plan.
            count: of them.

        Yields:
            what has been done since the last time.

        Raises:
            RecodecError: if a worker fails for good.
        """
        ...


def make_engine(name: str, processes: int | None) -> TokenizeEngine:
    """An engine by its name.

    Args:
        name: one of `ENGINES`.
        processes: encoders at work at once; the engine's choice by default.

    Raises:
        ConfigError: for an unknown one, or one that is not installed.
    """
    if name == "local":
        return LocalEngine(processes)
    if name != "ray":
        raise ConfigError(f"engine must be one of {', '.join(ENGINES)}, got {name!r}")
    if find_spec("ray") is None:
        raise ConfigError("the engine ray needs Ray Data: pip install 'recodec[ray]'")
    from .ray_data import RayEngine

    return RayEngine(processes)


__all__ = ["ENGINES", "LocalEngine", "TokenizeEngine", "make_engine"]
