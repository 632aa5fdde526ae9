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
from imitation_data.dataset_step import Decision, KeyStep, Shown, Table, TextStep, drop_of
from imitation_data.identity import Keys
from imitation_data.recipe_parts import StepUse
from imitation_data.rows.pii import mask
from imitation_data.stages.books import Books, entry_of, write_ledger
from imitation_data.stages.narrow import joined, packed
from imitation_data.stages.rows import write_dropped
from imitation_data.stages.shards import Shard, load, relative, selection
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
    return replace(decision, drop=drop, other=other, found=words[0], evidence=words[1], shown=shown)


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
    """

    shard: Shard
    use: StepUse
    folder: Path
    decision: Decision
    others: Mapping[int, str]


def apply_tasks(
    use: StepUse, shards: Sequence[Shard], decision: Decision, folder: Path
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
            split=None if decision.split is None else decision.split[start:stop],
        )
        named = {row: keys[row] for row in mine.other[mine.other >= 0].tolist()}
        yield ApplyTask(shard, use, folder, mine, named)


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
    write_ledger(task.folder / f"{task.shard.name}.ledger", entries)
    write_dropped(
        task.folder / f"{task.shard.name}.dropped", [(task.use.number, row) for row in dropped]
    )
    shard = replace(task.shard, rows=books.rows_out, selection=relative(path))
    books.seconds = time.perf_counter() - started
    result = {"shard": shard.to_json(), "books": books.to_json()}
    mark_done(task.folder, task.shard.name, result)
    return result


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
