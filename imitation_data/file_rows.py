"""Rows of any files, each with its place, so that the files can be written again without some."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import repeat
from typing import Any, NamedTuple, get_args

import numpy as np
import orjson
import xxhash
from numpy.typing import NDArray

from imitation_data.conversation import Conversation, to_batch
from imitation_data.dedup.near_step import number_of
from imitation_data.errors import SourceError
from imitation_data.inputs import Input, UnknownFormError, open_input, own_rows
from imitation_data.ledger import Drop
from imitation_data.readers import READERS, BadRecord, Reader, SourceFile
from imitation_data.readers.files import labels
from imitation_data.readers.quoting import kind, names_of
from imitation_data.readers.raw import read_raw
from imitation_data.text.compared import On, compared
from imitation_data.text.spool import Spool
from imitation_data.versions.store import Store

ROLES = get_args(On)
# Readers that make the rows of each record out of that record alone, in the file's order.
BY_RECORD = ("messages", "sharegpt", "hc3", "alpaca", "columns", "wildchat", "lmsys")
BATCH = 2048

COLUMN = "column:"

_Row = tuple[Conversation, int, int, str | None]  # with its record, that one's number, the own id


@dataclass(frozen=True)
class Wanted:
    """What of a row is wanted.

    Attributes:
        on: `conversation`, `prompt`, `user`, `assistant`, or the name of a column with text;
            `column:prompt` for a column that has the name of a role.
        by: a column with numbers or ISO dates; `tokens` or `meta.NAME` of conversations; may be
            empty.
        id: a column with the user's own ids. When it is empty, or not there in rows that are
            known, records go by their `id`, or by file and number; conversations without one go by
            `source/origin:part`.
        known: whether the rows are what others are held against; they need no column `id`.
    """

    on: str
    by: str = ""
    id: str = ""
    known: bool = False

    @property
    def column(self) -> str:
        """The column of a table that is wanted; empty for turns of a conversation."""
        return "" if self.on in ROLES else self.on.removeprefix(COLUMN)

    @property
    def name(self) -> str:
        """What is compared, in the one way that tells it from everything else."""
        return self.on if self.column in ROLES else self.column or self.on


class RowAt(NamedTuple):
    """Where a row stands, and by what it is told apart from others.

    Attributes:
        id: the user's own, None where the record has none.
        tie: what decides between rows with equal texts; does not depend on where they stand.
        input: index of the input.
        file: index of the file.
        record: index of the record in the file.
        number: of the record, as messages count it; 0 for rows made of several records.
        part: of the rows made of one record, 0 for the first.
        length: characters of the text, or of all turns of a conversation.
        digest: XXH3-64 of the text.
        value: of the column `by`; NaN where there is none.
    """

    id: str | None
    tie: str
    input: int
    file: int
    record: int
    number: int
    part: int
    length: int
    digest: int
    value: float


class ReaderDrop(NamedTuple):
    """A row that a reader left out by its stated policy.

    Attributes:
        file: index of the file.
        number: of the record, as messages count it; 0 for rows made of several records.
        id: of the record, else its origin.
        drop: why.
    """

    file: int
    number: int
    id: str
    drop: Drop


@dataclass
class FileRows:
    """Rows in the order they were read.

    Attributes:
        wanted: what was.
        texts: one a row; None where there is none.
        at: where each stands.
        files: what was read, and the reader; None for a table by column, and for rows of ours.
        reader_drops: rows that readers left out by their stated policy.
        partly: files of which some record has more to it than one row.
        left_out: files in which no rows were found, and why.
    """

    wanted: Wanted
    texts: Spool = field(default_factory=Spool)
    at: list[RowAt] = field(default_factory=list)
    files: list[tuple[SourceFile, Reader | None]] = field(default_factory=list)
    reader_drops: list[ReaderDrop] = field(default_factory=list)
    partly: set[int] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.at)

    def read(self, given: Input) -> None:
        """Read all rows of an input.

        Raises:
            SourceError: a record cannot be read, or has no such column, or no text in it.
        """
        self.left_out += given.left_out
        rank = self.at[-1].input + 1 if self.at else 0
        for reader, files in given.forms:
            for file in files:
                self.files.append((file, reader))
                number = len(self.files) - 1
                if self.wanted.column:
                    self._table(file, rank, number)
                elif reader is None:
                    self._conversations((row for _, row in own_rows(file)), rank, number)
                else:
                    self._records(reader, file, rank, number)

    def _table(self, file: SourceFile, rank: int, number: int) -> None:
        wanted = self.wanted
        for place, record in enumerate(read_raw([file])):
            if isinstance(record, BadRecord):
                raise SourceError(str(record))
            row, where = record.value, record.where
            if not isinstance(row, dict):
                raise SourceError(f"{where}: found {kind(row)}; expected an object with fields")
            text = _named(row, wanted.column, where)
            if text is not None and not isinstance(text, str):
                known = ", ".join(ROLES)
                raise SourceError(
                    f"{where}: {wanted.column} holds {kind(text)}; expected text. "
                    f"For conversations, compare one of: {known}"
                )
            own = _own_id(row, wanted, where)
            value = number_of(_named(row, wanted.by, where)) if wanted.by else np.nan
            tie = record.digest if own is None else own
            ends = len(text or ""), _digest(text), value
            self.texts.add(text)
            self.at.append(RowAt(own, tie, rank, number, place, record.number, 0, *ends))

    def _records(self, reader: Reader, file: SourceFile, rank: int, number: int) -> None:
        """Rows of a file that a reader knows; texts are cut out a batch at a time."""
        names = self._names(file) if by_record(reader) else repeat((None, 0))
        if self.wanted.id and not self.wanted.known and not by_record(reader):
            raise SourceError(f"{file.name}: its rows have no column {self.wanted.id} to go by")
        waiting: list[_Row] = []
        for place, (record, name) in enumerate(zip(reader.read([file]), names, strict=False)):
            if isinstance(record, BadRecord):
                raise SourceError(str(record))
            own, line = name
            called = own if own is not None else record.origin
            self.reader_drops += (ReaderDrop(number, line, called, drop) for drop in record.drops)
            if len(record.rows) + len(record.drops) > 1:
                self.partly.add(number)
            for row in record.rows:
                part = f":{row.part}" if row.part else ""
                mine = f"{own}{part}" if own is not None else None
                waiting.append((row._replace(origin=record.origin), place, line, mine))
            if len(waiting) >= BATCH:
                self._batch(waiting, rank, number)
                waiting = []
        self._batch(waiting, rank, number)

    def _names(self, file: SourceFile) -> Iterator[tuple[str | None, int]]:
        """The id of each record, by its column; None where there is none; and its number."""
        for record in read_raw([file]):
            if isinstance(record, BadRecord) or not isinstance(record.value, dict):
                yield None, 0  # the reader says what is wrong
                continue
            yield _own_id(record.value, self.wanted, record.where), record.number

    def _conversations(self, rows: Iterable[Conversation], rank: int, number: int) -> None:
        waiting: list[_Row] = []
        for place, row in enumerate(rows):
            waiting.append((row, place, place + 1, row.key if row.source else None))
            if len(waiting) >= BATCH:
                self._batch(waiting, rank, number)
                waiting = []
        self._batch(waiting, rank, number)

    def _batch(self, waiting: "list[_Row]", rank: int, number: int) -> None:
        if not waiting:
            return
        rows = [row for row, *_ in waiting]
        column = to_batch(rows, [""] * len(rows)).column("messages")
        texts = compared(column, self.wanted.on).to_pylist()  # type: ignore[arg-type]
        for (row, place, line, own), text in zip(waiting, texts, strict=True):
            tie = own or f"{row.origin}:{row.part}"
            ends = sum(map(len, row.texts())), _digest(text), _value(row, self.wanted.by)
            self.texts.add(text)
            self.at.append(RowAt(own, tie, rank, number, place, line, row.part, *ends))


@dataclass(frozen=True)
class Names:
    """What rows of any files are called.

    Attributes:
        ids: the user's own; else `FILE:NUMBER`, or `FILE/ORIGIN` for rows of several records.
        files: the file each stands in, None for rows of an index.
        numbers: its record in the file, as messages count it; None where several made the row.
        parts: which of the rows of its record it is, from 0; None for rows of an index.
        labels: of the files of each set of rows.
    """

    ids: list[str]
    files: list[str | None]
    numbers: list[int | None]
    parts: list[int | None]
    labels: list[list[str]]

    @classmethod
    def of(cls, known: Sequence[str], *sets: FileRows) -> "Names":
        """Name what is in an index, by its ids, and then the rows of some files."""
        nothing = [None] * len(known)
        found = cls(list(known), list(nothing), list(nothing), list(nothing), [])
        names = iter(labels([file for rows in sets for file, _ in rows.files]))
        for rows in sets:
            files = [next(names) for _ in rows.files]
            found.labels.append(files)
            for at in rows.at:
                file = files[at.file]
                part = f":{at.part}" if at.part else ""
                stands = f"{file}:{at.number}{part}" if at.number else f"{file}/{at.tie}"
                found.ids.append(stands if at.id is None else at.id)
                found.files.append(file)
                found.numbers.append(at.number or None)
                found.parts.append(at.part)
        return found

    def stands(self, row: int) -> str:
        """Where a row stands, for a person."""
        file, number = self.files[row], self.numbers[row]
        if file is None:
            return "the index"
        return f"{file}:{number}" if number else file

    def shown(self, row: int) -> str:
        """A row's id for a person, and where it stands if there are several files."""
        file, called = self.files[row], self.ids[row]
        one = len(set(self.files)) == 1 or (file is not None and called.startswith(file))
        return called if one else f"{called} ({self.stands(row)})"


def _own_id(row: dict[str, Any], wanted: Wanted, where: str) -> str | None:
    """A record's id, as text; None where it has none.

    Raises:
        SourceError: there is no column of the name that was asked for.
    """
    name = wanted.id
    if not name or (wanted.known and name not in row):
        found = row.get("id")
    else:
        found = _named(row, name, where)
    return None if found is None or isinstance(found, dict | list) else str(found)


def _digest(text: str | None) -> int:
    return xxhash.xxh3_64_intdigest((text or "").encode())


def _named(row: dict[str, Any], name: str, where: str) -> object:
    """A field of a record.

    Raises:
        SourceError: there is none of that name.
    """
    if name not in row:
        others = [one for one in (*map(str, row), *ROLES) if one != name]
        near = get_close_matches(name, others, n=1)
        hint = f". Did you mean {near[0]}?" if near else ""
        raise SourceError(f"{where}: no column {name}; the row has {names_of(row)}{hint}")
    return row[name]


def _value(row: Conversation, by: str) -> float:
    if not by:
        return np.nan
    if by == "tokens":
        return np.nan if row.tokens is None else float(row.tokens)
    return number_of(orjson.loads(row.meta).get(by.removeprefix("meta.")))


def read_rows(inputs: Sequence[str], wanted: Wanted, store: Store) -> FileRows:
    """Read the rows of some inputs."""
    rows = FileRows(wanted)
    for reference in inputs:
        try:
            given = open_input(reference, store, told=not wanted.column)
        except UnknownFormError as error:
            raise SourceError(
                f"{error}. `--on COLUMN` compares any column with text, `--on column:{wanted.on}` "
                "one that is called so"
            ) from error
        rows.read(given)
    return rows


def luck_of(rows: FileRows, seed: int) -> NDArray[np.uint64]:
    """A random number of each row; equal rows with equal ids have equal luck."""
    names = (f"{seed}/{at.tie}/{at.digest}/{at.part}".encode() for at in rows.at)
    return np.fromiter(map(xxhash.xxh3_64_intdigest, names), np.uint64, len(rows))


def by_record(reader: Reader) -> bool:
    """Whether a reader makes the rows of each record out of that record alone."""
    return isinstance(reader, tuple(READERS[name] for name in BY_RECORD))
