import pytest

from imitation_data.conversation import Message
from imitation_data.ledger import Drop, Edit
from imitation_data.readers.messages import Messages

CALL = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
USER = {"role": "user", "content": "Weather?"}


def test_chat_is_read_with_its_parts(read_text):
    """System and developer messages are system turns; text parts are joined."""
    row = {
        "id": "chat-1",
        "model": "gpt-4o",
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]},
            {"role": "assistant", "content": "b", "weight": 1},
        ],
    }
    (record,) = read_text(Messages(), [row])
    (made,) = record.rows
    assert made.messages == (
        Message("system", "Be brief."),
        Message("user", "a"),
        Message("assistant", "b"),
    )
    assert (record.origin, made.teacher) == ("chat-1", "gpt-4o")
    assert record.edits == (Edit("content_part_dropped", 1),)


def test_tool_calls_are_tool_messages_unless_they_say_something(read_text):
    """A call with null content goes with its answer; a call beside a text leaves the text."""
    messages = [
        USER,
        {"role": "assistant", "content": None, "tool_calls": CALL},
        {"role": "tool", "tool_call_id": "c", "content": "rain"},
        {"role": "assistant", "content": "One moment.", "function_call": CALL[0]},
        {"role": "function", "name": "f", "content": "rain"},
        {"role": "assistant", "content": "Rain.", "tool_calls": []},
    ]
    (record,) = read_text(Messages(), [{"messages": messages}])
    assert [turn.content for turn in record.rows[0].messages] == [
        "Weather?",
        "One moment.",
        "Rain.",
    ]
    assert record.edits == (Edit("tool_message_dropped", 3), Edit("tool_call_removed", 1))
    (dropped,) = read_text(Messages(tools="drop_record"), [{"messages": messages}])
    assert dropped.drops == (Drop("tool_message", found=4, limit=0),)


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"prompt": "a"}, "the fields 'prompt'"),
        ({"messages": None}, "null as messages"),
        ({"messages": [[]]}, "a list as message 1"),
        ({"messages": [USER, {"role": "assistant"}]}, "message 2 with the fields 'role'"),
        ({"messages": [{"content": "x"}]}, "the role null at turn 1"),
    ],
)
def test_wrong_form_is_located(read_text, row, found):
    """A message without role or content is reported, never guessed."""
    (bad,) = read_text(Messages(), [row])
    assert (bad.where, bad.found) == ("a.jsonl, line 1", found)
