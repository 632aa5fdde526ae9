import random
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from imitation_data.errors import SourceError
from imitation_data.readers import csv_rows
from imitation_data.readers.csv_rows import read_csv
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_records import RawRecord
from imitation_data.readers.parquet import read_table
from imitation_data.readers.record import BadRecord

ROWS = [{"q": f"question {number}", "n": number, "t": ["a", None]} for number in range(2_000)]


def parquet(path: Path, rows=ROWS, **options) -> SourceFile:
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return SourceFile(path, path.name)


def csv(folder: Path, content: str | bytes, name="a.csv") -> list[RawRecord | BadRecord]:
    raw = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(raw)
    return list(read_csv(SourceFile(folder / name, name)))


def test_rows_come_in_order_with_their_numbers(tmp_path):
    """Row groups and batches do not show; numbers count over the whole file."""
    found = list(read_table(parquet(tmp_path / "a.parquet", row_group_size=700)))
    assert [record.value for record in found] == ROWS
    assert found[1_999].where == "a.parquet, row 2,000"
    assert list(read_table(parquet(tmp_path / "b.parquet", rows=ROWS[:0]))) == []


def test_only_wanted_columns_are_read(tmp_path):
    """Columns nobody asked for cost nothing, down to the fields of nested values."""
    rows = [{"id": 1, "turns": [{"role": "user", "ip": "secret"}], "ip": "secret"}]
    file = parquet(tmp_path / "a.parquet", rows)
    (record,) = read_table(file, lambda path: path == "id" or path.endswith(".role"))
    assert record.value == {"id": 1, "turns": [{"role": "user"}]}


def test_digest_is_of_the_row(tmp_path):
    """Equal rows have equal digests wherever they stand, also with values JSON does not know."""
    rows = [{"a": b"\x00\xff", "b": Decimal("1.50")}, {"a": b"", "b": None}]
    one = list(read_table(parquet(tmp_path / "a.parquet", rows)))
    two = list(read_table(parquet(tmp_path / "b.parquet", rows[::-1])))
    assert [record.digest for record in one] == [record.digest for record in two[::-1]]
    assert one[0].digest != one[1].digest


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "footer"])
def test_file_that_is_no_parquet_is_one_bad_record(tmp_path, damage):
    """A file whose directory of columns is gone holds nothing that can be read."""
    file = parquet(tmp_path / "a.parquet")
    raw = file.path.read_bytes()
    changed = {
        "cut": raw[: len(raw) // 2],
        "text": b'{"q": 1}\n',
        "empty": b"",
        "footer": raw[:-40] + b"\xff" * 32 + raw[-8:],
    }
    file.path.write_bytes(changed[damage])
    (bad,) = read_table(file)
    assert (bad.where, bad.expected) == ("a.parquet", "a whole Parquet file; fetch it again")
    assert bad.found.startswith("damaged data (")


def test_damaged_row_group_costs_only_itself(tmp_path):
    """The row groups after a damaged one are read; the report says how many rows are missing."""
    noise = random.Random(1)
    rows = [{"q": noise.randbytes(40).hex()} for _ in range(2_000)]
    file = parquet(
        tmp_path / "a.parquet", rows, row_group_size=500, compression="zstd", use_dictionary=False
    )
    start = pq.ParquetFile(file.path).metadata.row_group(1).column(0).data_page_offset
    raw = bytearray(file.path.read_bytes())
    raw[start : start + 4_000] = bytes(4_000)
    file.path.write_bytes(raw)
    found = list(read_table(file))
    good = [record.value for record in found if isinstance(record, RawRecord)]
    (bad,) = (record for record in found if isinstance(record, BadRecord))
    assert bad.where == "a.parquet, rows 501 to 1,000"
    assert found[-1].where == "a.parquet, row 2,000"
    assert good == rows[:500] + rows[1_000:]


def test_text_that_is_not_utf8_costs_its_row(tmp_path):
    """Some writers put any bytes into text columns."""
    values = pa.array([b"a", b"caf\xe9", b"c"] * 400, pa.binary()).view(pa.string())
    pq.write_table(pa.table({"q": values}), tmp_path / "a.parquet")
    found = list(read_table(SourceFile(tmp_path / "a.parquet", "a.parquet")))
    assert len(found) == 1_200
    bad = [index for index, record in enumerate(found) if isinstance(record, BadRecord)]
    assert bad == list(range(1, 1_200, 3))
    assert found[1_198].where == "a.parquet, row 1,199"
    assert found[1_199].value == {"q": "c"}


@pytest.mark.parametrize("form", ["stream", "file"])
def test_arrow_files_of_saved_datasets(tmp_path, form):
    """`datasets` saves Arrow streams; damage is reported after the last whole batch."""
    path = tmp_path / "data-00000-of-00001.arrow"
    table = pa.Table.from_pylist(ROWS)
    opened = pa.ipc.new_stream if form == "stream" else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as stream, opened(stream, table.schema) as writer:
        writer.write_table(table, max_chunksize=600)
    file = SourceFile(path, path.name)
    assert [record.value for record in read_table(file)] == ROWS
    if form == "stream":
        raw = path.read_bytes()
        path.write_bytes(raw[: len(raw) // 2])
        *good, bad = read_table(file)
        assert [record.value for record in good] == ROWS[:600]
        assert bad.where.endswith("after row 600")


def test_tables_in_archives_say_what_to_do(tmp_path):
    """Columns are read out of order, which an archive cannot do."""
    (tmp_path / "a.parquet.gz").write_bytes(b"")
    with pytest.raises(SourceError, match="unpack it"):
        list(read_table(SourceFile(tmp_path / "a.parquet.gz", "a.parquet.gz")))
    with pytest.raises(SourceError, match="no such file"):
        list(read_table(SourceFile(tmp_path / "b.parquet", "b.parquet")))


def test_csv_and_tsv(tmp_path):
    """Quotes, line breaks in fields, blank lines, a byte-order mark."""
    rows = [{"q": "a, b", "a": 'say "x"\r\ny'}, {"q": "", "a": "é"}]
    content = '\ufeffq,a\r\n"a, b","say ""x""\r\ny"\r\n\r\n"",é\r\n'
    found = csv(tmp_path, content)
    assert [record.value for record in found] == rows
    assert [record.where for record in found] == ["a.csv, row 1", "a.csv, row 2"]
    assert [record.value for record in csv(tmp_path, "q\ta\n1\t2", "a.tsv")] == [
        {"q": "1", "a": "2"}
    ]


@pytest.mark.parametrize(
    ("content", "where", "found"),
    [
        ("", "a.csv", "an empty file"),
        ("\n\n", "a.csv", "an empty file"),
        ("q,q\n1,2", "a.csv, first row", "the column 'q' twice"),
        ("q,a\n1\n", "a.csv, row 1", "1 fields"),
        ("q,a\n1,2,3\n", "a.csv, row 1", "3 fields"),
        (b"q,a\ncaf\xe9,2\n", "a.csv, row 1", "bytes that are not UTF-8"),
        (b"caf\xe9,a\n1,2\n", "a.csv, first row", "bytes that are not UTF-8"),
        ('q,a\n"1"x,2\n', "a.csv, row 1 (line 2)", "broken CSV"),
        ('q,a\n"1,2\n', "a.csv, row 1 (line 2)", "broken CSV"),
    ],
)
def test_broken_csv_is_located(tmp_path, content, where, found):
    """A row that does not fit the first one is reported with its number."""
    (bad,) = csv(tmp_path, content)
    assert isinstance(bad, BadRecord)
    assert bad.where == where
    assert bad.found.startswith(found)


def test_rows_after_a_broken_one_are_read(tmp_path, monkeypatch):
    """A quote that is never closed costs at most the limit of a field."""
    monkeypatch.setattr(csv_rows, "MAX_FIELD", 100)
    found = csv(tmp_path, 'q,a\n"1"x,2\n3,4\n"5,6\n' + "7,8\n" * 100)
    values = [record.value for record in found if isinstance(record, RawRecord)]
    assert values[0] == {"q": "3", "a": "4"}
    assert values[-1] == {"q": "7", "a": "8"}
    assert sum(isinstance(record, BadRecord) for record in found) >= 2


def test_rows_a_file_promises_but_does_not_hold_are_reported(tmp_path):
    """Arrow gives no rows and no error for some damage; the file's own count tells."""
    file = parquet(tmp_path / "a.parquet", [{"n": n} for n in range(3)], use_dictionary=False)
    raw = file.path.read_bytes()
    count = raw.index(b"\x16\x06", raw.index(b"schema"))  # thrift: an i64 of 3 in a column's meta
    damaged = [
        raw[:at] + b"\x16\x08" + raw[at + 2 :]
        for at in range(count, len(raw))
        if raw[at : at + 2] == b"\x16\x06"
    ]
    assert damaged
    for content in damaged:
        file.path.write_bytes(content)
        found = list(read_table(file))
        promised = pq.ParquetFile(file.path).metadata.row_group(0).num_rows
        assert len(found) >= promised or any(isinstance(record, BadRecord) for record in found)


@pytest.mark.parametrize("depth", [60, 150])
def test_absurd_nesting_is_reported(tmp_path, depth):
    """Columns nested beyond reason are one bad record, whatever Arrow makes of them."""
    value: object = "x"
    for _ in range(depth):
        value = [value]
    pq.write_table(pa.table({"q": [value]}), tmp_path / "a.parquet")
    (bad,) = read_table(SourceFile(tmp_path / "a.parquet", "a.parquet"))
    assert isinstance(bad, BadRecord)
    assert bad.where == "a.parquet"
