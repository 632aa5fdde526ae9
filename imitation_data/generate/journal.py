"""The journal: every answer that was paid for, under the key of the request it answers.

SQLite in write-ahead mode. An answer is on disk (fsync) before anyone sees it. A try is noted
before it is sent, with what it may cost at most, so that after a kill the journal knows what may
have been paid for without an answer. One process sends at a time; others wait, or read.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

from imitation_data.errors import StoreError
from imitation_data.generate.request import Answer, Request

FORMAT = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, endpoint TEXT NOT NULL, request BLOB NOT NULL, text TEXT NOT NULL,
    outcome TEXT NOT NULL, model TEXT NOT NULL, input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL, sample INTEGER NOT NULL, batch INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tries (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL, dataset TEXT NOT NULL, state TEXT NOT NULL,
    cost INTEGER NOT NULL, tokens INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS tries_by_state ON tries (dataset, state);
CREATE TABLE IF NOT EXISTS batches (
    name TEXT PRIMARY KEY, endpoint TEXT NOT NULL, dataset TEXT NOT NULL, file TEXT NOT NULL,
    id TEXT NOT NULL, state TEXT NOT NULL, input_price REAL, output_price REAL
);
CREATE TABLE IF NOT EXISTS batched (
    batch TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL, sample INTEGER NOT NULL,
    try INTEGER NOT NULL, PRIMARY KEY (batch, key)
) WITHOUT ROWID;
"""
_ADD = "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
# Of a journal of format 1, which knew no batches.
_SINCE_1 = "ALTER TABLE answers ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;"


@dataclass(frozen=True)
class Spent:
    """What a dataset has cost so far, over all runs that used the journal.

    Attributes:
        cost: in millionths of a millionth of a US dollar; -1 where a price was not known.
        requests: tries that were answered, or may have been.
        tokens: of prompts and answers; at most, where an answer was lost.
        lost: tries that may have been paid for without an answer.
    """

    cost: int = 0
    requests: int = 0
    tokens: int = 0
    lost: int = 0


@dataclass
class Journal:
    """Answers on disk; use as a context manager.

    Args:
        path: of the SQLite file; made when it is not there.

    Raises:
        StoreError: it cannot be opened, or is no journal of this format.
    """

    path: Path
    _read: sqlite3.Connection = field(init=False, repr=False)
    _lock: IO[str] | None = field(init=False, default=None, repr=False)

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._read = self.connect()
            self._check()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(
                f"{self.path}: cannot be used as a journal ({error}); name another file with "
                "--journal, or move this one away"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._read.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def connect(self) -> sqlite3.Connection:
        """Open one more connection, for a thread of its own."""
        made = sqlite3.connect(self.path, timeout=60, isolation_level=None, check_same_thread=False)
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("PRAGMA synchronous=FULL")
        return made

    def _check(self) -> None:
        (found,) = self._read.execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in self._read.execute("SELECT name FROM sqlite_master")}
        if found not in (0, 1, FORMAT) or (found == 0 and tables):
            raise sqlite3.DatabaseError(f"is no journal of format {FORMAT}")
        if found == FORMAT:
            return
        change = _SCHEMA + (_SINCE_1 if found else "")
        self._read.executescript(f"BEGIN IMMEDIATE;{change}PRAGMA user_version={FORMAT};COMMIT;")

    def _ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a query.

        Raises:
            StoreError: the file is damaged.
        """
        try:
            return self._read.execute(sql, values).fetchall()
        except (sqlite3.Error, OverflowError) as error:
            raise StoreError(
                f"{self.path}: the journal is damaged ({error}); take a copy of it that is whole, "
                "or what `imitation-data journal export` wrote"
            ) from error

    def _look_at(self, texts: Sequence[object], numbers: Sequence[object]) -> None:
        if not all(isinstance(one, str) for one in texts) or not all(
            isinstance(one, int) for one in numbers
        ):
            raise StoreError(f"{self.path}: the journal is damaged (a value of another type)")

    def get(self, key: str) -> Answer | None:
        """The answer under a key, if there is one."""
        names = "text, outcome, model, input_tokens, output_tokens, batch"
        for row in self._ask(f"SELECT {names} FROM answers WHERE key = ?", key):  # noqa: S608 - our own names
            self._look_at(row[:3], row[3:])
            return Answer._make((*row[:-1], bool(row[-1])))
        return None

    def __len__(self) -> int:
        """How many answers there are."""
        return int(self._ask("SELECT count(*) FROM answers")[0][0])

    def hold(self, *, wait: bool, waiting: Callable[[str], None]) -> None:
        """Become the one process that sends; called again it does nothing.

        Args:
            wait: whether to wait for another process, instead of being refused.
            waiting: told in words that there is another.

        Raises:
            StoreError: another process holds the journal and `wait` is False.
        """
        if self._lock is not None:
            return
        place = self.path.with_name(f"{self.path.name}.lock")
        try:
            lock = place.open("a+")
        except OSError as error:
            raise StoreError(f"{place}: cannot be written ({error.strerror})") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            words = f"{self.path} is in use by another run (process {lock.read().strip() or '?'})"
            if not wait:
                lock.close()
                raise StoreError(f"{words}; wait for it to end, or name another journal") from error
            waiting(f"{words}; waiting for it to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def settle_lost(self) -> int:
        """Take tries that were under way when a process died for lost; tell how many.

        Only the process that holds the journal may ask.
        """
        found = self._read.execute("UPDATE tries SET state = 'lost' WHERE state = 'sent'")
        return found.rowcount

    def spent(self, dataset: str) -> Spent:
        """Add up what a dataset has cost."""
        (row,) = self._ask(
            "SELECT coalesce(sum(cost), 0), count(*), coalesce(sum(tokens), 0), "
            "coalesce(sum(state = 'lost'), 0), coalesce(min(cost), 0) FROM tries WHERE dataset = ?",
            dataset,
        )
        return Spent(-1 if row[4] < 0 else row[0], row[1], row[2], row[3])

    def summary(self) -> tuple[list[tuple[str, str, int]], dict[str, Spent], list[str]]:
        """Answers by endpoint and model, what each dataset has spent, and batches under way."""
        count = "SELECT endpoint, model, count(*) FROM answers GROUP BY 1, 2 ORDER BY 1, 2"
        answers = [(where, model, number) for where, model, number in self._ask(count)]
        names = self._ask("SELECT DISTINCT dataset FROM tries ORDER BY 1")
        batches = self._ask("SELECT id FROM batches WHERE id != '' ORDER BY rowid")
        return answers, {name: self.spent(name) for (name,) in names}, [one for (one,) in batches]

    def add(self, rows: Sequence[tuple[Any, ...]]) -> int:
        """Add answers, columns as in the table; tell how many were new."""
        before = len(self)
        with self.change() as to:
            to.executemany(_ADD, rows)
        return len(self) - before

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every answer with its request, in the order of their keys."""
        names = "key, endpoint, sample, request, text, outcome, model"
        names += ", input_tokens, output_tokens, batch"
        last = ""
        while rows := self._ask(
            f"SELECT {names} FROM answers WHERE key > ? ORDER BY key LIMIT 1000",  # noqa: S608 - our own names
            last,
        ):
            for row in rows:
                self._look_at((*row[:2], *row[4:7]), (row[2], *row[7:]))
                yield dict(zip(names.split(", "), row, strict=True)) | {"batch": bool(row[-1])}
            last = rows[-1][0]

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is on disk when the block ends, or nothing.

        Raises:
            StoreError: it cannot be written.
        """
        try:
            self._read.execute("BEGIN IMMEDIATE")
            yield self._read
            self._read.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreError(f"{self.path}: cannot be written ({error})") from error
        finally:
            if self._read.in_transaction:
                self._read.execute("ROLLBACK")


@dataclass(frozen=True)
class Try:
    """A request about to be sent: what is noted of it before.

    Attributes:
        request: what is sent.
        endpoint: without user-info and query.
        dataset: who pays.
        cost: at most, as in `Spent`.
        sample: as in `Request.of`.
    """

    request: Request
    endpoint: str
    dataset: str
    cost: int
    sample: int = 0

    @property
    def tokens(self) -> int:
        return self.request.input_limit + self.request.output_limit


def note_tries(to: sqlite3.Connection, tries: Sequence[Try]) -> list[int]:
    """Note tries before they are sent; return their numbers."""
    numbers = []
    for one in tries:
        row = (one.request.key, one.dataset, one.cost, one.tokens)
        made = to.execute(
            "INSERT INTO tries (key, dataset, state, cost, tokens) VALUES (?, ?, 'sent', ?, ?)",
            row,
        )
        numbers.append(int(made.lastrowid or 0))
    return numbers


def note_answer(
    to: sqlite3.Connection, one: Try, number: int, answer: Answer, paid: tuple[int, int]
) -> None:
    """Note an answer, and what it came to.

    Args:
        to: a connection with a transaction open.
        one: what was asked.
        number: of the try.
        answer: what came.
        paid: cost as in `Spent`, and tokens.
    """
    to.execute(
        _ADD,
        (
            one.request.key,
            one.endpoint,
            one.request.body,
            answer.text,
            answer.outcome,
            answer.model,
            answer.input_tokens,
            answer.output_tokens,
            one.sample,
            answer.batch,
        ),
    )
    to.execute(
        "UPDATE tries SET state = 'answered', cost = ?, tokens = ? WHERE id = ?", (*paid, number)
    )


def note_lost(to: sqlite3.Connection, number: int) -> None:
    """A try may have been paid for, but no answer came."""
    to.execute("UPDATE tries SET state = 'lost' WHERE id = ?", (number,))


def note_cost(to: sqlite3.Connection, number: int, paid: tuple[int, int]) -> None:
    """What a try came to is known better."""
    to.execute("UPDATE tries SET cost = ?, tokens = ? WHERE id = ?", (*paid, number))


def note_unpaid(to: sqlite3.Connection, number: int) -> None:
    """A try was turned down by the endpoint: it costs nothing."""
    to.execute("DELETE FROM tries WHERE id = ?", (number,))
