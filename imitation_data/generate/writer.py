"""The journal's writer: a thread that commits what many requests ask for in one go.

`await` on what it returns ends when the change is on disk. All that is waiting is committed
together, so that hundreds of requests share one fsync.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from imitation_data.errors import StoreError
from imitation_data.generate.journal import Journal

Change = Callable[[sqlite3.Connection], Any]
_Waiting = tuple[Change, "asyncio.Future[Any]"]


@dataclass
class Writer:
    """Writes to a journal for one event loop; use as a context manager inside it."""

    journal: Journal
    _queue: "queue.SimpleQueue[_Waiting | None]" = field(default_factory=queue.SimpleQueue)
    _thread: threading.Thread | None = None
    loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        self.loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def write(self, change: Change) -> "asyncio.Future[Any]":
        """Make a change; the future has what it returned, once it is on disk.

        Raises (through the future):
            StoreError: the journal cannot be written.
        """
        future = asyncio.get_running_loop().create_future()
        self._queue.put((change, future))
        return future

    def _work(self) -> None:
        connection = self.journal.connect()
        last = False
        while not last:
            waiting = [self._queue.get()]
            while True:
                try:
                    waiting.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            last = None in waiting
            self._commit(connection, [one for one in waiting if one is not None])
        connection.close()

    def _commit(self, connection: sqlite3.Connection, waiting: list[_Waiting]) -> None:
        results: list[tuple[asyncio.Future[Any], Any]] = []
        failed: Exception | None = None
        if not waiting:
            return
        try:
            connection.execute("BEGIN IMMEDIATE")
            results = [(future, change(connection)) for change, future in waiting]
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - raised for those who wait, not in this thread
            failed = error
            if isinstance(error, sqlite3.Error):
                failed = StoreError(
                    f"{self.journal.path}: the journal cannot be written ({error}); make room, "
                    "then run the same command again to resume"
                )
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            results = [(future, None) for _, future in waiting]
        if self.loop is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(_tell, results, failed)


def _tell(results: list[tuple["asyncio.Future[Any]", Any]], failed: Exception | None) -> None:
    for future, result in results:
        if future.done():  # given up
            continue
        if failed is not None:
            future.set_exception(failed)
        else:
            future.set_result(result)
