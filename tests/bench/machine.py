"""What every benchmark prints beside its figures: how fast this machine is just now."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import psutil

LOOPS = 3_000_000


def calibration() -> float:
    """Seconds for a fixed pure-Python loop; about 0.2 on a free core of 2024."""
    started = time.perf_counter()
    total = 0
    for n in range(LOOPS):
        total += n & 7
    return time.perf_counter() - started


def best_of(count: int, run: Callable[[], object]) -> float:
    """The shortest of some runs, in seconds."""
    times = []
    for _ in range(count):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


class PeakMemory:
    """Samples the resident memory of a process and all its children, shared pages counted in each.

    Attributes:
        bytes: the largest sum seen.
    """

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._process = psutil.Process(pid)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            total = 0
            try:
                for process in (self._process, *self._process.children(recursive=True)):
                    total += process.memory_info().rss
            except psutil.Error:
                continue
            self.bytes = max(self.bytes, total)
