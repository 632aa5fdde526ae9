"""Rows of CSV and TSV files whose first row names the columns."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_records import RawRecord, until_damage
from imitation_data.readers.quoting import shown
from imitation_data.readers.record import BadRecord

SUFFIXES = (".csv", ".tsv")
MAX_FIELD = 16 << 20  # characters; a quote that is never closed costs as much


def read_csv(file: SourceFile) -> Iterator[RawRecord | BadRecord]:
    """Yield the rows of a file, as objects of texts.

    Quoting is RFC 4180's. A row with more or fewer fields than the first is a `BadRecord`, and so
    is an empty file.

    Raises:
        SourceError: the file cannot be opened.
    """
    with file.open() as stream:
        delimiter = "\t" if file.suffix == ".tsv" else ","
        yield from until_damage(_rows(stream, file.name, delimiter), file.name)


def _rows(stream: BinaryIO, name: str, delimiter: str) -> Iterator[RawRecord | BadRecord]:
    csv.field_size_limit(MAX_FIELD)
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline="")
    rows = csv.reader(text, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    number = 0
    while True:
        where = f"{name}, row {number + 1:,}" if header else f"{name}, first row"
        try:
            row = next(rows)
        except StopIteration:
            break
        except csv.Error as error:
            number += 1
            where = f"{where} (line {rows.line_num:,})"
            yield BadRecord(where, f"broken CSV ({error})", "quotes as in RFC 4180", where)
            continue
        if not row:
            continue
        if header is None:
            header = row
            if problem := _unusable(header):
                yield BadRecord(where, problem, "the columns' names, each once, in UTF-8", where)
                return
            continue
        number += 1
        if len(row) != len(header):
            found = f"{len(row):,} fields"
            yield BadRecord(where, found, f"{len(header):,} fields, as in the first row", where)
        elif not _is_utf8(row):
            yield BadRecord(where, "bytes that are not UTF-8", "UTF-8 text", where)
        else:
            yield RawRecord(dict(zip(header, row, strict=True)), name, number, "row")
    if header is None and not number:
        yield BadRecord(name, "an empty file", "at least one record; was it fetched whole?", name)


def _unusable(header: list[str]) -> str:
    """Say what is wrong with the first row, or nothing."""
    if not _is_utf8(header):
        return "bytes that are not UTF-8"
    twice = [column for column, count in Counter(header).items() if count > 1]
    return f"the column {shown(twice[0])} twice" if twice else ""


def _is_utf8(row: list[str]) -> bool:
    try:
        "\n".join(row).encode()
    except UnicodeEncodeError:
        return False
    return True
