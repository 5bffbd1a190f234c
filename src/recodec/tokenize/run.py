"""`tokenize`: a data set to codes, from the listing of the input to the report."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from ..atomic import write_text
from ..codec import Codec
from ..corpus import list_input
from ..errors import ConfigError
from ..tables import table_text
from ..text import shown
from .engines import make_engine
from .job import Job, ModelChoice, OutputChoice, own_folder, records_folder
from .plan import Plan, check_settings, make_plan, read_plan
from .precision import Mismatch, measure
from .progress import Progress
from .shards import Shard
from .worker import Record

_MOST_ENTRIES = 1 << 15  # of a codebook whose codes are int16


@dataclass(frozen=True)
class Report:
    """What a run has made, over all its interruptions.

    Attributes:
        clips: that were tokenized.
        seconds: of audio in them.
        shards: of the output.
        broken: id, path and reason of the clips that could not be tokenized.
        bytes: of the shards; of `.ecdc` files those of their index alone.
        mismatch: of codes in half precision against fp32, if that was asked for.
        speed: hours of audio a second in this run; 0 if nothing was left to do.
    """

    clips: int
    seconds: float
    shards: int
    broken: tuple[tuple[str, str, str], ...]
    bytes: int
    mismatch: Mismatch | None = None
    speed: float = 0.0


def tokenize(
    source: str | Path,
    folder: str | Path,
    *,
    bandwidth: float | None = None,
    num_quantizers: int | None = None,
    model: ModelChoice | None = None,
    format: str = "parquet",
    codes: str = "lists",
    shard_clips: int = 1000,
    column: str | None = None,
    lm: bool = True,
    engine: str = "local",
    processes: int | None = None,
    workers: int | None = None,
    batch: int | None = None,
    long_s: float = 60.0,
    show: TextIO | None = None,
) -> Report:
    """Turn a data set into codes. Where a run was interrupted, the same call goes on.

    Args:
        source: see `list_input`.
        folder: of the output.
        bandwidth, num_quantizers: as for `Codec.encode`.
        model: the model, and what runs it; the default model on this machine's CPU by default.
        format: `"parquet"`, `"tar"` or `"ecdc"`.
        codes: in Parquet, `"lists"` or `"binary"`.
        shard_clips: clips of a shard.
        column: of audio in a table, where it does not show itself as such.
        lm: code `.ecdc` files with the model's language model, if it has one.
        engine: `"local"` or `"ray"`.
        processes: encoders at work at once; see the engines.
        workers: processes that decode ahead of each encoder; 0 for a thread. By default a thread on CPUs, which
            are busy anyway, and a share of the cores for each GPU.
        batch: clips that are encoded at once; by default 1 on CPUs, where more gain nothing, and 32 on GPUs.
        long_s: longer clips are streamed, alone.
        show: where progress is shown.

    Raises:
        ConfigError: for an input without clips, a folder that holds another run or is in use, or a setting that
            cannot be.
        CheckpointError: if the model is not found or not valid.
        RecodecError: if a worker fails for good. Broken clips are not a failure: they are in the report.
    """
    model = model or ModelChoice()
    gpu = model.device != "cpu"
    batch = (32 if gpu else 1) if batch is None else batch
    workers = (_decoders_for_gpus(processes) if gpu else 0) if workers is None else workers
    if batch < 1 or workers < 0 or long_s <= 0:
        raise ConfigError("batch must be at least 1, workers at least 0, long_s positive")
    runner = make_engine(engine, processes)
    codec = Codec.of_choice(model)
    if codec.config.codebook_size > _MOST_ENTRIES:
        raise ConfigError(
            f"data sets hold codes as int16, up to {_MOST_ENTRIES - 1:,}: codebooks of "
            f"{codec.config.codebook_size:,} entries do not fit"
        )
    output = OutputChoice(format, codes, codec.choose_quantizers(bandwidth, num_quantizers), shard_clips, lm)
    with _locked(folder):
        plan = _planned(source, folder, codec, model, output, column, long_s, show)
        job = Job(str(folder), model, output, plan.columns, plan.schema, batch, workers, long_s)
        del codec
        records = records_folder(folder)
        records.mkdir(exist_ok=True)
        _sweep(Path(folder))
        left, clips_left = _unfinished(plan)
        progress = Progress(plan.clips, plan.clips - clips_left, show)
        if left:
            for tick in runner.run(job, (s for s in plan.read_shards() if s.index in left), len(left)):
                progress.add(tick)
            progress.finish()
            _sweep(Path(folder))  # of workers that died and were replaced
        return _report(plan, progress.hours_per_second if left else 0.0)


def _planned(
    source: str | Path, folder: str | Path, codec: Codec, model: ModelChoice, output: OutputChoice,
    column: str | None, long_s: float, show: TextIO | None,
) -> Plan:  # fmt: skip
    """The plan of the run that was begun in the folder, or a new one."""
    settings = {
        "input": os.path.abspath(source), "column": column, "model": codec.name, "dtype": model.dtype,
        "fingerprint": codec.fingerprints[0], **output.__dict__,
    }  # fmt: skip
    plan = read_plan(folder)
    if plan is not None:
        check_settings(plan, settings)
        return plan
    # Hidden files do not count, nor does the run's own folder, which is made before this is called.
    if any(Path(folder).glob("[!._]*")):
        raise ConfigError(f"{folder} is not empty, and holds no run that could go on")
    listing = list_input(os.path.abspath(source), column)
    if show is not None and (line := listing.passed_over()) is not None:
        print(shown(f"{source}: {line}"), file=show)
    if model.dtype != "fp32":
        mismatch = measure(model, codec, listing.entries, output.num_quantizers, long_s)
        settings["mismatch"] = mismatch.__dict__
    return make_plan(folder, settings, listing)


def _unfinished(plan: Plan) -> tuple[set[int], int]:
    """Numbers of the shards that are left, and how many clips they have."""
    records = records_folder(plan.folder)
    left, clips = set(), 0
    for shard in plan.read_shards():
        if Record.read(records, shard.index, plan.folder) is None:
            left.add(shard.index)
            clips += shard.clips
    return left, clips


def _report(plan: Plan, speed: float) -> Report:
    """Add up the records, and write the report; it tells the same however often the run was interrupted."""
    records = [_record(plan, shard) for shard in plan.read_shards()]
    broken = tuple(item for record in records for item in record.broken)
    clips, seconds = sum(record.clips for record in records), sum(record.seconds for record in records)
    size = sum(record.bytes for record in records)
    content: dict[str, Any] = {
        "clips": clips, "broken": len(broken), "hours": round(seconds / 3600, 6), "bytes": size,
        "shards": len(records), "settings": plan.settings,
    }  # fmt: skip
    write_text(own_folder(plan.folder) / "report.json", json.dumps(content, indent=1) + "\n")
    table = table_text([("id", "path", "reason"), *broken], delimiter="\t")
    write_text(own_folder(plan.folder) / "broken.tsv", table)
    mismatch = plan.settings.get("mismatch")
    return Report(clips, seconds, len(records), broken, size, mismatch and Mismatch(**mismatch), speed)


def _record(plan: Plan, shard: Shard) -> Record:
    record = Record.read(records_folder(plan.folder), shard.index, plan.folder)
    if record is None:
        raise ConfigError(f"shard {shard.index} is not whole although its worker said so: was the folder changed?")
    return record


def _decoders_for_gpus(processes: int | None) -> int:
    import torch

    # One core of each GPU's share is left to the process that encodes.
    return max(1, (os.cpu_count() or 1) // (processes or max(1, torch.cuda.device_count())) - 1)


def _sweep(folder: Path) -> None:
    """Remove what a killed run left half written."""
    for part in folder.rglob(".*.part"):
        with suppress(OSError):
            part.unlink()


@contextmanager
def _locked(folder: str | Path) -> Iterator[None]:
    """Make the folder, and keep it to one run at a time. The system lets go of the lock of a process that dies."""
    own_folder(folder).mkdir(parents=True, exist_ok=True)
    with open(own_folder(folder) / "lock", "wb") as file:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConfigError(f"another run is at work in {folder}") from error
        yield
