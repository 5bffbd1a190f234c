"""Worker processes: results in order or as they come, and one that dies costs its own task only."""

from __future__ import annotations

import os

import pytest

from recodec.processes import Died, WorkerPool, usable_cores


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
