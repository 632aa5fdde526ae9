import json
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from imitation_data.conversation import Message
from imitation_data.ledger import Edit
from imitation_data.readers import BadRecord, Record, read
from imitation_data.readers.columns import Columns

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not there")
PAIR = Columns(prompt="q", answer="a")
CHAT = Columns(
    messages="dialog", roles={"client": "user", "counselor": "assistant"}, strip_suffix="</s>"
)
SMILE = Columns(
    messages="dialog", roles={"client": "user", "counselor": "assistant"}, origin="file"
)
P3 = Columns(prompt="prompt", answer="completion", strip_suffix="<|endoftext|>", keep=("template",))


def test_prompt_and_answer(read_text):
    """Two columns make two turns; the row's digest is its origin unless a column is named."""
    (record,) = read_text(PAIR, [{"q": "x", "a": "y", "rest": 1}])
    assert record.rows[0].messages == (Message("user", "x"), Message("assistant", "y"))
    assert len(record.origin) == 32
    (named,) = read_text(
        Columns(prompt="q", answer="a", origin="id"), [{"q": "", "a": "", "id": 5}]
    )
    assert named.origin == "5"


def test_every_optional_column(read_text):
    """System, input, teacher and kept columns find their places."""
    reader = Columns(
        prompt="q", answer="a", input="i", system="s", teacher="model", keep=("topic", "none")
    )
    row = {"q": "Sum", "i": "1 2", "a": "3", "s": "Be brief.", "model": "m-1", "topic": "maths"}
    (record,) = read_text(reader, [row])
    (made,) = record.rows
    assert [turn.content for turn in made.messages] == ["Be brief.", "Sum\n\n1 2", "3"]
    assert made.messages[0].role == "system"
    assert made.teacher == "m-1"
    assert json.loads(made.meta) == {"file": "a.jsonl", "line": 1, "topic": "maths"}
    (record,) = read_text(reader, [{"q": "Sum", "a": "3"}])
    assert [turn.content for turn in record.rows[0].messages] == ["Sum", "3"]


def test_messages_with_names_of_their_own(read_text):
    """The names of the list, its fields and its role words are values of the mapping."""
    reader = Columns(
        messages="log.turns", role="by", content="said", roles={"me": "user", "it": "assistant"}
    )
    turns = [{"by": "me", "said": "x"}, {"by": "it", "said": "y"}]
    (record,) = read_text(reader, [{"log": {"turns": turns}}])
    assert record.rows[0].messages == (Message("user", "x"), Message("assistant", "y"))


def test_field_with_a_dot_in_its_name_wins_over_the_path(read_text):
    """`markdown.answer` may be one name."""
    reader = Columns(prompt="q", answer="m.a")
    flat, nested = read_text(reader, [{"q": "x", "m.a": "1"}, {"q": "x", "m": {"a": "2"}}])
    assert [record.rows[0].messages[1].content for record in (flat, nested)] == ["1", "2"]


def test_suffix_is_stripped_from_answers_only_and_counted(read_text):
    """An end-of-text mark is no part of the answer; in a question it is text."""
    reader = Columns(prompt="q", answer="a", strip_suffix="</s>")
    (record,) = read_text(reader, [{"q": "x</s>", "a": "y</s></s>"}])
    assert [turn.content for turn in record.rows[0].messages] == ["x</s>", "y</s>"]
    assert record.edits == (Edit("suffix_stripped", 1),)
    dialog = [{"role": role, "content": "z</s>"} for role in ("client", "counselor", "counselor")]
    (record,) = read_text(CHAT, [{"dialog": dialog}])
    assert [turn.content for turn in record.rows[0].messages] == ["z</s>", "z", "z"]
    assert record.edits == (Edit("suffix_stripped", 2),)


def test_nulls_and_numbers(read_text):
    """Null is an empty turn and a whole number its digits, both counted."""
    null, number = read_text(PAIR, [{"q": "x", "a": None}, {"q": "x", "a": 5}])
    assert null.rows[0].messages[1].content == ""
    assert null.edits == (Edit("null_text_as_empty", 1),)
    assert number.rows[0].messages[1].content == "5"


@pytest.mark.parametrize(
    ("reader", "row", "found"),
    [
        (PAIR, {"q": "x"}, "the fields 'q'"),
        (PAIR, {"q": "x", "a": ["y", "z"]}, "a list as a"),
        (PAIR, {"q": "x", "a": 0.5}, "a number as the text of turn 1"),
        (PAIR, ["x", "y"], "a list"),
        (CHAT, {"dialogue": []}, "the fields 'dialogue'"),
        (CHAT, {"dialog": None}, "null as dialog"),
        (CHAT, {"dialog": ["x"]}, "a text as message 1"),
        (CHAT, {"dialog": [{"role": "client"}]}, "message 1 with the fields 'role'"),
        (CHAT, {"dialog": [{"role": "x", "content": ""}]}, "the role 'x' at turn 1"),
    ],
)
def test_wrong_form_is_located(read_text, reader, row, found):
    """The message tells the columns there are, or the value that is no text."""
    (bad,) = read_text(reader, [row])
    assert (bad.where, bad.found) == ("a.jsonl, line 1", found)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "no columns named"),
        ({"answer": "a"}, "no columns named"),
        ({"messages": "m", "prompt": "q"}, "one or the other"),
        ({"messages": "m", "role": ""}, "cannot be empty"),
        ({"messages": "m", "roles": {"x": "y"}}, "stands for"),
    ],
)
def test_contradictions_are_found_before_reading(options, says):
    """A mapping that cannot work is refused when the recipe is read."""
    with pytest.raises(ValueError, match=says):
        Columns(**options)


def test_parquet_and_csv_and_json_give_the_same_turns(tmp_path):
    """The mapping is the same whatever the file's form."""
    rows = [
        {"q": f"question {number}, or", "a": 'an "answer"\nof two lines'} for number in range(3)
    ]
    pq.write_table(pa.Table.from_pylist([row | {"n": 1} for row in rows]), tmp_path / "a.parquet")
    (tmp_path / "b.json").write_text(json.dumps(rows))
    quoted = ['"' + '","'.join(v.replace('"', '""') for v in row.values()) + '"' for row in rows]
    (tmp_path / "c.csv").write_text("\r\n".join(["q,a", *quoted]), newline="")
    with pa.OSFile(str(tmp_path / "d.arrow"), "wb") as stream:
        table = pa.Table.from_pylist(rows)
        with pa.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
    records = list(read(tmp_path, PAIR))
    assert len(records) == 12
    expected = [tuple(row.values()) for row in rows]
    found = [tuple(turn.content for turn in record.rows[0].messages) for record in records]
    assert found == expected * 4
    files = [json.loads(record.rows[0].meta)["file"] for record in records]
    assert files == [name for name in ("a.parquet", "b.json", "c.csv", "d.arrow") for _ in rows]


@needs_shared
@pytest.mark.parametrize(
    ("name", "reader", "rows", "edits"),
    [("smile_zh.jsonl", SMILE, 9_195, 0), ("p3.jsonl", P3, 55_185, 55_185)],
)
def test_real_files_are_read_whole_and_fast(name, reader, rows, edits):
    """Every row is read, at a speed that leaves most of a build's time to its steps."""
    start = time.process_time()
    read_rows = stripped = 0
    for record in read(SHARED / name, reader):
        assert isinstance(record, Record)
        read_rows += len(record.rows)
        stripped += sum(edit.count for edit in record.edits)
    seconds = time.process_time() - start
    assert (read_rows, stripped) == (rows, edits)
    # A third of what one slow core was measured to do, and more than 25,000 rows/s for both.
    assert 65e6 / seconds > 25e6, f"{rows / seconds:,.0f} rows/s"


def test_table_without_the_named_columns_is_not_empty(tmp_path):
    """Rows are reported, with the columns they have, when a mapping names none of them."""
    pq.write_table(pa.table({"Q": ["x", "y"], "A": ["1", "2"]}), tmp_path / "a.parquet")
    found = list(read(tmp_path / "a.parquet", PAIR))
    assert [str(bad) for bad in found] == [
        f"a.parquet, row {number}: found the fields 'Q', 'A'; expected a column q"
        for number in (1, 2)
    ]


def test_bad_rows_pass_through(read_text):
    """What could not be parsed stays a bad record with its place."""
    bad, good = read_text(PAIR, '{"q": "x", \n{"q": "x", "a": "y"}')
    assert isinstance(bad, BadRecord)
    assert good.rows
