"""Dataset steps: narrow columns of every shard, one decision, and its application to each shard."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from imitation_data.conversation import SCHEMA, from_batch
from imitation_data.dataset_step import DatasetStep, Decision, drop_of
from imitation_data.identity import Keys
from imitation_data.recipe_parts import StepUse
from imitation_data.stages.books import Books, entry_of, write_ledger
from imitation_data.stages.narrow import joined, packed
from imitation_data.stages.rows import write_dropped
from imitation_data.stages.shards import Shard, load, relative, selection
from imitation_data.stages.stage import done, mark_done, write_file

ROW_COLUMNS = tuple(SCHEMA.names)


def decide(use: StepUse, narrowed: Sequence[str], sources: Sequence[str], seed: str) -> Decision:
    """Join the narrow columns and let the step decide; rows of other sources are left alone."""
    who, keys = joined(narrowed)
    step = cast("DatasetStep", use.step)
    if not use.sources:
        return step.decide(who, keys, sources, seed)
    wanted = [place for place, name in enumerate(sources) if name in use.sources]
    rows = np.flatnonzero(np.isin(who.source, wanted))
    place = np.full(len(who), -1, np.int64)
    place[rows] = np.arange(len(rows))
    mine = place[keys.row] >= 0
    some = Keys(place[keys.row[mine]], keys.high[mine], keys.low[mine])
    decision = step.decide(who.take(rows), some, sources, seed)
    drop, other = np.zeros(len(who), bool), np.full(len(who), -1, np.int64)
    drop[rows] = decision.drop
    other[rows] = np.where(decision.other >= 0, rows[decision.other], -1)
    found = [""] * len(who) if decision.found else ()
    for row, words in zip(rows.tolist(), decision.found, strict=False):
        cast("list[str]", found)[row] = words
    return replace(decision, drop=drop, other=other, found=found)


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
