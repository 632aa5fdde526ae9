"""Rows of any files, each with its place, so that the files can be written again without some."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, get_args

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray

from imitation_data.conversation import Conversation, to_batch
from imitation_data.dedup.compared import On, compared
from imitation_data.dedup.near_step import number_of
from imitation_data.dedup.spool import Spool
from imitation_data.errors import SourceError
from imitation_data.inputs import Input, own_rows
from imitation_data.readers import READERS, BadRecord, Reader, SourceFile
from imitation_data.readers.files import labels
from imitation_data.readers.parquet import arrow_batches
from imitation_data.readers.quoting import kind, names_of
from imitation_data.readers.raw import read_raw

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
        id: a column with the user's own ids. When it is empty, records go by their `id`, or by
            file and number; conversations without one go by `source/origin:part`.
    """

    on: str
    by: str = ""
    id: str = ""

    @property
    def column(self) -> str:
        """The column of a table that is wanted; empty for turns of a conversation."""
        return "" if self.on in ROLES else self.on.removeprefix(COLUMN)


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


@dataclass
class FileRows:
    """Rows in the order they were read.

    Attributes:
        wanted: what was.
        texts: one a row; None where there is none.
        at: where each stands.
        files: what was read, and the reader; None for a table by column, and for rows of ours.
        drops: rows that readers left out by their stated policy, by reason.
        left_out: files in which no rows were found, and why.
    """

    wanted: Wanted
    texts: Spool = field(default_factory=Spool)
    at: list[RowAt] = field(default_factory=list)
    files: list[tuple[SourceFile, Reader | None]] = field(default_factory=list)
    drops: Counter[str] = field(default_factory=Counter)
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
            own = _own_id(row, wanted.id, where)
            value = number_of(_named(row, wanted.by, where)) if wanted.by else np.nan
            tie = record.digest if own is None else own
            ends = len(text or ""), _digest(text), value
            self.texts.add(text)
            self.at.append(RowAt(own, tie, rank, number, place, record.number, 0, *ends))

    def _records(self, reader: Reader, file: SourceFile, rank: int, number: int) -> None:
        """Rows of a file that a reader knows; texts are cut out a batch at a time."""
        names = self._names(file) if _by_record(reader) else repeat((None, 0))
        if self.wanted.id and not _by_record(reader):
            raise SourceError(f"{file.name}: its rows have no column {self.wanted.id} to go by")
        waiting: list[_Row] = []
        for place, (record, name) in enumerate(zip(reader.read([file]), names, strict=False)):
            if isinstance(record, BadRecord):
                raise SourceError(str(record))
            self.drops.update(drop.reason for drop in record.drops)
            own, line = name
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
            yield _own_id(record.value, self.wanted.id, record.where), record.number

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
    """

    ids: list[str]
    files: list[str | None]
    numbers: list[int | None]

    @classmethod
    def of(cls, known: Sequence[str], *sets: FileRows) -> "Names":
        """Name what is in an index, by its ids, and then the rows of some files."""
        found = cls(list(known), [None] * len(known), [None] * len(known))
        names = iter(labels([file for rows in sets for file, _ in rows.files]))
        for rows in sets:
            files = [next(names) for _ in rows.files]
            for at in rows.at:
                file = files[at.file]
                part = f":{at.part}" if at.part else ""
                stands = f"{file}:{at.number}{part}" if at.number else f"{file}/{at.tie}"
                found.ids.append(stands if at.id is None else at.id)
                found.files.append(file)
                found.numbers.append(at.number or None)
        return found

    def stands(self, row: int) -> str:
        """Where a row stands, for a person."""
        number = self.numbers[row]
        return f"{self.files[row]}, {number:,}" if number else f"{self.files[row]}"

    def shown(self, row: int) -> str:
        """A row's id for a person: with its file where there are several."""
        file = self.files[row]
        told = file is None or self.ids[row].startswith(file) or len({*self.files, None}) == 2  # noqa: PLR2004
        return self.ids[row] if told else f"{file}: {self.ids[row]}"


def _own_id(row: dict[str, Any], name: str, where: str) -> str | None:
    """A record's id, as text; None where it has none.

    Raises:
        SourceError: there is no column of the name that was asked for.
    """
    found = _named(row, name, where) if name else row.get("id")
    return None if found is None or isinstance(found, dict | list) else str(found)


def _digest(text: str | None) -> int:
    return xxhash.xxh3_64_intdigest((text or "").encode())


def _named(row: dict[str, Any], name: str, where: str) -> object:
    """A field of a record.

    Raises:
        SourceError: there is none of that name.
    """
    if name not in row:
        raise SourceError(f"{where}: no column {name}; the row has {names_of(row)}")
    return row[name]


def _value(row: Conversation, by: str) -> float:
    if not by:
        return np.nan
    if by == "tokens":
        return np.nan if row.tokens is None else float(row.tokens)
    return number_of(orjson.loads(row.meta).get(by.removeprefix("meta.")))


def write_kept(rows: FileRows, stays: NDArray[np.bool_], folder: Path) -> list[Path]:
    """Write each file again without the records none of whose rows stay.

    Tables are written as Parquet with all their columns, JSON and CSV as JSON Lines. Where a
    reader makes rows of more than one record together (Discord, trees, exports), the rows that stay
    are written as conversations.

    Returns:
        The files written.
    """
    written = []
    file_of = np.array([at.file for at in rows.at], np.int64)
    record_of = np.array([at.record for at in rows.at], np.int64)
    for number, (file, reader) in enumerate(rows.files):
        keep = np.unique(record_of[(file_of == number) & stays])
        name = PurePosixPath(file.name.replace("!", "/")).as_posix().lstrip("/")
        stem = name.replace("/", "-").rpartition(file.suffix)[0] or name
        target = folder / f"{number:03d}-{stem}"
        if not rows.wanted.column and reader is not None and not _by_record(reader):
            written.append(_write_rows(reader, file, keep, target))
        elif file.suffix in {".parquet", ".arrow"} and not file.packed:
            written.append(_write_table(file, keep, target))
        else:
            written.append(_write_json(file, keep, target))
    return written


def _by_record(reader: Reader) -> bool:
    return isinstance(reader, tuple(READERS[name] for name in BY_RECORD))


def _write_json(file: SourceFile, keep: NDArray[np.int64], target: Path) -> Path:
    path = target.with_name(f"{target.name}.jsonl")
    wanted = set(keep.tolist())
    with path.open("wb") as out:
        for place, record in enumerate(read_raw([file])):
            if place in wanted and not isinstance(record, BadRecord):
                raw = record.raw
                plain = raw if raw is not None and b"\n" not in raw.strip() else None
                out.write((plain or orjson.dumps(record.value)).strip() + b"\n")
    return path


def _write_table(file: SourceFile, keep: NDArray[np.int64], target: Path) -> Path:
    path = target.with_name(f"{target.name}.parquet")
    writer: pq.ParquetWriter | None = None
    before = 0
    for batch in _batches(file.path):
        low, high = np.searchsorted(keep, (before, before + len(batch)))
        some = batch.take(pa.array(keep[low:high] - before))
        writer = writer or pq.ParquetWriter(path, batch.schema, compression="zstd")
        writer.write_batch(some)
        before += len(batch)
    if writer is None:  # no row, but columns all the same
        with pq.ParquetFile(file.path) if file.suffix == ".parquet" else nullcontext() as table:
            empty = table.schema_arrow.empty_table() if table else pa.table({})
        pq.write_table(empty, path)
    else:
        writer.close()
    return path


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as table:
            yield from table.iter_batches(BATCH)
        return
    with pa.OSFile(str(path)) as stream:
        yield from arrow_batches(stream)


def _write_rows(reader: Reader, file: SourceFile, keep: NDArray[np.int64], target: Path) -> Path:
    path = target.with_name(f"{target.name}.parquet")
    wanted = set(keep.tolist())
    rows = [
        row._replace(origin=record.origin)
        for place, record in enumerate(reader.read([file]))
        if place in wanted and not isinstance(record, BadRecord)
        for row in record.rows
    ]
    pq.write_table(pa.Table.from_batches([to_batch(rows)]), path, compression="zstd")
    return path
