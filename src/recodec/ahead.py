"""Work in threads, a few items ahead, whose results come in the order of the items.

Threads serve what waits for other libraries: ONNX Runtime, torch and the compiled kernel leave Python free while they
count, and the threads of one process share the weights of a model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_ITEMS_PER_THREAD = 2


class Ahead(Generic[Item, Result]):
    """Calls a function for items, and gives the results in the order of the items, whichever is ready first.

    At most two items for each thread are in work or wait, so memory does not grow with the number of items.

    Args:
        function: to call. One thread calls it for one item after the other, in their order; several call it at once.
        threads: how many; with 0 it is called where items are pushed, and nothing is ahead.
    """

    def __init__(self, function: Callable[[Item], Result], threads: int) -> None:
        self._function, self._threads = function, threads
        self._executor: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[Result]] = deque()

    def push(self, item: Item) -> list[Result]:
        """Take an item, and give the next results that are ready, perhaps none.

        Raises:
            Exception: what the function raised for an item, in the place of its result.
        """
        if not self._threads:
            return [self._function(item)]
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._threads)
        self._waiting.append(self._executor.submit(self._function, item))
        most, results = _ITEMS_PER_THREAD * self._threads, []
        while self._waiting and (len(self._waiting) > most or self._waiting[0].done()):
            if results and self._waiting[0].exception() is not None:
                break  # the error comes with the next call: what came before it is not lost
            results.append(self._waiting.popleft().result())
        return results

    def finish(self) -> Iterator[Result]:
        """Wait for all items, and end the threads.

        Yields:
            the results that are left.

        Raises:
            Exception: as `push`.
        """
        try:
            while self._waiting:
                yield self._waiting.popleft().result()
        finally:
            self.close()

    def map(self, items: Iterable[Item]) -> Iterator[Result]:
        """The results for all items; the threads end with the iterator.

        Raises:
            Exception: of the function, or of the items themselves: then the results of those before come first.
        """
        source, error = iter(items), None
        try:
            while error is None:
                try:
                    item = next(source)
                except StopIteration:
                    break
                except Exception as raised:
                    error = raised
                else:
                    yield from self.push(item)
            yield from self.finish()
            if error is not None:
                raise error
        finally:
            self.close()

    def close(self) -> None:
        """End the threads. Items that wait are dropped; those in work are waited for."""
        self._waiting.clear()
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None
