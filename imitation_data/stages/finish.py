"""The last stages: rows measured and checked, then written as Parquet with their ledger."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray

from imitation_data import ledger
from imitation_data.checks import (
    SHOWN,
    Check,
    DatasetCheck,
    Failing,
    RowCheck,
    failing_rows,
    schema_failures,
)
from imitation_data.conversation import SCHEMA
from imitation_data.identity import ids_of
from imitation_data.ledger import Entry
from imitation_data.report.facts import Facts, Tally, measure
from imitation_data.report.summary import CheckResult
from imitation_data.stages.shards import Shard, load, numbered, read_table, selection
from imitation_data.stages.stage import whole_file
from imitation_data.versions.semver import Pairs, sorted_ids

FILE_CHARACTERS = 32 << 20
PAGES = {"min_chunk_size": 64 << 10, "max_chunk_size": 256 << 10}  # bytes, not compressed
FEW_VALUES = ["source", "teacher", "language", "license", "messages.list.element.role"]
"""Columns with a dictionary; one of many values would change as a whole with any of its rows."""
GROUP_ROWS, GROUP_BYTES = 65_536, 64 << 20
LEDGER_ENTRIES = 2_000_000
EXAMPLES = 3  # ledger entries shown for each reason


@dataclass(frozen=True)
class MeasureTask:
    """One shard to be measured and checked."""

    shard: Shard
    splits: tuple[str, ...]
    checks: tuple[tuple[str, Check], ...]
    tokens: bool


@dataclass(frozen=True)
class Measured:
    """What one shard's rows are like.

    Attributes:
        facts: measured.
        failing: by check (and `schema: column`), the rows that break it.
        ids: each row's id, 16 bytes.
        split: index of each row's split, int16.
        keys: XXH3-64 of each row's `source/origin:part`, uint64.
    """

    facts: Facts
    failing: Mapping[str, Failing]
    ids: NDArray[np.bytes_]
    split: NDArray[np.int16]
    keys: NDArray[np.uint64]


@dataclass
class Total:
    """What the rows of all shards are like; little is kept for each row, and not for long.

    Attributes:
        facts: of all rows.
        failing: by check, the rows that break it; of each the first `SHOWN`.
        tallies: for each shard, what it holds of each split.
    """

    facts: Facts = field(default_factory=Facts)
    failing: dict[str, Failing] = field(default_factory=dict)
    tallies: list[Mapping[str, Tally]] = field(default_factory=list)
    _keys: list[NDArray[np.uint64]] = field(default_factory=list)
    _ids: list[NDArray[np.bytes_]] = field(default_factory=list)
    _split: list[NDArray[np.int16]] = field(default_factory=list)

    def add(self, one: Measured) -> None:
        """Add the next shard, in row order."""
        self.facts += one.facts
        for name, rows in one.failing.items():
            before = self.failing.get(name, Failing(0, ()))
            ids = (*before.ids, *rows.ids)[:SHOWN]
            self.failing[name] = Failing(before.rows + rows.rows, ids)
        self.tallies.append(one.facts.splits)
        self._keys.append(one.keys)
        self._ids.append(one.ids)
        self._split.append(one.split)

    def distinct(self) -> bool:
        """Say, once, whether no two rows have the same key."""
        keys = np.concatenate(self._keys)
        self._keys.clear()
        keys.sort()
        return not bool((keys[1:] == keys[:-1]).any())

    def pairs(self, splits: Sequence[str]) -> Pairs:
        """Give the rows' ids by split away; empty splits are left out."""
        ids, split = np.concatenate(self._ids), np.concatenate(self._split)
        self._ids.clear()
        self._split.clear()
        mine = ((name, ids[split == place]) for place, name in enumerate(splits))
        return {name: sorted_ids(some) for name, some in mine if len(some)}


def splits_of(shard: Shard) -> NDArray[np.int16]:
    """The split of every row that counts, int16."""
    chosen = selection(shard)
    if "split" not in chosen:
        return np.zeros(shard.rows, np.int16)
    kept: NDArray[np.int16] = chosen["split"].astype(np.int16)[chosen["keep"].astype(bool)]
    return kept


def measure_shard(task: MeasureTask) -> Measured:
    """Measure a shard's rows and hold them against the schema and the recipe's row checks."""
    table = load(task.shard, SCHEMA.names)
    split = splits_of(task.shard)
    names = pa.array(task.splits).take(pa.array(split))
    frame = pl.DataFrame(pl.from_arrow(table))
    failing = {
        f"schema: {column}": rows
        for column, rows in schema_failures(frame, tokens=task.tokens).items()
    }
    for number, (name, check) in enumerate(task.checks):
        if isinstance(check, RowCheck):
            failing[f"{number} {name}"] = failing_rows(frame, check)
    ids = ids_of(table)
    columns = [table.column(name).to_pylist() for name in ("source", "origin", "part")]
    rows = zip(*columns, strict=True)
    keys = [xxhash.xxh3_64_intdigest(f"{a}/{b}:{c}".encode()) for a, b, c in rows]
    return Measured(
        measure(table, names),
        failing,
        ids,
        split,
        np.array(keys, np.uint64),
    )


def judge(total: Total, checks: Sequence[tuple[str, Check]]) -> tuple[CheckResult, ...]:
    """Decide every check."""
    failing = total.failing
    broken = sorted(name for name in failing if name.startswith("schema: "))
    results = [_rows_result(name, failing[name], "the row's schema") for name in broken]
    if not broken:
        results = [CheckResult("schema", passed=True, found="no row breaks it", limit="every row")]
    for number, (name, check) in enumerate(checks):
        if isinstance(check, DatasetCheck):
            passed, found, limit = check.judge(total.facts)
            results.append(CheckResult(name, passed, found, limit))
        else:
            rows = failing.get(f"{number} {name}", Failing(0, ()))
            results.append(_rows_result(name, rows, check.limit()))
    return tuple(results)


def _rows_result(name: str, failing: Failing, limit: str) -> CheckResult:
    found = f"{failing.rows:,} rows break it" if failing.rows else "no row breaks it"
    return CheckResult(name, not failing.rows, found, limit, failing.ids)


@dataclass(frozen=True)
class WriteTask:
    """One Parquet file: the rows of one split in a run of shards."""

    path: Path
    shards: tuple[Shard, ...]
    split: int


def write_tasks(
    folder: Path,
    shards: Sequence[Shard],
    tallies: Sequence[Mapping[str, Tally]],
    splits: Sequence[str],
) -> list[WriteTask]:
    """Cut the splits into files of about `FILE_CHARACTERS` of text, in row order."""
    tasks = []
    for split, name in enumerate(splits):
        runs: list[list[Shard]] = [[]]
        size = 0
        for shard, holds in zip(shards, tallies, strict=True):
            tally = holds.get(name)
            if tally is None or not tally.rows:
                continue
            if runs[-1] and size + tally.characters > FILE_CHARACTERS:
                runs.append([])
                size = 0
            runs[-1].append(shard)
            size += tally.characters
        for number, run in enumerate(runs if runs[0] else ()):  # a split may be empty
            path = folder / f"{name}-{number:05d}-of-{len(runs):05d}.parquet"
            tasks.append(WriteTask(path, tuple(run), split))
    return tasks


def write_data(task: WriteTask) -> None:
    """Write one Parquet file; chunks are cut by content, so that equal stretches stay equal."""
    with (
        whole_file(task.path) as out,  # a full disk aborts Arrow's own file writer
        pq.ParquetWriter(
            out,
            SCHEMA,
            compression="zstd",
            use_content_defined_chunking=PAGES,
            use_dictionary=FEW_VALUES,
            write_page_index=True,
        ) as writer,
    ):
        for group in _groups(_split_rows(task), SCHEMA):
            writer.write_table(group, row_group_size=group.num_rows)


def _split_rows(task: WriteTask) -> Iterator[pa.Table]:
    for shard in task.shards:
        rows = np.flatnonzero(splits_of(shard) == task.split)
        table = load(shard, SCHEMA.names).cast(SCHEMA)
        yield table if len(rows) == len(table) else table.take(rows)


def _groups(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Join tables into groups of `GROUP_ROWS` rows, fewer where they hold `GROUP_BYTES`."""
    waiting = schema.empty_table()
    for table in tables:
        for piece in _pieces(table):
            waiting = pa.concat_tables([waiting, piece])
            if waiting.num_rows >= GROUP_ROWS or waiting.nbytes >= GROUP_BYTES:
                yield waiting
                waiting = schema.empty_table()
    if waiting.num_rows:
        yield waiting


def _pieces(table: pa.Table) -> Iterator[pa.Table]:
    """Cut a table, so that few pieces fill a group and none overfills it by much."""
    most = max(1, min(GROUP_ROWS, table.num_rows * GROUP_BYTES // (4 * table.nbytes + 1)))
    yield from (table.slice(start, most) for start in range(0, table.num_rows, most))


@dataclass(frozen=True)
class LedgerFile:
    """A shard's ledger and, for reading, the repeats by which its origins are to be numbered."""

    path: Path
    repeats: Mapping[int, int]


def write_ledger_files(folder: Path, files: Iterable[LedgerFile]) -> dict[int, tuple[Entry, ...]]:
    """Write the version's ledger: the entries of every stage, in step and row order.

    Returns:
        By step, the first `EXAMPLES` drops of each reason.
    """
    examples: dict[tuple[int, str], list[Entry]] = {}
    groups = _groups(_ledgers(files), ledger.SCHEMA)
    group, number = next(groups, None), 0
    while group is not None or not number:
        path = folder / f"ledger-{number:05d}.parquet"
        entries = 0
        with (
            whole_file(path) as out,
            pq.ParquetWriter(out, ledger.SCHEMA, compression="zstd") as writer,
        ):
            while group is not None and entries < LEDGER_ENTRIES:
                note_examples(group, examples)
                writer.write_table(group)
                entries += group.num_rows
                group = next(groups, None)
        number += 1
    steps = sorted({step for step, _ in examples})
    return {
        step: tuple(entry for (mine, _), some in examples.items() if mine == step for entry in some)
        for step in steps
    }


def note_examples(table: pa.Table, examples: dict[tuple[int, str], list[Entry]]) -> None:
    """Add the first `EXAMPLES` drops of each step and reason, in the ledger's order."""
    gone = table.filter(pc.is_in(table["action"], pa.array(["drop", "bad_record"])))
    places = zip(gone["step"].to_pylist(), gone["reason"].to_pylist(), strict=True)
    for place, key in enumerate(places):
        some = examples.setdefault(key, [])
        if len(some) < EXAMPLES:
            some.append(Entry(**gone.slice(place, 1).to_pylist()[0]))


def _ledgers(files: Iterable[LedgerFile]) -> Iterator[pa.Table]:
    for file in files:
        table = read_table(file.path)
        if file.repeats:
            origins = [
                numbered(origin, file.repeats.get(record, 0))
                for origin, record in zip(
                    table.column("origin").to_pylist(),
                    table.column("record").to_pylist(),
                    strict=True,
                )
            ]
            place = ledger.SCHEMA.get_field_index("origin")
            table = table.set_column(
                place, ledger.SCHEMA.field("origin"), pa.array(origins, pa.string())
            )
        if table.num_rows:
            yield table.select(ledger.SCHEMA.names).cast(ledger.SCHEMA)


def refusal(failed: Sequence[CheckResult]) -> str:
    """Say which checks failed, and for which rows."""
    lines = ["no version is written: the rows fail a check"]
    for result in failed:
        lines.append(f"  - {result.name}: found {result.found}; expected {result.limit}")
        if result.rows:
            lines.append(f"    rows: {', '.join(result.rows)}")
    return "\n".join(lines)
