"""Row steps over one working shard: the only place that counts, times and keeps their books."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pyarrow as pa

from imitation_data.conversation import SCHEMA, Conversation, from_batch, to_batch
from imitation_data.errors import ImitationDataError, StepError
from imitation_data.ledger import Drop, Entry, Kept, Outcome
from imitation_data.recipe_parts import StepUse
from imitation_data.rows.step import RowStep, apply
from imitation_data.stages.books import Books, entry_of, write_ledger
from imitation_data.stages.narrow import NarrowTask, write_narrow
from imitation_data.stages.shards import Shard, load, relative, write_shard, write_table
from imitation_data.stages.stage import done, mark_done

DROPPED = pa.schema([*SCHEMA, pa.field("step", pa.int16())])


@dataclass(frozen=True)
class RowsTask:
    """One shard and the row steps to run over it, in order.

    Attributes:
        following: the dataset step that comes next, and its stage's folder: the rows are narrowed
            for it while they are in memory.
    """

    shard: Shard
    steps: tuple[StepUse, ...]
    folder: Path
    following: tuple[StepUse, Path] | None = None


def run_rows(task: RowsTask) -> dict[str, object]:
    """Run row steps over a shard, or find it done already.

    Returns:
        `shard` and, by step number, `books`, as plain values.

    Raises:
        StepError: a step failed on a row; the message names the row.
    """
    if result := done(task.folder, task.shard.name):
        return result
    table = load(task.shard)
    rows = from_batch(table)
    known = {
        id(row.messages): name for row, name in zip(rows, table["id"].to_pylist(), strict=True)
    }
    work = _Work(rows, table["record"].to_pylist(), table["issued"].to_pylist())
    del table
    for use in task.steps:
        work.run(use)
    path = task.folder / f"{task.shard.name}.arrow"
    # Untouched texts keep their id; `rows` holds them, so their addresses stay theirs.
    ids = [known.get(id(row.messages)) or row.id for row in work.rows]
    batch = write_shard(path, work.rows, work.records, work.issued, ids)
    write_ledger(task.folder / f"{task.shard.name}.ledger", work.entries)
    write_dropped(task.folder / f"{task.shard.name}.dropped", work.dropped)
    shard = Shard(task.shard.root, task.shard.name, relative(path), len(work.rows))
    if task.following and work.rows:
        messages = [row.messages for row in work.rows]
        write_narrow(NarrowTask(shard, *task.following), pa.Table.from_batches([batch]), messages)
    result = {
        "shard": shard.to_json(),
        "books": {str(number): books.to_json() for number, books in work.books.items()},
    }
    mark_done(task.folder, task.shard.name, result)
    return result


def write_dropped(path: Path, dropped: Sequence[tuple[int, Conversation]]) -> None:
    """Keep dropped rows beside the ledger, in the build folder; they are never published."""
    batch = to_batch([row for _, row in dropped])
    steps = pa.array([step for step, _ in dropped], pa.int16())
    write_table(path, pa.RecordBatch.from_arrays([*batch.columns, steps], schema=DROPPED))


@dataclass
class _Work:
    """The rows of a shard on their way through the steps."""

    rows: list[Conversation]
    records: list[int]
    issued: list[int]
    entries: list[Entry] = field(default_factory=list)
    dropped: list[tuple[int, Conversation]] = field(default_factory=list)
    books: dict[int, Books] = field(default_factory=dict)

    def run(self, use: StepUse) -> None:
        started = time.perf_counter()
        outcomes = self._outcomes(use)
        books = self.books[use.number] = Books(seconds=time.perf_counter() - started)
        books.rows_in = len(self.rows)
        before = zip(self.rows, self.records, self.issued, strict=True)
        self.rows, self.records, self.issued = [], [], []
        following: dict[int, int] = {}  # by record, the next part number, once one was given out
        for (row, record, parts), outcome in zip(before, outcomes, strict=True):
            if isinstance(outcome, Drop):
                self._drop(use, row, outcome)
                continue
            pieces = outcome.rows
            if outcome.edits or len(pieces) != 1:
                pieces = self._note(use, row, outcome, following.setdefault(record, parts))
                following[record] += len(pieces) - 1
            self.rows += pieces
            self.records += (record,) * len(pieces)
            self.issued += (parts,) * len(pieces)
        books.rows_out = len(self.rows)
        if following:
            pairs = zip(self.records, self.issued, strict=True)
            self.issued = [following.get(record, parts) for record, parts in pairs]

    def _outcomes(self, use: StepUse) -> Sequence[Outcome]:
        step = cast("RowStep", use.step)
        if not use.sources:
            return _attempt(step, use, self.rows)
        chosen = [place for place, row in enumerate(self.rows) if row.source in use.sources]
        outcomes: list[Outcome] = [Kept((row,)) for row in self.rows]
        some = _attempt(step, use, [self.rows[place] for place in chosen])
        for place, outcome in zip(chosen, some, strict=True):
            outcomes[place] = outcome
        return outcomes

    def _drop(self, use: StepUse, row: Conversation, drop: Drop) -> None:
        self.books[use.number].count(dropped=1, reason=drop.reason)
        key = (row.source, row.origin, row.part)
        self.entries.append(entry_of((use.number, use.type), "drop", key, drop))
        self.dropped.append((use.number, row))

    def _note(
        self, use: StepUse, row: Conversation, kept: Kept, part: int
    ) -> tuple[Conversation, ...]:
        """Enter edits and new pieces in the ledger; number the pieces from `part` on."""
        step = (use.number, use.type)
        if not kept.rows:
            raise StepError(f"step {use.number} {use.type}: kept {row.key} in no piece at all")
        self.books[use.number].created += len(kept.rows) - 1
        for edit in kept.edits:
            self.books[use.number].edits[edit.kind] += edit.count
            key = (row.source, row.origin, row.part)
            self.entries.append(entry_of(step, "edit", key, Drop(edit.kind), edit.count))
        pieces = [kept.rows[0]]
        for number, piece in enumerate(kept.rows[1:], start=part):
            pieces.append(piece._replace(part=number))
            key = (row.source, row.origin, number)
            self.entries.append(entry_of(step, "create", key, Drop("piece", other=row.key)))
        return tuple(pieces)


def _attempt(step: RowStep, use: StepUse, rows: Sequence[Conversation]) -> list[Outcome]:
    """Run a step; if it fails, find the row it fails on and say so."""
    try:
        return apply(step, rows)
    except ImitationDataError:
        raise
    except Exception as error:
        place = _culprit(step, rows)
        raise StepError(
            f"step {use.number} {use.type}: failed on {place} ({type(error).__name__}: {error}); "
            "this is a fault of imitation-data, please report it"
        ) from error


def _culprit(step: Callable[[Conversation], Outcome], rows: Sequence[Conversation]) -> str:
    for row in rows:
        try:
            step(row)
        except Exception:  # noqa: BLE001 - whatever it is, this is the row
            return row.key
    return "a batch of rows, though on none of them alone"
