"""Progress of a build: bars with rates on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars


class Progress:
    """Shows the stages of a build as they pass.

    Args:
        shown: False for no output at all.
    """

    def __init__(self, *, shown: bool) -> None:
        console = Console(stderr=True)
        self._lines = shown and not console.is_terminal and sys.stderr is not None
        self._bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeElapsedColumn(),
            console=console,
            disable=not shown or self._lines,
        )
        self._tasks: dict[str, tuple[TaskID, float]] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def update(self, stage: str, finished: int, tasks: int, rows: int) -> None:
        """Note that some tasks of a stage are finished; `rows` counts what has passed so far."""
        if stage not in self._tasks:
            task = self._bars.add_task(stage, total=tasks, rate="")
            self._tasks[stage] = (task, time.perf_counter())
        task, started = self._tasks[stage]
        seconds = time.perf_counter() - started
        rate = f"{rows / seconds:,.0f} rows/s" if rows and seconds > 1 else ""
        self._bars.update(task, completed=finished, rate=rate)
        if self._lines and finished == tasks:
            words = f": {rows:,} rows" if rows else ""
            print(f"{stage}{words}", file=sys.stderr)
