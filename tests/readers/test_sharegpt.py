import json
from pathlib import Path

import pytest

from imitation_data.conversation import Message
from imitation_data.ledger import Drop, Edit
from imitation_data.readers import BadRecord, Record, read
from imitation_data.readers.sharegpt import ShareGPT

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "sharegpt"
HTML = '<div class="markdown prose w-full break-words"><p>Hello &amp; welcome</p></div>'
TURNS = [{"from": "human", "value": "hi <b>"}, {"from": "gpt", "value": HTML}]
MESSAGES = (Message("user", "hi <b>"), Message("assistant", HTML))


def test_raw_html_is_kept_as_it_is(read_text):
    """Making Markdown of HTML is a step; the reader changes no character."""
    (record,) = read_text(ShareGPT(), json.dumps([{"id": "QWJ", "conversations": TURNS}]), "a.json")
    (row,) = record.rows
    assert row.messages == MESSAGES
    assert (record.origin, row.origin, row.teacher) == ("QWJ", "QWJ", None)
    assert json.loads(row.meta) == {"file": "a.json", "record": 1}


@pytest.mark.parametrize("name", ["conversations", "items", "conversation"])
@pytest.mark.parametrize(
    "reply",
    [
        {"from": "gpt", "value": HTML},
        {"from": "chatgpt", "text": HTML},
        {"role": "bing", "value": HTML},
        {"role": "bard", "content": HTML},
        {"from": "assistant", "value": None, "text": HTML},
        {"from": "gpt", "markdown": {"answer": HTML}},
        {"from": "gpt", "markdown.answer": HTML},
        {"from": "gpt", "value": None, "markdown": {"answer": HTML}},
    ],
)
def test_cleaned_forms_are_read_alike(read_text, name, reply):
    """Lists, role words and text fields go by several names in the public copies."""
    (record,) = read_text(ShareGPT(), [{"id": 7, name: [TURNS[0], reply]}])
    assert record.rows[0].messages == MESSAGES
    assert record.origin == "7"


def test_file_of_one_conversation(read_text):
    """The extension's own form: model and title are kept, the picture's address is not."""
    content = {"title": "T", "avatarUrl": "https://x/y", "model": "GPT-4", "items": TURNS}
    (record,) = read_text(ShareGPT(), json.dumps(content, indent=1), "one.json")
    (row,) = record.rows
    assert row.teacher == "GPT-4"
    assert json.loads(row.meta) == {"file": "one.json", "record": 1, "title": "T"}
    assert len(record.origin) == 32
    assert "https" not in row.meta


@pytest.mark.parametrize("key", [None, "", "  ", [], "x" * 201, True])
def test_useless_id_falls_back_to_the_digest(read_text, key):
    """What cannot name a record does not become its origin."""
    (record,) = read_text(ShareGPT(), [{"id": key, "conversations": TURNS}])
    assert len(record.origin) == 32
    int(record.origin, 16)


def test_empty_conversation_and_tools(read_text):
    """Public copies hold empty lists; they are dropped by name, as are tool messages."""
    tool = {"from": "tool", "value": "42"}
    empty, mixed = read_text(
        ShareGPT(), [{"id": "a", "conversations": []}, {"id": "b", "items": [*TURNS, tool]}]
    )
    assert empty.drops == (Drop("no_turns"),)
    assert mixed.rows[0].messages == MESSAGES
    assert mixed.edits == (Edit("tool_message_dropped", 1),)
    (dropped,) = read_text(ShareGPT(tools="drop_record"), [{"items": [tool]}])
    assert dropped.drops[0].reason == "tool_message"


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"id": "a"}, "the fields 'id'"),
        ({"id": "a", "conversations": "hi"}, "a text as conversations"),
        ({"id": "a", "conversations": {"from": 1}}, "an object as conversations"),
        ({"id": "a", "conversations": ["hi"]}, "a text as turn 1"),
        (
            {"id": "a", "conversations": [TURNS[0], {"from": "gpt"}]},
            "turn 2 with the fields 'from'",
        ),
        ({"id": "a", "conversations": [{"value": "x"}]}, "the role null at turn 1"),
        ({"id": "a", "conversations": [{"from": "me", "value": "x"}]}, "the role 'me' at turn 1"),
        ({"id": "a", "items": [{"from": "gpt", "value": {}}]}, "an object as the text of turn 1"),
    ],
)
def test_wrong_form_is_located(read_text, row, found):
    """File, line, what was found and what was expected; the record's own key is its origin."""
    (bad,) = read_text(ShareGPT(), [row])
    assert isinstance(bad, BadRecord)
    assert (bad.where, bad.found, bad.origin) == ("a.jsonl, line 1", found, "a")
    assert bad.expected


def test_own_role_words(read_text):
    """A dump with words of its own is read by naming them."""
    reader = ShareGPT(roles={"me": "user", "it": "assistant"})
    (record,) = read_text(reader, [{"items": [{"from": "me", "value": "x"}]}])
    assert record.rows[0].messages == (Message("user", "x"),)
    with pytest.raises(ValueError, match="stands for"):
        ShareGPT(roles={"me": "owner"})


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not there")
def test_real_file_is_read_whole():
    """All 500 conversations of the public sample are rows."""
    records = list(read(SHARED / "dummy_conversation.json", ShareGPT()))
    assert len(records) == 500
    assert all(isinstance(record, Record) and len(record.rows) == 1 for record in records)
    assert len({record.origin for record in records}) == 500
