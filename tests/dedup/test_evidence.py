"""What is compared, and how a difference reads: held against the same in plain Python."""

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.conversation import ROLES, Conversation, Message, to_batch
from imitation_data.dedup.evidence import CONTEXT, SPAN, difference, side_by_side
from imitation_data.text.compared import compared, readable

ANY = st.text(st.characters(), max_size=40) | st.text(st.sampled_from("abAB ßİ[|]…é👍\n"))
PLAIN = st.text(st.sampled_from("abcAB é你.\n"), max_size=30)
LONG = st.builds(
    lambda start, middle, end, times: start * times + middle + end * times,
    PLAIN,
    PLAIN,
    PLAIN,
    st.integers(1, 12),
)
CONVERSATION = st.builds(
    lambda turns: Conversation(tuple(Message(*turn) for turn in turns)),
    st.lists(st.tuples(st.sampled_from(ROLES), st.text(max_size=6)), max_size=5),
)
LEVELS = ("conversation", "prompt", "user", "assistant")


@given(ANY, ANY)
def test_a_difference_is_empty_only_for_equal_texts(gone, kept):
    """Any two texts can be told apart, lone surrogates included."""
    assert difference(gone, gone) == ""
    found = difference(gone, kept)
    assert (found == "") == (gone == kept)
    assert found == "" or re.search(r"\[.*\|.*\]", found, re.DOTALL)


@given(LONG, LONG)
def test_both_spans_stand_in_their_texts(gone, kept):
    """What is shown of a text is in it, with its neighbourhood; long spans say they are cut."""
    if gone == kept:
        return
    found = re.fullmatch(r"(…?)([^\[]*)\[([^|]*)\|([^\]]*)\]([^…]*)(…?)", difference(gone, kept))
    assert found
    _, head, mine, theirs, tail, _ = found.groups()
    assert mine != theirs or "…" in mine
    for span, text in ((mine, gone), (theirs, kept)):
        assert len(span) <= SPAN + 1
        pieces = span.split("…")
        assert all(piece in text for piece in pieces)
        if len(pieces) == 1:
            assert (head + span + tail).lower() in text.lower()
    assert len(head) <= CONTEXT
    assert len(tail) <= CONTEXT


@given(PLAIN, PLAIN, PLAIN, PLAIN)
def test_texts_come_back_from_a_difference(start, mine, theirs, end):
    """Where nothing is left out, both texts can be read off it."""
    start, end = start[-8:].lower(), end[:8].lower()
    gone, kept = start + mine.lower() + end, start + theirs.lower() + end
    shown = difference(gone, kept)
    if shown and "…" not in shown:
        head, one, two, tail = re.split(r"[\[|\]]", shown)
        assert (head + one + tail, head + two + tail) == (gone, kept)


@pytest.mark.parametrize(
    ("gone", "kept", "shown"),
    [
        ("Say hello to Ann.", "Say hello to Anton.", "Say hello to [Ann|Anton]."),
        ("one two", "one two three", "one [two|two three]"),
        ("one two", "one two, three", "one [two|two, three]"),
        ("", "a", "[|a]"),
        ("HELLO there", "hello There", "[HELLO there|hello There]"),
        ("Hello there you", "hello there, you", "Hello [there|there,] you"),
        ("add 3 + 4 now", "add 3 - 4 now", "add 3 [+|-] 4 now"),
        ("x" * 100 + " a " + "y" * 100, "x" * 100 + " b " + "y" * 100, None),
    ],
)
def test_literal_differences(gone, kept, shown):
    """Whole words differ, capitals alone count for nothing else, and context is cut short."""
    wanted = "…" + "x" * 23 + " [a|b] " + "y" * 23 + "…" if shown is None else shown
    assert difference(gone, kept) == wanted


def test_long_spans_are_cut():
    """Of a long span its beginning and its end are shown."""
    shown = difference("a" * 100 + "b" * 100, "c")
    assert shown == "[" + "a" * 40 + "…" + "b" * 40 + "|c]"


def test_side_by_side():
    """Lines that differ are marked, and equal ones are left out but for a few."""
    same = "".join(f"line {number}\n" for number in range(9))
    lines = list(side_by_side(f"{same}left\nend", f"{same}right\nend", 43))
    assert lines == [
        *(f"{f'line {number}':<20}   line {number}" for number in (0, 1)),
        f"{'… 5 equal lines':<20}",
        *(f"{f'line {number}':<20}   line {number}" for number in (7, 8)),
        f"{'left':<20} | right",
        f"{'end':<20}   end",
    ]
    assert not any("|" in line for line in side_by_side(same, same))


@given(st.text(), st.text(), st.integers(0, 200))
def test_any_texts_lie_side_by_side(left, right, width):
    """Any two texts can be shown at any width."""
    assert all(isinstance(line, str) for line in side_by_side(left, right, width))


def plainly(row: Conversation, on: str) -> str | None:
    """What of a conversation is compared, as its docstring has it."""
    if on == "prompt":
        return next((text for role, text in row.messages if role == "user"), None)
    turns = [turn for turn in row.messages if on in {"conversation", turn.role}]
    marks = {role: chr(place + 1) for place, role in enumerate(ROLES)}
    return "".join(marks[role] + text for role, text in turns) if turns else None


@pytest.mark.parametrize("on", LEVELS)
@given(st.lists(CONVERSATION, max_size=7), st.integers(0, 7), st.integers(0, 7))
def test_the_compared_column(on, rows, skip, length):
    """Turns of the wanted role, joined; null without any; the same in slices and in chunks."""
    table = pa.Table.from_batches([to_batch(rows)])
    wanted = [plainly(row, on) for row in rows]
    column = compared(table.column("messages"), on)
    column.validate(full=True)
    assert column.type == pa.large_string()
    assert column.to_pylist() == wanted
    part = compared(table.slice(skip, length).column("messages"), on)
    assert part.to_pylist() == wanted[skip : skip + length]
    chunks = pa.concat_tables([table.slice(skip), table.slice(0, skip)]).column("messages")
    assert compared(chunks, on).to_pylist() == wanted[skip:] + wanted[:skip]
    array = to_batch(rows).column("messages").slice(skip, length)
    assert compared(array, on).to_pylist() == wanted[skip : skip + length]


def test_roles_read_as_words():
    """Control characters that stand for roles become words where a person reads them."""
    row = Conversation(
        (Message("system", "Be kind."), Message("user", "Hi"), Message("assistant", "Yo"))
    )
    text = plainly(row, "conversation")
    assert readable(text) == " system: Be kind. user: Hi assistant: Yo"
