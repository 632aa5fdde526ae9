"""Rows of any files, each with its place, so that the files can be written again without some."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path, PurePosixPath
from typing import Any, get_args

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
from imitation_data.readers.quoting import kind, names_of
from imitation_data.readers.raw import read_raw

ROLES = get_args(On)
# Readers that make the rows of each record out of that record alone, in the file's order.
BY_RECORD = ("messages", "sharegpt", "hc3", "alpaca", "columns", "wildchat", "lmsys")
BATCH = 2048

_Row = tuple[Conversation, int, str | None]  # with the number of its record, and the user's id
Place = tuple[int, int, int]
"""Index of the input, index of the file, number of the record in it."""


@dataclass(frozen=True)
class Wanted:
    """What of a row is wanted.

    Attributes:
        on: `conversation`, `prompt`, `user`, `assistant`, or the name of a column with text.
        by: a column with numbers or ISO dates; `tokens` or `meta.NAME` of conversations; may be
            empty.
        id: a column with the user's own ids. When it is empty, records go by their `id`, or by
            file and number; conversations without one go by `source/origin:part`.
    """

    on: str
    by: str = ""
    id: str = ""

    @property
    def column(self) -> bool:
        """Whether a column of a table is wanted, not turns of a conversation."""
        return self.on not in ROLES


@dataclass
class FileRows:
    """Rows in the order they were read.

    Attributes:
        wanted: what was.
        texts: one a row; None where there is none.
        ids: one a row.
        places: one a row.
        lengths: characters of the texts, or of all turns of conversations.
        digests: XXH3-64 of the texts.
        values: of the column `by`; NaN where there is none.
        files: what was read, and the reader; None for a table by column, and for rows of ours.
        drops: rows that readers left out by their stated policy, by reason.
        left_out: files in which no rows were found, and why.
    """

    wanted: Wanted
    texts: Spool = field(default_factory=Spool)
    ids: list[str] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    digests: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    files: list[tuple[SourceFile, Reader | None]] = field(default_factory=list)
    drops: Counter[str] = field(default_factory=Counter)
    left_out: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, given: Input) -> None:
        """Read all rows of an input.

        Raises:
            SourceError: a record cannot be read, or has no such column, or no text in it.
        """
        self.left_out += given.left_out
        rank = len({place[0] for place in self.places})
        for reader, files in given.forms:
            for file in files:
                self.files.append((file, reader))
                number = len(self.files) - 1
                if self.wanted.column:
                    self._table(file, rank, number)
                elif reader is None:
                    rows = (row for _, row in own_rows(file))
                    self._conversations(rows, file, (rank, number))
                else:
                    self._records(reader, file, rank, number)

    def _add(self, name: str, text: str | None, place: Place, value: float) -> None:
        self.texts.add(text)
        self.ids.append(name)
        self.places.append(place)
        self.lengths.append(len(text or ""))
        self.digests.append(xxhash.xxh3_64_intdigest((text or "").encode()))
        self.values.append(value)

    def _table(self, file: SourceFile, rank: int, number: int) -> None:
        for place, record in enumerate(read_raw([file])):
            if isinstance(record, BadRecord):
                raise SourceError(str(record))
            row, where = record.value, record.where
            if not isinstance(row, dict):
                raise SourceError(f"{where}: found {kind(row)}; expected an object with fields")
            text = _named(row, self.wanted.on, where)
            if text is not None and not isinstance(text, str):
                known = ", ".join(ROLES)
                raise SourceError(
                    f"{where}: {self.wanted.on} holds {kind(text)}; expected text. "
                    f"For conversations, compare one of: {known}"
                )
            name = _named(row, self.wanted.id, where) if self.wanted.id else row.get("id")
            if name is None or isinstance(name, dict | list):
                name = f"{file.name}:{record.number}"
            value = number_of(_named(row, self.wanted.by, where)) if self.wanted.by else np.nan
            self._add(str(name), text, (rank, number, place), value)

    def _records(self, reader: Reader, file: SourceFile, rank: int, number: int) -> None:
        """Rows of a file that a reader knows; texts are cut out a batch at a time."""
        names = self._names(file) if _by_record(reader) else repeat(None)
        if self.wanted.id and not _by_record(reader):
            raise SourceError(f"{file.name}: its rows have no column {self.wanted.id} to go by")
        waiting: list[_Row] = []
        for place, (record, name) in enumerate(zip(reader.read([file]), names, strict=False)):
            if isinstance(record, BadRecord):
                raise SourceError(str(record))
            self.drops.update(drop.reason for drop in record.drops)
            for row in record.rows:
                part = f":{row.part}" if row.part else ""
                own = f"{name}{part}" if name is not None else None
                waiting.append((row._replace(origin=record.origin), place, own))
            if len(waiting) >= BATCH:
                self._batch(waiting, file, (rank, number))
                waiting = []
        self._batch(waiting, file, (rank, number))

    def _names(self, file: SourceFile) -> Iterator[str | None]:
        """The id of each record, by its column; None where there is none."""
        for record in read_raw([file]):
            if isinstance(record, BadRecord) or not isinstance(record.value, dict):
                yield None  # the reader says what is wrong
                continue
            row = record.value
            found = _named(row, self.wanted.id, record.where) if self.wanted.id else row.get("id")
            yield None if found is None or isinstance(found, dict | list) else str(found)

    def _conversations(
        self, rows: Iterable[Conversation], file: SourceFile, where: tuple[int, int]
    ) -> None:
        waiting: list[_Row] = []
        for place, row in enumerate(rows):
            waiting.append((row, place, None))
            if len(waiting) >= BATCH:
                self._batch(waiting, file, where)
                waiting = []
        self._batch(waiting, file, where)

    def _batch(self, waiting: "list[_Row]", file: SourceFile, where: tuple[int, int]) -> None:
        if not waiting:
            return
        rows = [row for row, _, _ in waiting]
        column = to_batch(rows, [""] * len(rows)).column("messages")
        texts = compared(column, self.wanted.on).to_pylist()  # type: ignore[arg-type]
        for (row, place, own), text in zip(waiting, texts, strict=True):
            name = own or (row.key if row.source else f"{file.name}/{row.origin}:{row.part}")
            self._add(name, text, (*where, place), _value(row, self.wanted.by))
            self.lengths[-1] = sum(map(len, row.texts()))


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
    places = np.array(rows.places, np.int64).reshape(-1, 3)
    for number, (file, reader) in enumerate(rows.files):
        mine = places[:, 1] == number
        keep = np.unique(places[mine & stays, 2])
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
        magic = stream.read(6)
        stream.seek(0)
        opened: Callable[[Any], Any] = (
            pa.ipc.open_file if magic == b"ARROW1" else pa.ipc.open_stream
        )
        whole = opened(stream)
        if magic == b"ARROW1":
            yield from (whole.get_batch(place) for place in range(whole.num_record_batches))
        else:
            yield from whole


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
