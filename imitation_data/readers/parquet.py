"""Rows of Parquet and Arrow files, as plain values, a batch at a time."""

import zlib
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from imitation_data.errors import SourceError
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_records import MAX_DEPTH, RawRecord
from imitation_data.readers.record import BadRecord

BATCH = 512  # rows
SUFFIXES = (".parquet", ".arrow")

_SHALLOW = f"paths of at most {MAX_DEPTH} parts"
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
    for found in _arrow(file) if file.suffix == ".arrow" else _parquet(file, wanted):
        if isinstance(found, BadRecord):
            yield found
        else:
            yield from _rows(file, *found)


def _parquet(
    file: SourceFile, wanted: Callable[[str], bool] | None
) -> Iterator[tuple[int, pa.RecordBatch] | BadRecord]:
    """Yield batches and the number of rows before them; damage costs the rest of its row group."""
    try:
        table = pq.ParquetFile(file.path)
        paths = [table.schema.column(index).path for index in range(len(table.schema))]
        groups = table.num_row_groups
    except _DAMAGE as error:
        yield _damaged(file, file.name, error)
        return
    # Rows without any of the columns are still rows: read whole, they can be reported for what
    # they are.
    columns = [path for path in paths if wanted is None or wanted(path)] or paths
    if any(path.count(".") > MAX_DEPTH for path in columns):
        yield BadRecord(file.name, "columns nested too deep", _SHALLOW, file.name)
        return
    start = 0
    with table:
        for group in range(groups):
            number, rows = start, table.metadata.row_group(group).num_rows
            start += rows
            try:
                for batch in table.iter_batches(
                    BATCH, row_groups=[group], columns=columns, use_threads=False
                ):
                    yield number, batch
                    number += batch.num_rows
                if number < start:  # some damage shows in nothing else
                    raise pa.ArrowInvalid(f"{start - number:,} rows are missing")
            except _DAMAGE as error:
                yield _damaged(file, f"{file.name}, rows {number + 1:,} to {start:,}", error)


def _arrow(file: SourceFile) -> Iterator[tuple[int, pa.RecordBatch] | BadRecord]:
    number = 0
    try:
        with pa.OSFile(str(file.path)) as stream:
            for batch in open_arrow(stream)[1]:
                for start in range(0, batch.num_rows, BATCH):
                    yield number + start, batch.slice(start, BATCH)
                number += batch.num_rows
    except _DAMAGE as error:
        yield _damaged(file, f"{file.name}, after row {number:,}", error)


def open_arrow(stream: pa.NativeFile) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The schema and batches of an Arrow file, or of a stream as `datasets` saves it."""
    magic = stream.read(6)
    stream.seek(0)
    if magic != b"ARROW1":
        batches = pa.ipc.open_stream(stream)
        return batches.schema, iter(batches)
    whole = pa.ipc.open_file(stream)
    return whole.schema, map(whole.get_batch, range(whole.num_record_batches))


def _damaged(file: SourceFile, where: str, error: Exception) -> BadRecord:
    words = (str(error).splitlines() or [type(error).__name__])[0][:120]
    kind = "Arrow" if file.suffix == ".arrow" else "Parquet"
    found = f"damaged data ({words})"
    return BadRecord(where, found, f"a whole {kind} file; fetch it again", where)


def _rows(file: SourceFile, number: int, batch: pa.RecordBatch) -> Iterator[RawRecord | BadRecord]:
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
            yield from _rows(file, number + index, batch.slice(index, 1))
        return
    for value in values:
        number += 1
        yield RawRecord(value, file.name, number, "row")
