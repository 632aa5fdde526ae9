"""The local engine: worker processes on this machine."""

import atexit
import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from ctypes import CDLL
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from multiprocessing.resource_tracker import ensure_running
from threading import Thread
from typing import Self, TypeVar

from imitation_data.errors import BuildError

Task = TypeVar("Task")
Result = TypeVar("Result")

# Rows are many small tuples and form no cycles; looking for some costs a twentieth of the time.
# What a task leaves behind is looked at when it has ended.
GC_THRESHOLD = 2_000_000
# Read when the libraries are loaded. Arrow's other pools hold 40 MB more between tasks; threads for
# linear algebra would only wait.
SETTINGS = {"ARROW_DEFAULT_MEMORY_POOL": "system", "OPENBLAS_NUM_THREADS": "1"}
AHEAD = 2  # tasks queued for each worker; results wait in order, so this bounds what is held


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass
class Local:
    """Runs a function over tasks in worker processes; results come in task order.

    Args:
        workers: processes; 1 runs in this process.
        modules: loaded by every worker as it starts.

    Use as a context manager; workers start on entering. They are spawned, not forked: arrow, polars
    and fork do not mix.
    """

    workers: int
    modules: tuple[str, ...] = ()
    _pool: ProcessPoolExecutor | None = None
    _processes: tuple[BaseProcess, ...] = ()

    def __enter__(self) -> Self:
        if self.workers == 1:
            return self
        if multiprocessing.current_process().daemon:
            raise BuildError(
                "this is a daemonic process, which may start no workers; use workers=1"
            )
        try:
            with _deaf():
                self._start()
        except BaseException:  # Ctrl-C that had to wait
            self.__exit__(BaseException)
            raise
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if self._pool is None:
            return
        if kind is not None:  # what they are at is not wanted any more, and killing is safe
            for process in self._processes:
                process.terminate()
        # Waited for, or the pool's own thread closes what the interpreter, ending, still writes to.
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._pool = None

    def _start(self) -> None:
        before = multiprocessing.active_children()
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(self.workers, context, initializer=_settle)
        for _ in range(self.workers):
            self._pool.submit(_load, self.modules)
        self._processes = tuple(set(multiprocessing.active_children()) - set(before))

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """Yield `function(task)` for each task, in order; the first failure stops the map.

        Raises:
            BuildError: a worker process died.
        """
        if self._pool is None:
            for task in tasks:
                yield function(task)
            return
        waiting: deque[Future[Result]] = deque()
        left = iter(tasks)
        try:
            for task in left:
                waiting.append(self._pool.submit(_tidied, function, task))
                if len(waiting) > self.workers * AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise BuildError(
                "a worker process died: out of memory, killed from outside, or this was called "
                'from a script without `if __name__ == "__main__":`. Run again to resume; '
                "`--workers 1` needs the least memory and starts no processes"
            ) from error
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def _deaf() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach from their first moment on; here it waits."""
    ensure_running()  # or it would be started within, and let signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def give_back() -> None:
    """Return memory that Arrow and the C library hold for later to the system."""
    import pyarrow as pa  # noqa: PLC0415  workers are to start before anything else is loaded

    pa.default_memory_pool().release_unused()
    if trim := getattr(CDLL(None), "malloc_trim", None):  # glibc only
        trim(0)


def _tidied(function: Callable[[Task], Result], task: Task) -> Result:
    """Run a task, then give back what it held."""
    try:
        return function(task)
    finally:
        gc.collect(0)
        give_back()


def _load(modules: tuple[str, ...]) -> None:
    """Load modules; given to a pool, this makes a worker start."""
    for name in modules:
        import_module(name)


def _settle() -> None:
    """Leave Ctrl-C to the parent, and end when the parent is gone, even by SIGKILL."""
    os.environ |= {name: value for name, value in SETTINGS.items() if name not in os.environ}
    gc.set_threshold(GC_THRESHOLD)
    atexit.register(os._exit, 0)  # nothing is left to tidy, and freeing it all takes a fifth second
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
