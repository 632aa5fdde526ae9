"""The files that rows were read from, written again without those that go."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from imitation_data.conversation import SCHEMA, Conversation, to_batch
from imitation_data.errors import StoreError
from imitation_data.file_rows import BATCH, FileRows, by_record
from imitation_data.readers import BadRecord, Reader, SourceFile
from imitation_data.readers.files import labels
from imitation_data.readers.parquet import open_arrow
from imitation_data.readers.raw import read_raw

LONGEST_NAME = 120  # characters; file systems take 255 bytes


def write_kept(rows: FileRows, stays: NDArray[np.bool_], folder: Path) -> list[Path]:
    """Write each file again without the rows that go.

    Tables are written as Parquet with all their columns, JSON and CSV as JSON Lines, records as
    they were. Where a record is not one row (trees, Discord, exports, questions with several
    answers), the rows that stay are written as conversations. Of JSON and CSV nothing is written
    where nothing stays.

    Returns:
        The files written.

    Raises:
        StoreError: a table has a column that Parquet cannot hold.
    """
    written = []
    file_of = np.array([at.file for at in rows.at], np.int64)
    record_of = np.array([at.record for at in rows.at], np.int64)
    names = labels([file for file, _ in rows.files])
    for number, (file, reader) in enumerate(rows.files):
        mine = np.flatnonzero(file_of == number)
        keep = record_of[mine[stays[mine]]]
        target = folder / f"{number:03d}-{_stem(names[number], file.suffix)}"
        apart = reader is not None and (number in rows.partly or not by_record(reader))
        if reader is not None and apart and not rows.wanted.column:
            written.append(_write_rows(reader, file, stays[mine], target))
        elif file.suffix in {".parquet", ".arrow"} and not file.packed:
            written.append(_write_table(file, keep, target))
        elif len(keep):  # a file without a record could not be read again
            written.append(_write_json(file, keep, target))
    return written


def _stem(name: str, suffix: str) -> str:
    """A file name for a label: folders become dashes, the suffix goes, the end stays."""
    head, middle, tail = name.rpartition(suffix) if suffix else (name, "", "")
    stem = f"{head}{tail}" if middle else name
    return stem.replace("/", "-").replace("!", "-").lstrip("-")[-LONGEST_NAME:] or "rows"


def _write_json(file: SourceFile, keep: NDArray[np.int64], target: Path) -> Path:
    path = target.with_name(f"{target.name}.jsonl")
    wanted = set(keep.tolist())
    with path.open("wb") as out:
        for place, record in enumerate(read_raw([file])):
            if place in wanted and not isinstance(record, BadRecord):
                # Line feeds stand between tokens only: strings of JSON cannot hold them.
                raw = record.raw and record.raw.replace(b"\r", b" ").replace(b"\n", b" ")
                out.write((raw or orjson.dumps(record.value)).strip() + b"\n")
    return path


def _write_table(file: SourceFile, keep: NDArray[np.int64], target: Path) -> Path:
    path = target.with_name(f"{target.name}.parquet")
    before = 0
    with _opened(file) as (schema, batches), _writer(path, schema, file.name) as writer:
        for batch in batches:
            low, high = np.searchsorted(keep, (before, before + len(batch)))
            writer.write_batch(_cut(batch, keep[low:high] - before))
            before += len(batch)
    return path


@contextmanager
def _writer(path: Path, schema: pa.Schema, name: str) -> Iterator[pq.ParquetWriter]:
    """Write a table as Parquet.

    Raises:
        StoreError: Parquet cannot hold one of its columns.
    """
    try:
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            yield writer
    except pa.ArrowNotImplementedError as error:
        raise StoreError(
            f"{name}: cannot be written as Parquet ({error}); leave that column out first"
        ) from error


def _cut(batch: pa.RecordBatch, keep: NDArray[np.int64]) -> pa.RecordBatch:
    """Some rows of a batch, of any type: not all of them can be taken one by one."""
    cuts = np.flatnonzero(np.diff(keep) != 1) + 1
    edges = pairwise([0, *cuts.tolist(), len(keep)])
    runs = [batch.slice(int(keep[one]), two - one) for one, two in edges if two > one]
    return pa.concat_batches(runs) if runs else batch.slice(0, 0)


@contextmanager
def _opened(file: SourceFile) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """The schema and batches of a table."""
    if file.suffix == ".parquet":
        with pq.ParquetFile(file.path) as table:
            groups = range(table.num_row_groups)  # dictionaries may differ between them
            yield (
                table.schema_arrow,
                (one for group in groups for one in table.iter_batches(BATCH, row_groups=[group])),
            )
        return
    with pa.OSFile(str(file.path)) as stream:
        yield open_arrow(stream)


def _write_rows(reader: Reader, file: SourceFile, stays: NDArray[np.bool_], target: Path) -> Path:
    """Write the rows that stay, of all that a reader makes of a file, as conversations."""
    path = target.with_name(f"{target.name}.parquet")
    waiting: list[Conversation] = []
    place = 0
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for record in reader.read([file]):
            if isinstance(record, BadRecord):
                continue  # it would have stopped the reading before
            for row in record.rows:
                if stays[place]:
                    waiting.append(row._replace(origin=record.origin))
                place += 1
            if len(waiting) >= BATCH:
                writer.write_batch(to_batch(waiting))
                waiting = []
        if waiting:
            writer.write_batch(to_batch(waiting))
    return path
