"""Worker processes. One that dies, say of a file that its library cannot stand, costs its own task and no other.

This is the one place that knows how many cores there are, how processes are started and stopped, and what to do when
one dies.
"""

from __future__ import annotations

import _thread
import itertools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import util
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_GRACE_S = 5.0  # that a task has for taking its half-written files away, once its process is to stop
_SIBLINGS_S = 0.5  # that a process leaves to the others for the same, on Windows
_OF_THE_TERMINAL = () if sys.platform == "win32" else (signal.SIGINT, signal.SIGHUP)
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


@dataclass(frozen=True)
class Died:
    """In place of a result: the process that worked on the item died."""


@dataclass
class _Work(Generic[Item, Result]):
    item: Item
    future: Future[Result]


class WorkerPool:
    """Processes that work on tasks; a context manager.

    A task whose process dies is tried again alone, so that it cannot take others along, and gives `Died` if that
    does not help. The processes leave Ctrl-C to the one that started them. If that is interrupted or killed, they
    interrupt their tasks by `KeyboardInterrupt`, and end.

    Args:
        processes: how many; 0 for a thread of this process.
        start: called in each new process with the values that `arguments` gives. `arguments` is called anew after a
            process has died; its argument says whether one has.
        arguments: see `start`.
        one_thread: keep the libraries in each process to one thread.
        attempts: how often a task whose process died is tried alone.
    """

    def __init__(
        self,
        processes: int,
        *,
        start: Callable[..., object] | None = None,
        arguments: Callable[[bool], tuple[Any, ...]] = lambda died: (),
        one_thread: bool = False,
        attempts: int = 1,
    ) -> None:
        self._processes, self._start, self._arguments = processes, start, arguments
        self._one_thread, self._attempts = one_thread, attempts
        # The processes hold one end of a pipe. The other end is closed by `stop`, and by the end of this process.
        self._watched, self._lifeline = multiprocessing.Pipe(duplex=False)
        self._executor = self._make(died=False)

    def map(
        self,
        function: Callable[..., Result],
        items: Iterable[Item],
        *,
        arguments: Callable[[Item], tuple[Any, ...]] = lambda item: (item,),
        ahead: int | None = None,
        ordered: bool = True,
    ) -> Iterator[tuple[Item, Result | Died]]:
        """Call a function for every item, and give each with its result.

        Args:
            function: of a module, so that processes find it.
            items: taken as they are needed.
            arguments: of the function for an item.
            ahead: items in work at once; one more than there are processes by default.
            ordered: give results in the order of the items, or as they come.

        Raises:
            Exception: what the function raises.
        """
        for found in self.poll(function, items, arguments=arguments, ahead=ahead, ordered=ordered, wait_s=None):
            assert found is not None  # without a limit to the wait, something has come
            yield found

    def poll(
        self,
        function: Callable[..., Result],
        items: Iterable[Item],
        *,
        arguments: Callable[[Item], tuple[Any, ...]] = lambda item: (item,),
        ahead: int | None = None,
        ordered: bool = False,
        wait_s: float | None,
    ) -> Iterator[tuple[Item, Result | Died] | None]:
        """As `map`, but gives `None` whenever nothing has come for `wait_s` seconds."""
        # One more than can be worked on, so that a process that is done finds its next task waiting.
        limit = ahead or max(1, self._processes) + 1
        source = iter(items)
        waiting: deque[_Work[Item, Result]] = deque()
        while True:
            for item in itertools.islice(source, limit - len(waiting)):
                waiting.append(_Work(item, self._submit(function, arguments(item))))
            if not waiting:
                return
            chosen = [waiting[0].future] if ordered else [work.future for work in waiting]
            done, _ = wait(chosen, wait_s, FIRST_COMPLETED)
            if not done:
                yield None
                continue
            work = next(work for work in waiting if work.future in done)
            if _has_died(work.future):
                # The processes of all tasks in work are gone with it: each on its own now.
                suspects = list(waiting)
                waiting.clear()
                for suspect in suspects:
                    yield suspect.item, self._settled(suspect, function, arguments(suspect.item))
                continue
            waiting.remove(work)
            yield work.item, work.future.result()

    def close(self) -> None:
        """End the processes once their tasks are done; tasks that have not begun are dropped."""
        self._executor.shutdown(cancel_futures=True)
        self._watched.close()
        self._lifeline.close()

    def stop(self) -> None:
        """Interrupt the tasks, and end the processes. A task in a thread of this process is waited for."""
        self._lifeline.close()
        self.close()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None or isinstance(error, Exception):
            self.close()
        else:  # Ctrl-C, a signal, or results that nobody takes any more
            self.stop()

    def _settled(
        self, work: _Work[Item, Result], function: Callable[..., Result], values: tuple[Any, ...]
    ) -> Result | Died:
        """The result of a task that was in work when a process died."""
        if not _has_died(work.future):
            return work.future.result()
        for _ in range(self._attempts):
            self._executor.shutdown()
            self._executor = self._make(died=True)
            future = self._submit(function, values)
            if not _has_died(future):
                return future.result()
        # The last attempt has broken the pool as well, and the next task needs one.
        self._executor.shutdown()
        self._executor = self._make(died=True)
        return Died()

    def _submit(self, function: Callable[..., Result], values: tuple[Any, ...]) -> Future[Result]:
        try:
            if self._processes == 0:
                return self._executor.submit(function, *values)
            with _signals_held():  # it may start a process
                return self._executor.submit(_run, function, values)
        except BrokenProcessPool as error:
            # The pool broke since the last look at it: `poll` then treats this task like those that were in work.
            failed: Future[Result] = Future()
            failed.set_exception(error)
            return failed

    def _make(self, *, died: bool) -> Executor:
        if self._processes == 0:
            return ThreadPoolExecutor(1)
        # A forked process would get copies of locks that other threads hold, and nothing would release them there.
        context = multiprocessing.get_context("spawn")
        values = (self._watched, self._one_thread, self._start, self._arguments(died))
        with _signals_held():  # it may start a process that keeps account of semaphores
            return ProcessPoolExecutor(self._processes, context, _begin, values)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Ctrl-C and the end of the terminal come after the block. A process that is started in it does not get them
    before it asks for them."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_THE_TERMINAL)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _has_died(future: Future[Any]) -> bool:
    return isinstance(future.exception(), BrokenProcessPool)


def _begin(watched: Connection, one_thread: bool, start: Callable[..., object] | None, values: tuple[Any, ...]) -> None:
    """In a new process: follow its parent, and make ready."""
    _stopping.listen(watched)
    if one_thread:
        for name in _THREAD_VARIABLES:  # libraries read them when they are loaded
            os.environ[name] = "1"
    if start is not None:
        start(*values)


def _run(function: Callable[..., Result], values: tuple[Any, ...]) -> Result:
    """In a process: one task, which may be interrupted."""
    return _stopping.run(function, values)


class _Stopping:
    """How a process ends before its time: its task is interrupted, so that it takes away what it has half written."""

    def __init__(self) -> None:
        self._asked, self._idle = threading.Event(), threading.Event()
        self._idle.set()
        self._main = 0

    def listen(self, watched: Connection) -> None:
        """End when the other end of a pipe is closed, or by SIGTERM. Ctrl-C and a closed terminal are the parent's."""
        self._main = threading.get_ident()
        signal.signal(signal.SIGINT, self._interrupt)
        listeners: list[Callable[[], object]] = [partial(_wait_for_end, watched)]
        if sys.platform != "win32":
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _OF_THE_TERMINAL)
            # In a thread of its own, so that it also ends a task that does not come back to Python.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            listeners.append(partial(signal.sigwait, {signal.SIGTERM}))
        for wait_for in listeners:
            threading.Thread(target=self._stop_after, args=(wait_for,), daemon=True).start()

    def run(self, function: Callable[..., Result], values: tuple[Any, ...]) -> Result:
        """Do a task; if the process is to end, wait for that."""
        try:
            self._idle.clear()
            if self._asked.is_set():
                raise KeyboardInterrupt
            return function(*values)
        finally:
            self._idle.set()
            if self._asked.is_set():
                # Going on would send the interruption to the parent, which would take it for its own.
                threading.Event().wait()

    def _stop_after(self, wait_for: Callable[[], object]) -> None:
        wait_for()
        self._asked.set()
        if not self._idle.is_set():
            if sys.platform == "win32":
                _thread.interrupt_main()
            else:
                signal.pthread_kill(self._main, signal.SIGINT)
            self._idle.wait(_GRACE_S)
        if sys.platform == "win32":
            # As soon as one has ended, the executor ends the others, and there without a signal that they could heed.
            time.sleep(_SIBLINGS_S)
        # Of the usual end of a process only what waits for nobody: its own processes are killed, semaphores given back.
        util._run_finalizers(0)  # pyright: ignore[reportAttributeAccessIssue]
        os._exit(1)

    def _interrupt(self, number: int, frame: object) -> None:
        if self._asked.is_set() and not self._idle.is_set():
            raise KeyboardInterrupt


_stopping = _Stopping()


def _wait_for_end(watched: Connection) -> None:
    """Wait until nobody holds the other end of a pipe."""
    with suppress(EOFError, OSError):
        watched.recv_bytes()
