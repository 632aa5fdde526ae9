import json

import pytest

from imitation_data.conversation import Message
from imitation_data.ledger import Drop
from imitation_data.readers.hc3 import HC3

ROW = {
    "question": "Why ?",
    "human_answers": ["Because .", "So ."],
    "chatgpt_answers": ["There are reasons."],
    "source": "reddit_eli5",
}


def pairs(record):
    return [(row.messages[1].content, row.part, row.teacher) for row in record.rows]


def test_chatgpt_answers_only(read_text):
    """As in the paper: one row per ChatGPT answer, text untouched, the domain in meta."""
    (record,) = read_text(HC3(), [ROW])
    (row,) = record.rows
    assert row.messages == (Message("user", "Why ?"), Message("assistant", "There are reasons."))
    assert json.loads(row.meta) == {"file": "a.jsonl", "line": 1, "source": "reddit_eli5"}
    assert (row.part, row.teacher, record.drops) == (0, None, ())


def test_both_kinds_of_answers(read_text):
    """People's answers follow ChatGPT's and say that a human wrote them."""
    (record,) = read_text(HC3(answers="both", teacher="gpt-3.5"), [ROW])
    assert pairs(record) == [
        ("There are reasons.", 0, "gpt-3.5"),
        ("Because .", 1, "human"),
        ("So .", 2, "human"),
    ]


def test_empty_answers_are_drops_and_shift_nothing(read_text):
    """An answer keeps its part number whether or not the ones before it are empty."""
    (record,) = read_text(HC3(), [ROW | {"chatgpt_answers": ["", "b", None, " \n"]}])
    assert pairs(record) == [("b", 1, None)]
    assert record.drops == tuple(
        Drop("empty_answer", found=f"answer {number} (chatgpt)") for number in (1, 3, 4)
    )


def test_question_without_answers_is_a_drop(read_text):
    """An empty list is known in the wild; the record is counted."""
    (record,) = read_text(HC3(), [ROW | {"chatgpt_answers": []}])
    assert (record.rows, record.drops) == ((), (Drop("no_answer", found=0, limit=1),))


def test_origin_is_id_or_index_or_digest(read_text):
    """The loader's `id` and `index` are optional."""
    found = read_text(HC3(), [ROW | {"id": "q1"}, ROW | {"index": 5}, ROW])
    assert [record.origin for record in found[:2]] == ["q1", "5"]
    assert len(found[2].origin) == 32


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"question": None}, "null as question"),
        ({"question": 5}, "a number as question"),
        ({"chatgpt_answers": "one"}, "a text as chatgpt_answers"),
        ({"chatgpt_answers": [["one"]]}, "a list as number 1 of chatgpt_answers"),
        ({"chatgpt_answers": None}, "null as chatgpt_answers"),
    ],
)
def test_wrong_form_is_located(read_text, change, found):
    """A question or an answer that is no text is reported."""
    (bad,) = read_text(HC3(), [ROW | change])
    assert (bad.where, bad.found) == ("a.jsonl, line 1", found)


def test_missing_field_is_named(read_text):
    """With `both`, human answers must be there."""
    row = {name: value for name, value in ROW.items() if name != "human_answers"}
    assert read_text(HC3(), [row])[0].rows
    assert read_text(HC3(answers="both"), [row])[0].found == "no field human_answers"
