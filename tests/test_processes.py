"""Worker processes: results in order or as they come, and one that dies costs its own task only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from recodec.processes import Died, WorkerPool, usable_cores
from support import interrupted_start
from support.holding import hold
from support.systems import posix
from support.waiting import wait_until

SEARCHED = os.pathsep.join(path for path in sys.path if path)


def square(number: int) -> int:
    """Of a number; some numbers kill the process."""
    if number < 0:
        os._exit(3)
    return number * number


def remember(value: str) -> None:
    os.environ["RECODEC_TEST_VALUE"] = value


def recall(_: int) -> tuple[str | None, str | None]:
    return os.environ.get("RECODEC_TEST_VALUE"), os.environ.get("OMP_NUM_THREADS")


@pytest.mark.parametrize("processes", [0, 2])
@pytest.mark.parametrize("ordered", [True, False])
def test_every_item_has_its_result(processes: int, ordered: bool) -> None:
    with WorkerPool(processes) as pool:
        found = list(pool.map(square, range(7), ordered=ordered))
    assert (found if ordered else sorted(found)) == [(i, i * i) for i in range(7)]


@pytest.mark.parametrize("ordered", [True, False])
def test_a_task_that_kills_its_process_takes_no_other_along(ordered: bool) -> None:
    with WorkerPool(2) as pool:
        found = dict(pool.map(square, [1, -1, 2, 3, -2, 4], ordered=ordered))
        assert found == {1: 1, -1: Died(), 2: 4, 3: 9, -2: Died(), 4: 16}
        assert list(pool.map(square, [5])) == [(5, 25)]  # the pool goes on


def test_processes_are_made_ready_and_know_that_one_has_died() -> None:
    def values(died: bool) -> tuple[str]:
        return ("after a death" if died else "fresh",)

    with WorkerPool(1, start=remember, arguments=values, one_thread=True) as pool:
        assert [result for _, result in pool.map(recall, [0])] == [("fresh", "1")]
        list(pool.map(square, [-1]))
        assert [result for _, result in pool.map(recall, [0])] == [("after a death", "1")]


def test_an_error_of_a_task_is_raised() -> None:
    with WorkerPool(0) as pool, pytest.raises(TypeError):
        list(pool.map(square, ["x"]))


def test_items_are_taken_as_they_are_needed() -> None:
    taken: list[int] = []

    def items():
        for i in range(100):
            taken.append(i)
            yield i

    with WorkerPool(0) as pool:
        for done, _ in enumerate(pool.map(square, items(), ahead=3)):
            assert len(taken) <= done + 4


def test_cores_are_counted() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


# ---- tasks that are interrupted -------------------------------------------------------------


def has_number(path: Path) -> bool:
    return path.exists() and path.read_text() != ""


def are_gone(paths: list[Path]) -> bool:
    """Within some seconds."""
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s and any(path.exists() for path in paths):
        threading.Event().wait(0.01)
    return not any(path.exists() for path in paths)


def test_ctrl_c_interrupts_the_tasks_and_drops_the_others(tmp_path: Path) -> None:
    files = [tmp_path / str(i) for i in range(5)]

    def work() -> None:
        with WorkerPool(2) as pool:
            for _ in pool.poll(hold, map(str, files), wait_s=0.02):
                if all(map(has_number, files[:2])):
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert list(tmp_path.iterdir()) == []


@posix
def test_ctrl_c_does_not_reach_a_process_that_starts() -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a test in the background ignores it
    with WorkerPool(1, start=interrupted_start.start) as pool:
        assert list(pool.map(square, [3])) == [(3, 9)]
    signal.signal(signal.SIGINT, before)


def test_results_that_nobody_takes_any_more_are_not_waited_for(tmp_path: Path) -> None:
    def watched() -> Generator[object, None, None]:
        with WorkerPool(1) as pool:
            yield from pool.poll(hold, [str(tmp_path / "a")], wait_s=0.02)

    waits = watched()
    while not has_number(tmp_path / "a"):
        next(waits)
    waits.close()
    assert list(tmp_path.iterdir()) == []


@posix
def test_a_process_that_is_told_to_end_takes_its_half_files_away(tmp_path: Path) -> None:
    file, told = tmp_path / "a", False
    with WorkerPool(1, attempts=0) as pool:
        for found in pool.poll(hold, [str(file)], wait_s=0.02):
            if found is None and not told and has_number(file):
                os.kill(int(file.read_text()), signal.SIGTERM)
                told = True
            if found is not None:
                assert found == (str(file), Died())
    assert list(tmp_path.iterdir()) == []


def test_the_end_of_the_parent_interrupts_the_tasks(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    code = (
        "import sys; from recodec.processes import WorkerPool; from support.holding import hold\n"
        "with WorkerPool(2) as pool: list(pool.map(hold, sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, *map(str, files)]
    parent = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": SEARCHED})
    wait_until(lambda: all(map(has_number, files)), parent)
    parent.kill()
    parent.wait()
    assert are_gone(files)
