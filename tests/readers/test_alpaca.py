import json
from pathlib import Path

import pytest

from imitation_data.conversation import Message
from imitation_data.ledger import Drop, Edit
from imitation_data.readers import Record, read
from imitation_data.readers.alpaca import Alpaca

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not there")
ROW = {"instruction": "Add.", "input": "1 and {2}", "output": "3"}


def turns(record):
    return [message.content for message in record.rows[0].messages]


def test_instruction_and_input_make_the_user_turn(read_text):
    """By default an empty line stands between; braces in texts are only braces."""
    (record,) = read_text(Alpaca(), json.dumps([ROW]), "a.json")
    assert turns(record) == ["Add.\n\n1 and {2}", "3"]
    (record,) = read_text(Alpaca(with_input="{instruction} {input}"), [ROW])
    assert turns(record) == ["Add. 1 and {2}", "3"]


@pytest.mark.parametrize("given", ["", None, "  \n"])
def test_without_input_the_instruction_stands_alone(read_text, given):
    """A blank input adds nothing, not even white space."""
    (record,) = read_text(Alpaca(), [ROW | {"input": given}])
    assert turns(record) == ["Add.", "3"]
    missing = {"instruction": "Add.", "response": "3"}
    assert turns(read_text(Alpaca(), [missing])[0]) == ["Add.", "3"]


@pytest.mark.parametrize("given", ["<noinput>", "No input.", "`<noinput>`", "< noinput >", "N/A"])
def test_markers_of_no_input_are_removed_and_counted(read_text, given):
    """Models that made such data wrote that there is no input; that is no input."""
    (record,) = read_text(Alpaca(), [ROW | {"input": given}])
    assert turns(record) == ["Add.", "3"]
    assert record.edits == (Edit("no_input_marker_removed", 1),)
    (kept,) = read_text(Alpaca(no_input=()), [ROW | {"input": given}])
    assert turns(kept) == [f"Add.\n\n{given}", "3"]


@pytest.mark.parametrize("given", ["Na", "No", "-5", "no input devices were found on the bus"])
def test_inputs_that_look_like_markers_stay(read_text, given):
    """Sodium is an input."""
    assert turns(read_text(Alpaca(), [ROW | {"input": given}])[0])[0].endswith(given)


def test_empty_answer_stays_for_the_blank_step(read_text):
    """28 rows of Alpaca have no answer; a step decides on them, not the reader."""
    assert turns(read_text(Alpaca(), [ROW | {"output": ""}])[0])[1] == ""


def test_instances_become_parts(read_text):
    """A Self-Instruct seed gives one row per instance, numbered."""
    seed = {
        "id": "seed_task_3",
        "name": "adder",
        "instruction": "Add.",
        "instances": [{"input": "1, 2", "output": "3"}, {"input": "noinput", "output": 0}],
        "is_classification": False,
    }
    (record,) = read_text(Alpaca(), [seed])
    first, second = record.rows
    assert first.messages == (Message("user", "Add.\n\n1, 2"), Message("assistant", "3"))
    assert second.messages == (Message("user", "Add."), Message("assistant", "0"))
    assert [(row.origin, row.part) for row in record.rows] == [
        ("seed_task_3", 0),
        ("seed_task_3", 1),
    ]
    assert json.loads(first.meta)["name"] == "adder"
    assert record.edits == (Edit("no_input_marker_removed", 1), Edit("number_as_text", 1))
    (none,) = read_text(Alpaca(), [seed | {"instances": []}])
    assert none.drops == (Drop("no_instances", found=0, limit=1),)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"input": "a", "output": "b"}, "the fields 'input', 'output'"),
        ({"instruction": "a", "input": ""}, "the fields 'instruction', 'input'"),
        (ROW | {"output": ["3"]}, "a list as output"),
        (ROW | {"instances": [3]}, "a number as instance 1"),
        (ROW | {"instances": None}, "null as instances"),
        ("text", "a text"),
    ],
)
def test_wrong_form_is_located(read_text, row, found):
    """A row that lacks a part is reported with what it has."""
    (bad,) = read_text(Alpaca(), [row])
    assert (bad.where, bad.found) == ("a.jsonl, line 1", found)


@pytest.mark.parametrize("template", ["{instruction}", "{input}{input}{instruction}", "{x}", "{"])
def test_template_must_name_both_parts_once(template):
    """A wrong template is found before any data is read."""
    with pytest.raises(ValueError, match="with_input"):
        Alpaca(with_input=template)


@needs_shared
@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("alpaca/alpaca_data.json", 52_002),
        ("gpteacher/codegen-instruct.json", 4_535),
        ("self_instruct/seed_tasks.jsonl", 175),
    ],
)
def test_real_files_are_read_whole(path, rows):
    """Every row of the public files is a row; nothing is bad or dropped."""
    count = 0
    for record in read(SHARED / path, Alpaca()):
        assert isinstance(record, Record)
        assert len(record.rows) == 1
        count += 1
    assert count == rows
