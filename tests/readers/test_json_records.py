import gzip
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imitation_data.errors import SourceError
from imitation_data.ledger import Edit
from imitation_data.readers import json_records
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_records import RawRecord, read_json
from imitation_data.readers.record import BadRecord

GOOD = {"id": "a", "turns": [{"from": "human", "value": "hi, [there] {you}"}]}


def read(folder: Path, content: str | bytes, name: str = "a.json") -> list[RawRecord | BadRecord]:
    raw = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(raw)
    return list(read_json(SourceFile(folder / name, name)))


def values(records: list[RawRecord | BadRecord]) -> list[object]:
    """Return the values of good records and, for bad ones, the word `BAD`."""
    return [record.value if isinstance(record, RawRecord) else "BAD" for record in records]


# ---------------------------------------------------------------- forms


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '[{"n": 1}, {"n": 2}]'),
        ("a.json", '[\n  {\n    "n": 1\n  },\n  {\n    "n": 2\n  }\n]\n'),
        ("a.json", '{"n": 1}\n{"n": 2}\n'),
        ("a.json", '{"n": 1} {"n": 2}'),
        ("a.json", '{"n": 1}{"n": 2}'),
        ("a.txt", '{"n": 1}\n{"n": 2}'),
        ("a.jsonl", '{"n": 1}\n{"n": 2}'),
        ("a.jsonl", '\n{"n": 1}\n\n  {"n": 2}  \n\n'),
        ("a.ndjson", '{"n": 1}\r\n{"n": 2}\r\n'),
        ("a.json", '[{"n": 1},\r\n{"n": 2}]\r\n'),
        ("a.json", '[{"n": 1} {"n": 2},]'),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
def test_every_form_gives_the_same_values(tmp_path, name, content, mark):
    """An array, lines and values one after the other hold the same records."""
    assert values(read(tmp_path, mark + content.encode(), name)) == [{"n": 1}, {"n": 2}]


def test_one_object_is_one_record(tmp_path):
    """A file may hold a single conversation."""
    (record,) = read(tmp_path, json.dumps(GOOD, indent=2))
    assert isinstance(record, RawRecord)
    assert record.value == GOOD
    assert record.where == "a.json, record 1"


def test_records_know_where_they_stood(tmp_path):
    """Lines count from 1 with blank ones; elements count from 1."""
    lines = read(tmp_path, '\n{"n": 1}\n\n{"n": 2}', "a.jsonl")
    assert [record.where for record in lines] == ["a.jsonl, line 2", "a.jsonl, line 4"]
    elements = read(tmp_path, "[{}, {}]")
    assert [record.where for record in elements] == ["a.json, record 1", "a.json, record 2"]


def test_digest_is_of_the_record_and_not_of_its_place(tmp_path):
    """A record keeps its digest when others are put before it, in every form."""
    alone = read(tmp_path, '[{"n": 1}]')[0]
    after = read(tmp_path, '[{"n": 0}, {"n": 1}]')[1]
    line = read(tmp_path, '\n{"n": 1}  \n', "a.jsonl")[0]
    other = read(tmp_path, '[{"n": 2}]')[0]
    assert alone.digest == after.digest == line.digest != other.digest


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("content", [b"", b" \n\n ", b"\xef\xbb\xbf"], ids=["none", "blank", "BOM"])
def test_empty_file_is_reported_and_empty_array_is_not(tmp_path, name, content):
    """A file of nothing was probably not fetched; `[]` says that there is nothing."""
    (record,) = read(tmp_path, content, name)
    assert (record.where, record.found) == (name, "an empty file")
    assert read(tmp_path, "[]") == []


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)


@given(st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_values_are_read_back_whatever_the_block_size(tmp_path, monkeypatch, data):
    """What was written is read, wherever the ends of the blocks fall."""
    form = data.draw(st.sampled_from(["array", "indented", "lines", "lines as json", "glued"]))
    indent = 1 if form == "indented" else None
    escaped = data.draw(st.booleans())
    inner = json_values
    if form in {"lines as json", "glued"}:
        inner = st.dictionaries(st.text(max_size=5), json_values)
    rows = data.draw(st.lists(inner, max_size=6))
    texts = [json.dumps(row, ensure_ascii=escaped, indent=indent) for row in rows]
    if form in {"array", "indented"}:
        content = "[" + ",\n".join(texts) + "]"
    else:
        content = ("" if form == "glued" else "\n").join(texts)
    monkeypatch.setattr(json_records, "BLOCK", data.draw(st.integers(1, 70)))
    found = read(tmp_path, content, "a.jsonl" if form == "lines" else "a.json")
    assert values(found) == (rows if rows or form in {"array", "indented"} else ["BAD"])


# ---------------------------------------------------------------- broken records


BROKEN = {
    "a comma too many": '{"id": "b", "turns": [],}',
    "NaN": '{"id": "b", "n": NaN}',
    "-Infinity": '{"id": "b", "n": -Infinity, "turns": [[]]}',
    "the same key twice": '{"id": "b", "id": "c"}',
    "the same key twice, deep": '{"id": "b", "turns": [{"x": 1, "x": 2}, {"y": [1]}]}',
    "5,000 digits": '{"id": "b", "n": ' + "1" * 5_000 + "}",
    "absurd nesting": '{"id": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "some nesting too much": '{"id": ' + "[" * 100 + "]" * 100 + "}",
    "no colon": '{"id" "b", "turns": []}',
    "single quotes": "{'id': 'b', 'turns': []}",
    "a word": '{"id": b, "turns": []}',
    "a wrong escape": r'{"id": "b\x", "turns": [1]}',
    "a raw line feed": '{"id": "b\nb", "turns": [1]}',
    "no closing bracket": '{"id": "b", "turns": [1}',
    "no opening bracket": '{"id": "b", "turns": 1]}',
    "no closing brace": '{"id": "b", "turns": [1]',
    "no closing quote": '{"id": "b, "turns": [1]}',
    "no opening quote": '{"id": b", "turns": ["x, y", "{"]}',
    "no quote and brackets": '{"id": "b, "turns": ["{", "}", "]"]}',
    "cut off": '{"id": "b", "turns": [{"from": "human", "value": "h',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("block", [1 << 18, 50])
@pytest.mark.parametrize(
    "layout",
    [("[", ", ", None), ("[\n  ", ",\n  ", 2), ("[", ",\n", None), ("[\n", "\n,", None)],
    ids=["compact", "indented", "a line each", "a line each, comma first"],
)
def test_one_broken_element_costs_only_itself(tmp_path, monkeypatch, text, block, layout):
    """The elements before and after it are read; the bad one is located and described."""
    opening, border, indent = layout
    monkeypatch.setattr(json_records, "BLOCK", block)
    good = json.dumps(GOOD, indent=indent).replace("\n", "\n  ")
    found = read(tmp_path, opening + border.join([good, text, good, good]) + "\n]")
    assert values(found) == [GOOD, "BAD", GOOD, GOOD]
    assert found[1].where == "a.json, record 2"
    assert len(found[1].found) < 120
    assert len(found[1].origin) == 32


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_one_broken_line_costs_only_itself(tmp_path, text, name):
    """Lines are read one by one, whether or not the name says that there are lines."""
    good = json.dumps(GOOD)
    found = read(tmp_path, f"{good}\n{text}\n{good}\n{good}", name)
    good_ones = [record.value for record in found if isinstance(record, RawRecord)]
    assert good_ones == [GOOD, GOOD, GOOD]
    # A raw line feed makes two lines of one record.
    assert len(found) == (5 if "\n" in text and name == "a.jsonl" else 4)


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("position", [0, 3])
def test_first_and_last_element_may_be_broken(tmp_path, text, position):
    """A broken element at either end of a compact array hides none of the others."""
    rows = [json.dumps(GOOD)] * 4
    rows[position] = text
    found = read(tmp_path, "[" + ",".join(rows) + "]")
    good_ones = [record.value for record in found if isinstance(record, RawRecord)]
    assert good_ones == [GOOD, GOOD, GOOD]
    assert "BAD" in values(found)


def test_broken_scalars_cost_only_themselves(tmp_path):
    """Arrays of anything but objects recover at the next comma."""
    assert values(read(tmp_path, r'["a", NaN, "b\x", tru, 1x, "c"]')) == [
        "a",
        "BAD",
        "BAD",
        "BAD",
        1,
        "BAD",
        "c",
    ]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('{"role": 1, "role": 2}', "the key 'role' twice"),
        ('{"a@b.org": 1, "a@b.org": 2}', "the key a text of 7 characters twice"),
        ('{"n": NaN}', "NaN, which is not JSON"),
        ("[" * 100 + "[]" + "]" * 100, "nested too deep"),
        ('{"n": ' + "1" * 5_000 + "}", "a number that cannot be read"),
        ('{"n": 1', "broken JSON (expecting ',' delimiter, at character 8"),
        ('{"n": 1} x', "more text after the JSON value"),
        ('{"text": "my secret', "broken JSON (unterminated string"),
    ],
)
def test_what_was_found_is_said_in_a_few_words(tmp_path, content, found):
    """The message tells what is wrong and repeats no text of the record."""
    (record,) = read(tmp_path, content, "a.jsonl")
    assert isinstance(record, BadRecord)
    assert found in record.found
    assert "secret" not in str(record)


def test_invalid_utf8_is_located_to_the_byte(tmp_path):
    """Latin-1 in a UTF-8 file costs its record, in lines as in arrays."""
    line = b'{"t": "caf\xe9"}'
    for content, name, place in [
        (line + b'\n{"t": "\xc3\xa9"}', "a.jsonl", "line 1"),
        (b"[" + line + b', {"t": "\xc3\xa9"}]', "a.json", "record 1"),
    ]:
        bad, good = read(tmp_path, content, name)
        assert str(bad).startswith(f"{name}, {place}: found byte 0xe9 at byte 11 of the record")
        assert good.value == {"t": "é"}


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be"])
def test_utf16_is_named(tmp_path, name, codec):
    """Windows tools write UTF-16; one message for the file says how to convert it."""
    content = json.dumps([GOOD]).encode(codec)
    content = b"\xfe\xff" + content if codec == "utf-16-be" else content
    (record,) = read(tmp_path, content, name)
    assert record.found == "UTF-16 text"


def test_lone_surrogates_become_replacement_characters(tmp_path):
    """Half an emoji cannot be stored; pairs, and escapes of other kinds, stay what they are."""
    content = r'{"a": "x\ud83dy\ude00", "b": "\ud83d\ude00 \\ud83d", "\udc00": ["\uD83D"]}'
    (record,) = read(tmp_path, content)
    assert record.value == {"a": "x\ufffdy\ufffd", "b": "😀 \\ud83d", "\ufffd": ["\ufffd"]}
    assert record.edits == (Edit("lone_surrogate_replaced", 4),)
    (clash,) = read(tmp_path, r'{"\ud83d": 1, "\ud83e": 2}')
    assert isinstance(clash, BadRecord)


def test_half_a_character_at_a_block_border_is_whole(tmp_path, monkeypatch):
    """Characters of several bytes may be cut by the end of a block."""
    monkeypatch.setattr(json_records, "BLOCK", 3)
    assert values(read(tmp_path, '["😀é", "猫"]')) == ["😀é", "猫"]


# ---------------------------------------------------------------- cut off, too long


@pytest.mark.parametrize("keep", range(1, 40))
def test_cut_off_array_keeps_what_is_whole_and_reports_the_cut(tmp_path, keep):
    """Wherever the file ends, whole elements are read and one record says that it ends."""
    content = '[{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}]'
    found = read(tmp_path, content[:keep])
    whole = content[:keep].count("}")
    assert values(found) == [{"n": number} for number in range(1, whole + 1)] + ["BAD"]


def test_text_after_an_array_is_reported(tmp_path):
    """A second array glued to the first is not lost in silence."""
    good, bad = read(tmp_path, '[{"n": 1}] [{"n": 2}]')
    assert good.value == {"n": 1}
    assert bad.found == "more text after the array"


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress], ids=["gz", "zst"])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_cut_off_archive_ends_in_a_bad_record(tmp_path, pack, name):
    """Records before the damage are read; the last one names the place and the cause."""
    texts = [json.dumps({"n": n, "text": str(n**99)}) for n in range(20_000)]
    content = "[" + ",".join(texts) + "]" if name == "a.json" else "\n".join(texts)
    packed = pack(content.encode())
    suffix = ".gz" if pack is gzip.compress else ".zst"
    *good, bad = read(tmp_path, packed[: len(packed) // 2], name + suffix)
    good = [record for record in good if isinstance(record, RawRecord)]
    assert len(good) > 5_000
    assert [record.value["n"] for record in good] == list(range(len(good)))
    assert isinstance(bad, BadRecord)
    assert "cut off after" in bad.found
    assert bad.where.startswith(f"{name}{suffix}, after ")


def test_file_that_cannot_be_opened_stops_the_source(tmp_path):
    """There is no record to be bad: the error names the file."""
    with pytest.raises(SourceError, match=r"none\.json: cannot be opened \(No such file"):
        list(read_json(SourceFile(tmp_path / "none.json", "none.json")))


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_record_larger_than_the_block_is_read(tmp_path, monkeypatch, name):
    """The block is a read size and no limit."""
    monkeypatch.setattr(json_records, "BLOCK", 1 << 10)
    rows = [{"n": number, "text": "é" * 50_000} for number in range(3)]
    texts = [json.dumps(row, ensure_ascii=False) for row in rows]
    content = "[" + ",".join(texts) + "]" if name == "a.json" else "\n".join(texts)
    assert values(read(tmp_path, content, name)) == rows


def test_record_over_the_limit_is_reported(tmp_path, monkeypatch):
    """A line too long costs itself; a value too long costs what follows, and the report says so."""
    monkeypatch.setattr(json_records, "MAX_RECORD", 1_000)
    monkeypatch.setattr(json_records, "BLOCK", 100)
    long, short = json.dumps({"t": "x" * 5_000}), json.dumps({"t": "x"})
    found = read(tmp_path, f"{short}\n{long}\n{short}\n{long}", "a.jsonl")
    assert values(found) == [{"t": "x"}, "BAD", {"t": "x"}, "BAD"]
    found = read(tmp_path, f"[{short}, {long}, {short}]")
    assert values(found) == [{"t": "x"}, "BAD"]
    assert "more than 1,000 characters" in found[1].found
    assert "the rest of the file was not read" in found[1].expected


# ---------------------------------------------------------------- time and memory


HOSTILE = {
    "quotes": '"' * 400_001,
    "open brackets": "[" * 400_000,
    "open objects": '[{"a":' * 60_000,
    "words": "[" + "NaN," * 100_000,
    "broken objects": "[" + '{"a" 1},' * 50_000,
    "never closed": "[" + '{"a":1 ' * 50_000,
    "lines never closed": '{"a":1\n' * 50_000,
    "lines of odd quotes": '{"a":"\n' * 50_000,
    "odd quotes": "[" + '{"a":"b,' * 50_000,
    "closing brackets": "[" + "}" * 200_000,
    "backslashes": '["' + "\\" * 400_000,
    "white space": "[" + " \n" * 200_000 + "x",
    "commas": "[" + "," * 400_000,
    "spaced commas": "[{x}" + ", " * 200_000,
    "prose": "hello, world. " * 30_000,
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_hostile_text_takes_linear_time(tmp_path, content, name):
    """Four hundred kilobytes of the worst text are read in seconds, not in hours."""
    start = time.process_time()
    found = read(tmp_path, content, name)
    assert time.process_time() - start < 5
    assert any(isinstance(record, BadRecord) for record in found) or content.startswith("[,")


MEASURE = """
import sys
from pathlib import Path
from imitation_data.readers.files import SourceFile
from imitation_data.readers.json_records import RawRecord, read_json
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
before = peak()
count = sum(isinstance(r, RawRecord) for r in read_json(SourceFile(Path(sys.argv[1]), "a.json")))
print(count, before >> 10, peak() >> 10)
"""


@pytest.mark.parametrize(
    "megabytes", [10, pytest.param(200, marks=pytest.mark.full)], ids=["10MB", "200MB"]
)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no peak memory to read here")
def test_array_is_read_in_constant_memory(tmp_path, megabytes):
    """A large array takes no more memory than a small one: under 150 MB for the whole process."""
    element = json.dumps(
        {"id": "x", "conversations": [{"from": "human", "value": "é ä" * 300}] * 4}
    )
    count = (megabytes << 20) // len(element)
    with (tmp_path / "a.json").open("w") as stream:
        stream.write("[" + element)
        for _ in range(count - 1):
            stream.write(",\n" + element)
        stream.write("]")
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "a.json")]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found, before, after = map(int, output.split())
    assert found == count
    assert after < 150
    assert after - before < 12
