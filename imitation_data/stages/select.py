"""Dataset steps: narrow columns of every shard, one decision, and its application to each shard."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.conversation import SCHEMA, from_batch
from imitation_data.dataset_step import (
    Decision,
    KeyStep,
    Masks,
    Shown,
    Table,
    TextStep,
    drop_of,
    masked,
)
from imitation_data.identity import Keys
from imitation_data.ledger import Drop, Entry
from imitation_data.recipe_parts import StepUse
from imitation_data.rows.pii import mask
from imitation_data.rows.tokens import load as counter
from imitation_data.stages.books import Books, entry_of, write_ledger
from imitation_data.stages.narrow import joined, packed
from imitation_data.stages.rows import write_dropped
from imitation_data.stages.shards import Shard, load, relative, selection, write_shard
from imitation_data.stages.stage import done, mark_done, write_file

ROW_COLUMNS = tuple(SCHEMA.names)


@dataclass(frozen=True)
class _Texts:
    """The compared texts of the rows of some sources, read whenever asked for."""

    step: TextStep
    shards: Sequence[Shard]
    wanted: frozenset[int]

    def __iter__(self) -> Iterator[pa.ChunkedArray]:
        for shard in self.shards:
            if shard.source in self.wanted:
                yield self.step.texts(load(shard, ("messages",)))


def decide(
    use: StepUse,
    narrowed: Sequence[str],
    shards: Sequence[Shard],
    sources: Sequence[str],
    seed: str,
    threads: int,
) -> Decision:
    """Join the narrow columns and let the step decide; rows of other sources are left alone."""
    who, columns = joined(narrowed)
    count, step = len(who), use.step
    wanted = [place for place, name in enumerate(sources) if name in use.sources]
    rows = np.flatnonzero(np.isin(who.source, wanted))
    if use.sources:
        who, columns = who.take(rows), _of_rows(columns, rows, count)
    if isinstance(step, TextStep):
        texts = _Texts(step, shards, frozenset(wanted or range(len(sources))))
        decision = step.match(who, columns, texts, sources, threads)
    else:
        decision = cast("KeyStep", step).decide(who, Keys(**columns), sources, seed)
    return _placed(decision, rows, count) if use.sources else decision


def _of_rows(
    columns: Mapping[str, NDArray[Any]], rows: NDArray[np.int64], count: int
) -> dict[str, NDArray[Any]]:
    """The same narrow columns for some rows only."""
    if "row" not in columns:
        return {name: values[..., rows] for name, values in columns.items()}
    place = np.full(count, -1, np.int64)
    place[rows] = np.arange(len(rows))
    mine = place[columns["row"]] >= 0
    return {
        name: place[values[mine]] if name == "row" else values[mine]
        for name, values in columns.items()
    }


def _placed(decision: Decision, rows: NDArray[np.int64], count: int) -> Decision:
    """The decision about some rows as one about all."""
    drop, other = np.zeros(count, bool), np.full(count, -1, np.int64)
    drop[rows] = decision.drop
    other[rows] = np.where(decision.other >= 0, rows[decision.other], -1)
    words: list[tuple[str, ...] | list[str]] = []
    for told in (decision.found, decision.evidence):
        whole = [""] * count if told else ()
        for row, one in zip(rows.tolist(), told, strict=False):
            cast("list[str]", whole)[row] = one
        words.append(whole)
    shown = tuple(
        Shown(
            one.title,
            tuple(
                replace(pair, row=int(rows[pair.row]), other=int(rows[pair.other]))
                for pair in one.pairs
            ),
        )
        for one in decision.shown
    )
    masks = decision.masks and replace(
        decision.masks,
        rows=tuple(replace(one, row=int(rows[one.row])) for one in decision.masks.rows),
    )
    return replace(
        decision,
        drop=drop,
        other=other,
        found=words[0],
        evidence=words[1],
        shown=shown,
        masks=masks,
    )


def tables(decision: Decision, shards: Sequence[Shard]) -> tuple[Table, ...]:
    """What the report shows of a decision: its numbers, and pairs of rows by their keys."""
    starts = np.cumsum([0, *(shard.rows for shard in shards)])
    pairs = [pair for one in decision.shown for pair in one.pairs]
    rows = {row for pair in pairs for row in (pair.row, pair.other)}
    keys = _keys_of_rows(shards, starts, np.array(sorted(rows), np.int64))
    header = ("Row", "Other row", "Found", "Difference: [row|other row]")
    shown = [
        Table(
            one.title,
            header,
            [
                (keys[pair.row], keys[pair.other], pair.found, mask(pair.evidence)[0])
                for pair in one.pairs
            ],
            quotes=True,
        )
        for one in decision.shown
        if one.pairs
    ]
    return (*decision.tables, *shown)


@dataclass(frozen=True)
class ApplyTask:
    """One shard and what was decided about its rows.

    Attributes:
        decision: the part of the decision that is about this shard's counting rows.
        others: keys of the rows that dropped ones lost to, by index in the whole dataset.
        encoding: what tokens of rows that are changed are counted under.
    """

    shard: Shard
    use: StepUse
    folder: Path
    decision: Decision
    others: Mapping[int, str]
    encoding: str | None = None


def apply_tasks(
    use: StepUse,
    shards: Sequence[Shard],
    decision: Decision,
    folder: Path,
    encoding: str | None = None,
) -> Iterator[ApplyTask]:
    """Cut a decision into one task a shard, with the keys of the rows that dropped ones lost to."""
    starts = np.cumsum([0, *(shard.rows for shard in shards)])
    keys = _keys_of_rows(shards, starts, np.unique(decision.other[decision.other >= 0]))
    for place, shard in enumerate(shards):
        start, stop = int(starts[place]), int(starts[place + 1])
        mine = replace(
            decision,
            drop=decision.drop[start:stop],
            other=decision.other[start:stop],
            found=decision.found[start:stop] if decision.found else (),
            evidence=decision.evidence[start:stop] if decision.evidence else (),
            tables=(),
            shown=(),
            files={},
            masks=_masks_of(decision, start, stop),
            split=None if decision.split is None else decision.split[start:stop],
        )
        named = {row: keys[row] for row in mine.other[mine.other >= 0].tolist()}
        yield ApplyTask(shard, use, folder, mine, named, encoding)


def _masks_of(decision: Decision, start: int, stop: int) -> Masks | None:
    """What is replaced in some rows, numbered from the first of them."""
    if decision.masks is None:
        return None
    mine = [one for one in decision.masks.rows if start <= one.row < stop]
    rows = tuple(replace(one, row=one.row - start) for one in mine)
    return replace(decision.masks, rows=rows) if rows else None


def _keys_of_rows(
    shards: Sequence[Shard], starts: NDArray[np.int64], wanted: NDArray[np.int64]
) -> dict[int, str]:
    keys: dict[int, str] = {}
    for place, shard in enumerate(shards):
        low, high = np.searchsorted(wanted, starts[place : place + 2])
        if low == high:
            continue
        rows = wanted[low:high]
        table = load(shard, ("source", "origin", "part")).take(rows - starts[place])
        named = zip(*(column.to_pylist() for column in table.columns), strict=True)
        for row, (source, origin, part) in zip(rows.tolist(), named, strict=True):
            keys[row] = f"{source}/{origin}:{part}"
    return keys


def apply_decision(task: ApplyTask) -> dict[str, object]:
    """Write a shard's selection, ledger and dropped rows, or find them written.

    Returns:
        `shard` and `books`, as plain values.
    """
    if result := done(task.folder, task.shard.name):
        return result
    started = time.perf_counter()
    drop = task.decision.drop
    path = task.folder / f"{task.shard.name}.selection.npz"
    write_file(path, packed(_selected(task)))
    rows = np.flatnonzero(drop)
    dropped = from_batch(load(task.shard, ROW_COLUMNS).take(rows)) if len(rows) else []
    step, entries = (task.use.number, task.use.type), []
    books = Books(rows_in=len(drop), rows_out=int(len(drop) - len(rows)))
    for row, gone in zip(rows.tolist(), dropped, strict=True):
        why = drop_of(task.decision, row, task.others.get(int(task.decision.other[row]), ""))
        books.count(dropped=1, reason=why.reason)
        entries.append(entry_of(step, "drop", (gone.source, gone.origin, gone.part), why))
    masked_rows = _write_masked(task, books, entries) if task.decision.masks else None
    write_ledger(task.folder / f"{task.shard.name}.ledger", entries)
    write_dropped(
        task.folder / f"{task.shard.name}.dropped", [(task.use.number, row) for row in dropped]
    )
    shard = replace(task.shard, rows=books.rows_out, selection=relative(path))
    if masked_rows is not None:  # the rows that count lie in a file of their own, as it says
        shard = replace(shard, path=relative(masked_rows), repeats=(), selection="")
    books.seconds = time.perf_counter() - started
    result = {"shard": shard.to_json(), "books": books.to_json()}
    mark_done(task.folder, task.shard.name, result)
    return result


def _write_masked(task: ApplyTask, books: Books, entries: list[Entry]) -> Path:
    """Write the rows that stay with what is replaced in them, and enter each edit."""
    masks = cast("Masks", task.decision.masks)
    table = load(task.shard).filter(pa.array(~task.decision.drop))
    rows = from_batch(table.select(ROW_COLUMNS))
    place = np.cumsum(~task.decision.drop) - 1
    count = counter(task.encoding) if task.encoding else None
    for mask_ in masks.rows:
        at = int(place[mask_.row])
        row = masked(rows[at], masks, mask_)
        if count is not None:
            row = row._replace(tokens=sum(map(count, row.texts())))
        rows[at] = row
        key = (row.source, row.origin, row.part)
        why = Drop(masks.kind, found=mask_.found, evidence=mask_.evidence)
        number = len(mask_.spans)
        entries.append(entry_of((task.use.number, task.use.type), "edit", key, why, number))
        books.edits[masks.kind] += number
    path = task.folder / f"{task.shard.name}.masked"
    records = table.column("record").to_pylist()
    write_shard(path, rows, records, table.column("issued").to_pylist())
    return path


def _selected(task: ApplyTask) -> dict[str, NDArray[np.generic]]:
    """The new selection over all rows of the shard's file."""
    before = selection(task.shard)
    keep = before.get("keep", np.ones(len(task.decision.drop), bool)).astype(bool)
    counting = np.flatnonzero(keep)
    keep[counting[task.decision.drop]] = False
    chosen: dict[str, NDArray[np.generic]] = {"keep": keep}
    if task.decision.split is not None:
        split = np.zeros(len(keep), np.int16)
        split[counting] = task.decision.split
        chosen["split"] = split
    return chosen
