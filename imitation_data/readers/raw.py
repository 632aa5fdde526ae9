"""Raw records of any file with records in it: JSON in its forms, Parquet, Arrow, CSV."""

from collections.abc import Callable, Iterable, Iterator

from imitation_data.readers import csv_rows, parquet
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_records import RawRecord, read_json
from imitation_data.readers.record import BadRecord

SUFFIXES = (".json", ".jsonl", ".ndjson", *parquet.SUFFIXES)


def read_raw(
    files: Iterable[SourceFile], wanted: Callable[[str], bool] | None = None
) -> Iterator[RawRecord | BadRecord]:
    """Yield the records of the files, in order.

    Args:
        files: read as tables when their suffix says so, else as JSON.
        wanted: tells by its path which column of a table to read; see `read_table`.

    Raises:
        SourceError: a file cannot be opened.
    """
    for file in files:
        if file.suffix in parquet.SUFFIXES:
            yield from parquet.read_table(file, wanted)
        elif file.suffix in csv_rows.SUFFIXES:
            yield from csv_rows.read_csv(file)
        else:
            yield from read_json(file)
