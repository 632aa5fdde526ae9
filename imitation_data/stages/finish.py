"""The last stages: rows measured and checked, then written as Parquet with their ledger."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
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
from imitation_data.ledger import Entry
from imitation_data.report.facts import Facts, measure
from imitation_data.report.summary import CheckResult
from imitation_data.stages.shards import Shard, load, numbered, read_table, selection
from imitation_data.stages.stage import write_file

FILE_CHARACTERS = 32 << 20
GROUP_ROWS = 8192
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
        ids: halves of each row's id, uint64 of shape (rows, 2).
        split: index of each row's split, int16.
        keys: XXH3-64 of each row's `source/origin:part`, uint64.
    """

    facts: Facts
    failing: Mapping[str, Failing]
    ids: NDArray[np.uint64]
    split: NDArray[np.int16]
    keys: NDArray[np.uint64]


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
    ids = np.frombuffer(bytes.fromhex("".join(table.column("id").to_pylist())), ">u8")
    columns = [table.column(name).to_pylist() for name in ("source", "origin", "part")]
    rows = zip(*columns, strict=True)
    keys = [xxhash.xxh3_64_intdigest(f"{a}/{b}:{c}".encode()) for a, b, c in rows]
    return Measured(
        measure(table, names),
        failing,
        ids.reshape(-1, 2).astype(np.uint64),
        split,
        np.array(keys, np.uint64),
    )


def judge(
    measured: Sequence[Measured], checks: Sequence[tuple[str, Check]]
) -> tuple[Facts, tuple[CheckResult, ...]]:
    """Join the shards' facts and decide every check."""
    facts = reduce(add, (one.facts for one in measured), Facts())
    joined: dict[str, Failing] = {}
    for one in measured:
        for name, rows in one.failing.items():
            before = joined.get(name, Failing(0, ()))
            joined[name] = Failing(before.rows + rows.rows, (*before.ids, *rows.ids)[:SHOWN])
    broken = sorted(name for name in joined if name.startswith("schema: "))
    results = [_rows_result(name, joined[name], "the row's schema") for name in broken]
    if not broken:
        results = [CheckResult("schema", passed=True, found="no row breaks it", limit="every row")]
    for number, (name, check) in enumerate(checks):
        if isinstance(check, DatasetCheck):
            passed, found, limit = check.judge(facts)
            results.append(CheckResult(name, passed, found, limit))
        else:
            rows = joined.get(f"{number} {name}", Failing(0, ()))
            results.append(_rows_result(name, rows, check.limit()))
    return facts, tuple(results)


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
    folder: Path, shards: Sequence[Shard], measured: Sequence[Measured], splits: Sequence[str]
) -> list[WriteTask]:
    """Cut the splits into files of about `FILE_CHARACTERS` of text, in row order."""
    tasks = []
    for split, name in enumerate(splits):
        runs: list[list[Shard]] = [[]]
        size = 0
        for shard, one in zip(shards, measured, strict=True):
            tally = one.facts.splits.get(name)
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
    sink = pa.BufferOutputStream()  # a full disk aborts Arrow's own file writer
    with pq.ParquetWriter(
        sink,
        SCHEMA,
        compression="zstd",
        use_content_defined_chunking=True,
        write_page_index=True,
    ) as writer:
        for group in _groups(_split_rows(task), SCHEMA):
            writer.write_table(group, row_group_size=GROUP_ROWS)
    write_file(task.path, sink.getvalue())


def _split_rows(task: WriteTask) -> Iterator[pa.Table]:
    for shard in task.shards:
        table = load(shard, SCHEMA.names).cast(SCHEMA)
        yield table.filter(pa.array(splits_of(shard) == task.split))


def _groups(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    """Join tables into groups of `GROUP_ROWS` rows, the last one smaller."""
    waiting = schema.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table])
        while waiting.num_rows >= GROUP_ROWS:
            yield waiting.slice(0, GROUP_ROWS)
            waiting = waiting.slice(GROUP_ROWS)
    if waiting.num_rows:
        yield waiting


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
    tables = _ledgers(files)
    number, more = 0, True
    while more:
        sink = pa.BufferOutputStream()
        entries = 0
        more = False
        with pq.ParquetWriter(sink, ledger.SCHEMA, compression="zstd") as writer:
            for group in _groups(tables, ledger.SCHEMA):
                _note_examples(group, examples)
                writer.write_table(group)
                entries += group.num_rows
                if more := entries >= LEDGER_ENTRIES:
                    break
        if entries or not number:
            write_file(folder / f"ledger-{number:05d}.parquet", sink.getvalue())
        number += 1
    steps = sorted({step for step, _ in examples})
    return {
        step: tuple(entry for (mine, _), some in examples.items() if mine == step for entry in some)
        for step in steps
    }


def _note_examples(table: pa.Table, examples: dict[tuple[int, str], list[Entry]]) -> None:
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
