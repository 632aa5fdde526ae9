"""The contract of a reader, over every reader of the table."""

import gzip
import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from imitation_data.conversation import ROLES, to_batch
from imitation_data.errors import SourceError
from imitation_data.readers import READERS, BadRecord, Record, read
from tests.contract.mutations import damaged_gzip, mutate
from tests.contract.reader_samples import SAMPLES, SECRET, Sample

MUTATIONS = [40, pytest.param(200, marks=pytest.mark.full)]
every_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)


def read_content(folder: Path, sample: Sample, content: bytes, suffix="") -> list:
    path = folder / (sample.name + suffix)
    path.write_bytes(content)
    try:
        return list(read(path, sample.reader))
    except SourceError as error:
        # One that stops the source stands for all its records.
        return [BadRecord(path.name, str(error), "a readable source", path.name)]


def check_record(record: Record) -> None:
    """Hold one record to what the rest of a build relies on."""
    assert record.rows or record.drops
    assert isinstance(record.origin, str)
    assert record.origin
    parts = [row.part for row in record.rows]
    assert parts == sorted(set(parts))
    for row in record.rows:
        assert row.origin in {"", record.origin}
        assert row.messages
        assert all(role in ROLES for role, _ in row.messages)
        assert all(isinstance(text, str) for _, text in row.messages)
        assert isinstance(json.loads(row.meta), dict)
        assert len(row.id) == 32  # texts with lone surrogates have no id
    to_batch(record.rows)
    for edit in record.edits:
        assert edit.kind.isidentifier()
        assert edit.count > 0
    assert all(drop.reason.isidentifier() for drop in record.drops)
    assert all(SECRET not in str(drop) for drop in record.drops)


def check_bad(bad: BadRecord, sample: Sample) -> None:
    """Hold one bad record to what its user needs: place, finding, advice, and no private text."""
    assert sample.name in bad.where
    assert 0 < len(bad.found) <= 300
    assert bad.expected
    assert bad.origin
    assert SECRET not in str(bad)
    assert "Traceback" not in bad.found
    str(bad).encode()


def test_every_reader_has_a_sample():
    """A reader without a sample would be outside the contract."""
    assert {type(sample.reader) for sample in SAMPLES.values()} == set(READERS.values())


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_class_attributes(reader):
    """The runner asks every reader the same questions."""
    assert isinstance(reader.REVISION, int)
    assert isinstance(reader.LIBRARIES, tuple)
    assert reader.SUFFIXES
    assert all(suffix.startswith(".") for suffix in reader.SUFFIXES)
    assert reader.TOGETHER in {True, False}


@every_sample
def test_valid_source_is_read_whole(tmp_path, sample):
    """Every raw record becomes a record with at least one row, and nothing is bad."""
    found = read_content(tmp_path, sample, sample.content)
    assert len(found) >= len(sample.records)
    for record in found:
        assert isinstance(record, Record)
        check_record(record)
    assert sum(len(record.rows) for record in found) >= len(sample.records)
    assert found == read_content(tmp_path, sample, sample.content)


@every_sample
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_byte_order_mark_and_line_ends_change_no_row(tmp_path, sample, ending):
    """Files that went through Windows hold the same conversations."""
    if sample.name.endswith((".parquet", ".zip")):
        pytest.skip("not a text file")
    plain = read_content(tmp_path, sample, sample.content)
    content = b"\xef\xbb\xbf" + sample.content.replace(b"\n", ending.encode())
    marked = read_content(tmp_path, sample, content)
    assert [row.messages for record in marked for row in record.rows] == [
        row.messages for record in plain for row in record.rows
    ]


@every_sample
def test_origins_do_not_depend_on_other_records(tmp_path, sample):
    """A record that is inserted or removed before others shifts no origin."""
    origins = [record.origin for record in read_content(tmp_path, sample, sample.content)]
    for first in range(1, len(sample.records)):
        fewer = sample.write(list(sample.records[first:]))
        left = [record.origin for record in read_content(tmp_path, sample, fewer)]
        assert left
        assert origins[-len(left) :] == left
    assert len(set(origins)) == len(origins)


@every_sample
def test_packed_source_gives_the_same_records(tmp_path, sample):
    """Compression shows only in the file's name."""
    if sample.name.endswith((".parquet", ".zip")):
        pytest.skip("read out of order, so never packed again")
    plain = read_content(tmp_path, sample, sample.content)
    packed = read_content(tmp_path, sample, gzip.compress(sample.content), ".gz")
    assert [record.origin for record in packed] == [record.origin for record in plain]


@every_sample
@pytest.mark.parametrize("count", MUTATIONS)
def test_malformed_source_gives_located_findings(tmp_path, sample, count):
    """Whatever is done to a source: records, bad records or a `SourceError`, no loss.

    Every record that the file still shows is accounted for; where the file itself is broken, a row
    that was there before has left a bad record, a drop or another row.
    """
    before = rows_of(read_content(tmp_path, sample, sample.content))
    damaged = 0
    for number in range(count):
        rng = Random(f"{sample.name}/{type(sample.reader).__name__}/{number}")
        content, suffix = mutate(list(sample.records), sample.write, rng), ""
        if number % 8 == 0 and not sample.name.endswith((".parquet", ".zip")):
            content, suffix = damaged_gzip(sample.content, rng), ".gz"
        found = read_content(tmp_path, sample, content, suffix)
        for record in found:
            if isinstance(record, BadRecord):
                check_bad(record, sample)
            else:
                check_record(record)
        after = rows_of(found)
        lost, others = before - after, after - before
        told = any(isinstance(record, BadRecord) or record.drops for record in found)
        shown = None if suffix else sample.shows(sample.name, content)
        if shown is None:
            assert told or others or not lost, f"mutation {number}: rows lost in silence"
        else:
            assert len(found) >= shown, f"mutation {number}: fewer records than the file shows"
        damaged += bool(lost or told)
    assert damaged > count / 4, "the mutations do not damage anything"


def rows_of(found: list) -> Counter:
    return Counter(row.id for record in found if isinstance(record, Record) for row in record.rows)
