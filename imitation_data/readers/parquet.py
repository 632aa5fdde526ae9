"""Rows of Parquet and Arrow files, as plain values, a batch at a time."""

import zlib
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from imitation_data.errors import SourceError
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_records import RawRecord
from imitation_data.readers.record import BadRecord

BATCH = 512  # rows
SUFFIXES = (".parquet", ".arrow")

_DAMAGE = (pa.ArrowException, OSError, ValueError, zlib.error, NotImplementedError)


def read_table(
    file: SourceFile, wanted: Callable[[str], bool] | None = None
) -> Iterator[RawRecord | BadRecord]:
    """Yield the rows of a Parquet file, or of the Arrow files that `datasets` saves.

    A row's digest is that of the columns that were read.

    Args:
        file: the file; archives must be unpacked first, since columns are read out of order.
        wanted: tells by its path (`conversation.list.element.content`) whether to read a column;
            None for all. Arrow files hold rows whole and are read whole.

    Raises:
        SourceError: the file cannot be opened.
    """
    if file.packed:
        raise SourceError(f"{file.name}: {file.suffix} inside an archive is not read; unpack it")
    if not file.path.is_file():
        raise SourceError(f"{file.name}: cannot be opened (no such file)")
    number = 0
    batches = _arrow(file) if file.suffix == ".arrow" else _parquet(file, wanted)
    for batch in batches:
        if isinstance(batch, BadRecord):
            yield batch
            continue
        for row in _rows(batch, file, number):
            number += 1
            yield row


def _parquet(
    file: SourceFile, wanted: Callable[[str], bool] | None
) -> Iterator[pa.RecordBatch | BadRecord]:
    """Yield the batches of each row group; a damaged row group costs what is left of it."""
    try:
        table = pq.ParquetFile(file.path)
        paths = [table.schema.column(index).path for index in range(len(table.schema))]
        groups = table.num_row_groups
    except _DAMAGE as error:
        yield _damaged(file, file.name, error)
        return
    columns = [path for path in paths if wanted is None or wanted(path)]
    with table:
        for group in range(groups):
            try:
                yield from table.iter_batches(
                    BATCH, row_groups=[group], columns=columns, use_threads=False
                )
            except _DAMAGE as error:
                rows = table.metadata.row_group(group).num_rows
                where = f"{file.name}, row group {group + 1:,} ({rows:,} rows), from some row on"
                yield _damaged(file, where, error)


def _arrow(file: SourceFile) -> Iterator[pa.RecordBatch | BadRecord]:
    number = 0
    try:
        with pa.OSFile(str(file.path)) as stream:
            magic = stream.read(6)
            stream.seek(0)
            if magic == b"ARROW1":
                whole = pa.ipc.open_file(stream)
                for number in range(whole.num_record_batches):
                    yield from _pieces(whole.get_batch(number))
            else:
                for batch in pa.ipc.open_stream(stream):
                    yield from _pieces(batch)
                    number += 1
    except _DAMAGE as error:
        yield _damaged(file, f"{file.name}, after record batch {number:,}", error)


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for start in range(0, batch.num_rows, BATCH):
        yield batch.slice(start, BATCH)


def _damaged(file: SourceFile, where: str, error: Exception) -> BadRecord:
    words = (str(error).splitlines() or [type(error).__name__])[0][:120]
    kind = "Arrow" if file.suffix == ".arrow" else "Parquet"
    found = f"damaged data ({words})"
    return BadRecord(where, found, f"a whole {kind} file; fetch it again", where)


def _rows(batch: pa.RecordBatch, file: SourceFile, number: int) -> Iterator[RawRecord | BadRecord]:
    try:
        values = batch.to_pylist()
    except (ValueError, pa.ArrowException, OverflowError):
        # One value cannot be told in Python (text that is not UTF-8, a date before year 1).
        if batch.num_rows == 1:
            where = f"{file.name}, row {number + 1:,}"
            found = "a value that cannot be read, such as text that is not UTF-8"
            yield BadRecord(where, found, "UTF-8 text", where)
            return
        for index in range(batch.num_rows):
            yield from _rows(batch.slice(index, 1), file, number + index)
        return
    for value in values:
        number += 1
        yield RawRecord(value, file.name, number, "row")
