"""One input or many: which outputs they get, and the work on them, in one process or in several."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from .endpoints import STANDARD, is_audio_name, is_plain
from .options import error_of, say

JOBS_HELP = "Work on this many files at once, each in a process of its own; or on one file, with this many threads."


@dataclass(frozen=True)
class Task:
    """An input and its output.

    Attributes:
        source, target: them.
        found: whether the input was found in a folder, and not named.
    """

    source: Path
    target: Path
    found: bool = False

    def check(self) -> None:
        """Make sure that a read of the input ends: a pipe that was only found in a folder may have no writer.

        Raises:
            click.ClickException: for a pipe or a device that was found in a folder.
        """
        if self.found and self.source.exists() and not self.source.is_file():
            raise click.ClickException(f"{self.source} is not a file")


@dataclass(frozen=True)
class Done:
    """What came of a task.

    Attributes:
        task: it.
        lines: to print.
        coded_bytes, audio_s, seconds: of the `.ecdc` file, the recording, and the work.
        error: why it failed, or `None`.
    """

    task: Task
    lines: tuple[str, ...] = ()
    coded_bytes: int = 0
    audio_s: float = 0.0
    seconds: float = 0.0
    error: str | None = None


def split_output(
    paths: Sequence[Path], out: Path | None, out_dir: Path | None, is_output: Callable[[Path], bool]
) -> tuple[list[Path], Path | None]:
    """Inputs, and the output if one is named: by `-o`, or as the second of two arguments where it looks like one."""
    folders = len(paths) == 2 and paths[0].is_dir() and paths[1].is_dir()
    if out is None and out_dir is None and len(paths) == 2 and not folders and is_output(paths[1]):
        return [paths[0]], paths[1]
    return list(paths), out


def plan(
    sources: Sequence[Path],
    target: Path | None,
    out_dir: Path | None,
    suffix: str,
    find: Callable[[Path], Sequence[Path]],
    force: bool,
) -> list[Task]:
    """A task for each input; folders are searched.

    Args:
        sources: files, folders, `-`.
        target: the output of the one input.
        out_dir: where outputs go.
        suffix: of outputs.
        find: the inputs in a folder.
        force: whether outputs may be replaced.

    Raises:
        click.UsageError: for an output that does not go with the inputs, is there already, or is an input itself.
    """
    named: set[str] = set()
    for source in sources:
        if (place := os.path.realpath(source)) in named:
            raise click.UsageError(f"{source} is named twice")
        named.add(place)
    if target is not None:
        if len(sources) != 1 or sources[0].is_dir():
            raise click.UsageError("-o takes one input; for several there is --out-dir")
        if out_dir is not None:
            raise click.UsageError("-o and --out-dir do not go together")
        return [Task(sources[0], check_target(sources[0], target, force))]
    if out_dir is not None:
        if out_dir.exists() and not out_dir.is_dir():
            raise click.UsageError(f"{out_dir} is not a folder")
        out_dir.mkdir(parents=True, exist_ok=True)
    if len(sources) == 1 and not sources[0].is_dir():
        single = STANDARD
        if is_plain(sources[0]):
            single = (sources[0].parent if out_dir is None else out_dir) / _output_name(sources[0], suffix)
        return [Task(sources[0], check_target(sources[0], single, force))]
    taken: set[Path] = set()
    again: Counter[Path] = Counter()
    tasks = []
    for source in sources:
        is_folder = source.is_dir()
        for file in find(source) if is_folder else [source]:
            below = file.relative_to(source).parent if is_folder else Path()
            place = file.parent if out_dir is None else out_dir / below
            chosen = place / _output_name(file, suffix)
            if chosen in taken:  # another input of the same stem: the whole name tells them apart
                chosen = place / (file.name + suffix)
            while chosen in taken:  # of the same name, from another folder: a number does
                again[place / file.name] += 1
                chosen = place / f"{file.name}-{again[place / file.name]}{suffix}"
            taken.add(chosen)
            tasks.append(Task(file, chosen, is_folder))
    if not tasks:
        raise click.UsageError(f"there is nothing to do in {', '.join(map(str, sources))}")
    return tasks


def _output_name(source: Path, suffix: str) -> str:
    """The name of an input with another suffix; `a.wav.ecdc` becomes `a.wav`."""
    return source.stem if Path(source.stem).suffix.lower() == suffix.lower() else source.stem + suffix


def check_target(source: Path, target: Path, force: bool) -> Path:
    """The output of one input.

    Raises:
        click.UsageError: if it is there and may not be replaced, is the input itself, or has no folder.
    """
    if target.is_dir():
        raise click.UsageError(f"{target} is a folder; --out-dir puts outputs into one")
    if not target.parent.is_dir():
        raise click.UsageError(f"there is no folder {target.parent}")
    if is_plain(target) and os.path.lexists(target):
        if is_plain(source) and target.exists() and target.samefile(source):
            raise click.UsageError("input and output are the same file")
        if not force:
            raise click.UsageError(f"{target} exists already; use --force to replace it")
    return target


def check_coded_name(target: Path) -> None:
    """Refuse an output whose name says that it is an audio file, and which would be an `.ecdc` file."""
    if is_audio_name(target):
        raise click.UsageError(f"{target} has the suffix of an audio file, and would be an .ecdc file: name it .ecdc")


def say_loss(source: Path) -> None:
    """Say what is missing from an `.ecdc` file of version 1, before what is left is taken on."""
    from .. import ecdc

    found = ecdc.inspect(source)
    if not found.intact:
        say(f"{source}: damaged; {found.loss}", err=True)


def say_made(target: Path) -> None:
    """Say what was written."""
    from .. import ecdc

    made = ecdc.inspect(target)
    say(f"{target}: {made.size_bytes:,} bytes, {made.bandwidth_kbps:.2f} kbps, {made.duration_s:.1f} s", err=True)


def shared_out(jobs: int | None, tasks: int, threads: int | None) -> tuple[int, int | None]:
    """How many jobs each of so many tasks has for itself, and how many threads each call of its network has.

    Args:
        jobs: in all; `None` for one.
        tasks: at least 1.
        threads: if they were asked for. Otherwise jobs share the cores out, and each call has one.
    """
    return max(1, (jobs or 1) // tasks), 1 if jobs and threads is None else threads


def run(
    tasks: Sequence[Task], work: Callable[..., Done], settings: Any, jobs: int | None, quiet: bool, verb: str
) -> None:
    """Do all tasks, say what came of each, and the total of many. One task that fails does not end the others.

    Args:
        tasks: one or many.
        work: does one, given its task, the settings and whether it is the only one; it is called in other processes
            where there are several.
        settings: for `work`.
        jobs: processes; one by default.
        quiet: print errors only.
        verb: what was done, for the total.

    Raises:
        Exception: of the one task; of many the exit code is 1 if any failed.
    """
    begin = time.perf_counter()
    if len(tasks) == 1:
        tasks[0].check()
        _print(work(tasks[0], settings, alone=True), quiet)
        return
    done: list[Done] = []
    for result in _results(tasks, work, settings, min(jobs or 1, len(tasks))):
        _print(result, quiet)
        done.append(result)
    failed = sum(result.error is not None for result in done)
    if not quiet:
        from ..text import counted

        good = [result for result in done if result.error is None]
        audio_s, size = sum(r.audio_s for r in good), sum(r.coded_bytes for r in good)
        speed = audio_s / max(1e-9, time.perf_counter() - begin)
        rate = f"{8 * size / 1000 / audio_s:.2f} kbps, " if audio_s else ""
        text = (
            f"{counted(len(good), 'file')} {verb}: {size:,} bytes, {rate}{audio_s:.1f} s, {speed:.0f} times real time"
        )
        say(text + (f"; {failed} failed" if failed else ""), err=True)
    if failed:
        click.get_current_context().exit(1)


def _results(tasks: Sequence[Task], work: Callable[..., Done], settings: Any, processes: int) -> Iterator[Done]:
    """What came of each task, in their order."""
    if processes == 1:  # here, where Ctrl-C ends it at once
        yield from (attempt(work, task, settings) for task in tasks)
        return
    from ..processes import Died, WorkerPool

    with WorkerPool(processes, one_thread=True) as pool:
        for task, found in pool.map(attempt, tasks, arguments=lambda task: (work, task, settings)):
            yield Done(task, error="the process that worked on it died") if isinstance(found, Died) else found


def attempt(work: Callable[..., Done], task: Task, settings: Any) -> Done:
    """Do a task of many: what goes wrong is said of it, and the others go on."""
    from ..errors import RecodecError

    try:
        if task.target.exists() and not settings["force"]:
            return Done(task, error=f"{task.target} exists already; use --force to replace it")
        task.check()
        task.target.parent.mkdir(parents=True, exist_ok=True)
        return work(task, settings, alone=False)
    except (RecodecError, click.ClickException, OSError) as error:
        return Done(task, error=error_of(task.source, error))


def _print(done: Done, quiet: bool) -> None:
    if done.error is not None:
        say(f"recodec: error: {done.error}", err=True)
    elif not quiet:
        for line in done.lines:
            say(line, err=True)
