"""Reading: one unit of source files becomes working shards and a ledger."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np
import xxhash
from numpy.typing import NDArray

from imitation_data.conversation import Conversation
from imitation_data.errors import BuildError, ImitationDataError, SourceError
from imitation_data.ledger import Action, Drop, Entry
from imitation_data.readers.files import SourceFile
from imitation_data.readers.reader import Reader
from imitation_data.readers.record import BadRecord, Record
from imitation_data.stages.books import Books, entry_of, write_ledger
from imitation_data.stages.shards import CHARACTERS, ROWS, Shard, relative, write_shard
from imitation_data.stages.stage import done, mark_done, write_file

READ = (0, "read")
_NUMBERED = re.compile(r"#\d+\Z")


@dataclass(frozen=True)
class Unit:
    """Files that one worker reads in one go.

    Attributes:
        name: `00-00000`: source and unit; sorted names give row order.
        source, license, teacher: the recipe's values for rows that do not bring their own.
        drop_bad: whether bad records are counted and dropped, instead of stopping the build.
        folder: of the stage.
    """

    name: str
    source: str
    reader: Reader
    files: tuple[SourceFile, ...]
    license: str
    teacher: str
    drop_bad: bool
    folder: Path


def read_unit(unit: Unit) -> dict[str, object]:
    """Read a unit, or find it read already.

    Returns:
        `shards`, `books`, `records` and `bad`, as plain values.

    Raises:
        SourceError: a bad record, unless they are to be dropped; or files that cannot be read.
    """
    if result := done(unit.folder, unit.name):
        return result
    writer = _Writer(unit)
    records = unit.reader.read(unit.files)
    for record in _located(records, writer, unit):
        writer.take(record)
    return writer.close()


def _located(
    records: Iterator[Record | BadRecord], writer: "_Writer", unit: Unit
) -> Iterator[Record | BadRecord]:
    """Pass records on; a fault of a reader names the place instead of ending in a traceback."""
    try:
        yield from records
    except ImitationDataError:
        raise
    except Exception as error:
        files = ", ".join(file.name for file in unit.files[:3])
        raise BuildError(
            f"{files}, after record {writer.records:,}: the reader failed "
            f"({type(error).__name__}: {error}); please report this fault of imitation-data"
        ) from error


@dataclass
class _Writer:
    """Fills shards and the ledger with what a reader yields."""

    unit: Unit
    records: int = 0
    bad: int = 0
    characters: int = 0
    rows: list[Conversation] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    issued: list[int] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    entry_records: list[int] = field(default_factory=list)
    shards: list[Shard] = field(default_factory=list)
    origins: list[int] = field(default_factory=list)
    books: Books = field(default_factory=Books)

    def take(self, record: Record | BadRecord) -> None:
        if isinstance(record, BadRecord):
            origin = escaped(record.origin or record.where)
            self._refuse(record, origin)
        else:
            origin = escaped(record.origin)
            self._note(record, origin)
        self.origins.append(xxhash.xxh3_64_intdigest(origin.encode()))
        self.records += 1
        if len(self.rows) >= ROWS or self.characters >= CHARACTERS:
            self._flush()

    def close(self) -> dict[str, object]:
        if self.rows or self.entries:
            self._flush()
        origins = BytesIO()
        np.save(origins, np.array(self.origins, np.uint64))
        write_file(origins_path(self.unit.folder, self.unit.name), origins.getvalue())
        result: dict[str, object] = {
            "shards": [shard.to_json() for shard in self.shards],
            "books": self.books.to_json(),
            "records": self.records,
            "bad": self.bad,
        }
        mark_done(self.unit.folder, self.unit.name, result)
        return result

    def _settled(self, row: Conversation, origin: str) -> Conversation:
        return Conversation(
            row.messages,
            self.unit.source,
            origin,
            row.part,
            row.teacher or self.unit.teacher or None,
            row.language,
            row.license or self.unit.license,
            None,
            row.meta,
        )

    def _refuse(self, record: BadRecord, origin: str) -> None:
        if not self.unit.drop_bad:
            raise SourceError(
                f"{record}\n(source {self.unit.source!r}; `bad_records: drop` counts such records "
                "and goes on)"
            )
        self.bad += 1
        self.books.count(rows_in=1, dropped=1, reason="bad_record")
        drop = Drop("bad_record", record.found, record.expected, evidence=record.where)
        self._enter("bad_record", origin, 0, drop)

    def _note(self, record: Record, origin: str) -> None:
        made, parts = len(record.rows), len(record.rows) + len(record.drops)
        self.books.count(rows_in=1, created=parts - 1, rows_out=made)
        for row in record.rows:
            self.rows.append(self._settled(row, origin))
            self.numbers.append(self.records)
            self.issued.append(parts)
            for _, text in row.messages:
                self.characters += len(text)
        if parts > 1 or record.drops:
            self._note_parts(record, origin)
        for edit in record.edits:
            self.books.edits[edit.kind] += edit.count
            self._enter("edit", origin, 0, Drop(edit.kind), edit.count)

    def _note_parts(self, record: Record, origin: str) -> None:
        """Enter the rows beyond the first, and the parts that were dropped."""
        # A dropped part has the number that no row of the record has taken.
        parts = {row.part for row in record.rows}
        count = len(record.rows) + len(record.drops)
        free = [part for part in range(count) if part not in parts]
        for part in sorted([*parts, *free[: len(record.drops)]])[1:]:
            self._enter("create", origin, part, Drop("part_of_record"))
        for part, drop in zip(free, record.drops, strict=False):
            self.books.count(dropped=1, reason=drop.reason)
            self._enter("drop", origin, part, drop)

    def _enter(self, action: Action, origin: str, part: int, drop: Drop, count: int = 1) -> None:
        key = (self.unit.source, origin, part)
        self.entries.append(entry_of(READ, action, key, drop, count))
        self.entry_records.append(self.records)

    def _flush(self) -> None:
        name = f"{self.unit.name}-{len(self.shards):05d}"
        path = self.unit.folder / f"{name}.arrow"
        write_shard(path, self.rows, self.numbers, self.issued)
        write_ledger(self.unit.folder / f"{name}.ledger", self.entries, self.entry_records)
        self.shards.append(Shard(path.parent.parent, name, relative(path), len(self.rows)))
        for pending in (self.rows, self.numbers, self.issued, self.entries, self.entry_records):
            pending.clear()
        self.characters = 0


def escaped(origin: str) -> str:
    """`x#1` as `x#1#0`, so that an origin of the source is never taken for a numbered repeat."""
    return f"{origin}#0" if _NUMBERED.search(origin) else origin


def origins_path(folder: Path, unit: str) -> Path:
    """Where a unit's origin hashes lie: one uint64 a record, in order."""
    return folder / f"{unit}.origins.npy"


def number_repeats(folder: Path, units: Iterable[str]) -> dict[str, dict[int, int]]:
    """Number the repeats of an origin within one source.

    Args:
        folder: of the read stage.
        units: the source's units, in order.

    Returns:
        By unit, record number to repeat number; records that stand first are not in it.
    """
    names = list(units)
    arrays = [np.load(origins_path(folder, name)) for name in names]
    hashes: NDArray[np.uint64] = np.concatenate([*arrays, np.zeros(0, np.uint64)])
    starts = np.cumsum([0, *(len(array) for array in arrays)])
    order = np.argsort(hashes, kind="stable")
    again = np.zeros(len(hashes), bool)
    again[1:] = hashes[order][1:] == hashes[order][:-1]
    found: dict[str, dict[int, int]] = {}
    seen: Counter[int] = Counter()
    for place in np.sort(order[again]).tolist():
        seen[int(hashes[place])] += 1
        unit = int(np.searchsorted(starts, place, "right")) - 1
        found.setdefault(names[unit], {})[place - int(starts[unit])] = seen[int(hashes[place])]
    return found
