import pytest

from imitation_data.conversation import ROLES, Message
from imitation_data.ledger import Drop, Edit
from imitation_data.readers.json_records import RawRecord
from imitation_data.readers.roles import WORDS, Turns, part_text, role_words
from imitation_data.readers.shape import Unfit

RAW = RawRecord({}, "a.json", 1, "record", b"{}")


def record_of(*turns: tuple[object, object], tools="drop_messages", roles=None):
    gathered = Turns(role_words(roles or {}), tools)
    for word, content in turns:
        gathered.add(word, content)
    return gathered.record(RAW, "o", teacher="t", meta='{"a":1}')


def test_words_in_the_wild_have_a_role():
    """Every word seen in public dumps stands for one of the three roles, or for a tool."""
    assert set(WORDS.values()) == {*ROLES, "tool"}
    words = ["human", "User", " prompter ", "gpt", "ChatGPT", "BING", "bard", "assistant", "system"]
    record = record_of(*((word, word) for word in words))
    assert [turn.role for turn in record.rows[0].messages] == [
        *["user"] * 3,
        *["assistant"] * 5,
        "system",
    ]


def test_own_words_win():
    """The `roles` option adds words and overrules known ones, without regard to case."""
    roles = {"client": "user", "Counselor": "assistant", "bot": "user"}
    record = record_of(("client", "a"), ("counselor", "b"), ("BOT", "c"), roles=roles)
    assert [turn.role for turn in record.rows[0].messages] == ["user", "assistant", "user"]


def test_own_words_must_stand_for_a_role():
    """A wrong value is named with what it may be."""
    with pytest.raises(ValueError, match="'client' stands for 'customer'; expected system, user"):
        role_words({"client": "customer"})


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("moderator", "the role 'moderator' at turn 2"),
        (None, "the role null at turn 2"),
        (7, "the role a number at turn 2"),
        (["user"], "the role a list at turn 2"),
        ("jane.doe@example.org", "the role a text of 20 characters at turn 2"),
        ("I am not a role but a text", "the role a text of 26 characters at turn 2"),
    ],
)
def test_unknown_role_is_refused_without_quoting_a_person(word, shown):
    """A guess would train on the wrong side; a name or an address is not repeated."""
    with pytest.raises(Unfit) as caught:
        record_of(("user", "a"), (word, "b"))
    assert caught.value.found == shown
    assert "option roles" in caught.value.expected


def test_tool_messages_are_left_out_and_counted():
    """By default a tool message goes, the record stays, and the ledger counts it."""
    turns = [("user", "a"), ("function_call", "b"), ("tool", "c"), ("assistant", "d")]
    record = record_of(*turns)
    assert record.rows[0].messages == (Message("user", "a"), Message("assistant", "d"))
    assert record.edits == (Edit("tool_message_dropped", 2),)


def test_tool_messages_can_drop_the_record():
    """`drop_record` gives no row and one drop; a record without tools is not touched."""
    record = record_of(("user", "a"), ("tool", "c"), tools="drop_record")
    assert (record.rows, record.drops) == ((), (Drop("tool_message", found=1, limit=0),))
    assert record_of(("user", "a"), tools="drop_record").rows[0].messages == (Message("user", "a"),)


def test_record_without_turns_is_dropped_with_its_reason():
    """Nothing vanishes: no turns at all, and nothing but tool messages, are two reasons."""
    assert record_of().drops == (Drop("no_turns"),)
    assert record_of(("tool", "x")).drops == (Drop("only_tool_messages", found=1),)


def test_empty_and_null_texts_stay_turns():
    """A later step decides on blank turns; null is counted as the change it is."""
    record = record_of(("user", ""), ("assistant", None), ("assistant", None))
    assert [turn.content for turn in record.rows[0].messages] == ["", "", ""]
    assert record.edits == (Edit("null_text_as_empty", 2),)


def test_numbers_and_parts_become_text():
    """Whole numbers are written in digits; text parts are joined and others counted out."""
    parts = ["a", {"type": "text", "text": "b"}, {"type": "image_url"}, None, 3]
    record = record_of(("user", parts), ("assistant", 10**30))
    assert [turn.content for turn in record.rows[0].messages] == ["a\nb", "1" + "0" * 30]
    assert record.edits == (Edit("content_part_dropped", 3), Edit("number_as_text", 1))
    assert part_text({"text": 1}) is None


@pytest.mark.parametrize("content", [1.5, True, {"a": "b"}])
def test_content_that_is_no_text_is_refused(content):
    """A fraction may have been written otherwise, and an object may hold anything."""
    with pytest.raises(Unfit, match="as the text of turn 1"):
        record_of(("user", content))


def test_row_carries_what_the_reader_knows():
    """Origin, teacher and meta reach the row; source and licence are the runner's."""
    row = record_of(("user", "a")).rows[0]
    assert (row.origin, row.teacher, row.meta) == ("o", "t", '{"a":1}')
    assert (row.source, row.license) == ("", "")
