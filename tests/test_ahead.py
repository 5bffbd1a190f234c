"""Work in threads: results in order, few items ahead, errors in their place."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recodec.ahead import Ahead


class Counted:
    """Counts who is in it. A call may wait until another has ended, for a moment, so that results come out of order."""

    def __init__(self) -> None:
        self.inside = self.most = self.begun = 0
        self._lock, self._ended = threading.Lock(), threading.Event()

    def __call__(self, item: tuple[int, bool]) -> int:
        number, waits = item
        with self._lock:
            self.begun += 1
            self.inside += 1
            self.most = max(self.most, self.inside)
        if waits:
            self._ended.clear()
            self._ended.wait(0.02)
        with self._lock:
            self.inside -= 1
        self._ended.set()
        return number


@given(threads=st.integers(0, 3), waits=st.lists(st.booleans(), max_size=12))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_results_come_in_the_order_of_the_items(threads: int, waits: list[bool]) -> None:
    function, results = Counted(), []
    work = Ahead(function, threads)
    items = list(enumerate(waits))
    for item in items:
        results += work.push(item)
        assert item[0] + 1 - len(results) <= 2 * threads
    results += work.finish()
    assert results == list(range(len(items)))
    assert function.most <= max(1, threads)
    assert list(Ahead(Counted(), threads).map(items)) == results


@pytest.mark.parametrize("threads", [0, 1, 2])
def test_items_are_taken_as_they_are_needed(threads: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = Ahead(lambda item: item, threads).map(items())
    for _ in range(5):
        next(results)
    results.close()  # type: ignore[attr-defined]  # a generator is given
    assert taken <= 5 + 2 * threads + 1


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_an_error_comes_in_the_place_of_its_result(threads: int) -> None:
    def function(item: int) -> int:
        if item == 4:
            raise ValueError("four")
        return item

    got: list[int] = []
    with pytest.raises(ValueError, match="four"):
        got.extend(Ahead(function, threads).map(range(9)))
    assert got == [0, 1, 2, 3]
    work, got = Ahead(function, threads), []
    with pytest.raises(ValueError, match="four"):  # noqa: PT012  # where it comes depends on the threads
        for item in range(9):
            got += work.push(item)
        got += work.finish()
    assert got == [0, 1, 2, 3]
    work.close()


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_an_error_of_the_items_comes_after_the_results_before_it(threads: int) -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise OSError("the disk is gone")

    got: list[int] = []
    with pytest.raises(OSError, match="the disk is gone"):
        got.extend(Ahead(lambda item: item, threads).map(items()))
    assert got == [0, 1, 2, 3, 4]


def test_threads_end_and_what_waits_is_dropped() -> None:
    before = threading.active_count()
    function = Counted()
    work = Ahead(function, 2)
    for number in range(4):
        work.push((number, True))
    work.close()
    assert function.begun == 2
    assert threading.active_count() == before
    for _ in Ahead(function, 2).map([(0, False), (1, False)]):
        pass
    assert threading.active_count() == before
