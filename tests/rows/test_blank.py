"""Blank and placeholder turns."""

import pytest

from imitation_data.ledger import Drop, Edit, Kept
from imitation_data.rows.blank import NOTICES, PLACEHOLDERS, Blank, why_blank
from tests.contract.corpus import talk


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "blank"),
        (" \n\t\u3000", "blank"),
        ("\u200b\u200d\ufeff", "blank"),
        ("\u202e\u2066", "blank"),
        ("\u3164\u2800", "blank"),
        ("\x00\x1f", "blank"),
        ("noinput", "placeholder"),
        (" <NoInput> ", "placeholder"),
        ("N/A", "placeholder"),
        ("...", "placeholder"),
        ("Too many requests in 1 hour. Try again later.", "notice"),
        ("!Too many requests in 1 hour. Try again later.\n", "notice"),
        (
            "An error occurred. If this issue persists please contact us at help.openai.com.",
            "notice",
        ),
    ],
)
def test_turns_that_say_nothing(text, kind):
    assert why_blank(text) == kind


@pytest.mark.parametrize(
    "text",
    [
        *(
            "0",
            "No",
            "None",
            "?",
            "👍",
            "。",
            "\u0301",
            "no input was given to the model",
            "n/a values",
        ),
        *("Network errors come from cables.", "Too many requests", "a\u200b", "<b></b>", "nano"),
        NOTICES[0] + " This is what the page tells you when its servers are busy. " * 9,
    ],
)
def test_short_is_not_blank(text):
    """One character, a number or an emoji is an answer; so is a text about a notice."""
    assert why_blank(text) is None


def test_the_tables_are_written_as_they_are_compared():
    assert all(word == word.strip().casefold() for word in (*PLACEHOLDERS, *NOTICES))


def test_cut_keeps_the_answered_rounds_before():
    row = talk("row", "uauaua", "q1", "a1", "q2", " ", "q3", "a3")
    kept = row.with_messages(row.messages[:2])
    assert Blank()(row) == Kept((kept,), (Edit("blank_turns_cut", 4),))


def test_cut_at_a_blank_question():
    row = talk("row", "suaua", "s", "q1", "a1", "...", "a2")
    kept = row.with_messages(row.messages[:3])
    assert Blank()(row) == Kept((kept,), (Edit("blank_turns_cut", 2),))


@pytest.mark.parametrize("roles", ["ua", "sua", "aua"])
def test_nothing_before_it_drops_the_row(roles):
    texts = ["hello"] * (len(roles) - 1)
    outcome = Blank()(talk("row", roles, *texts, "n/a"))
    assert outcome == Drop(
        "blank_turn", f"placeholder in assistant turn {len(roles)}", "turns with text"
    )


def test_drop_policy_drops_the_row():
    row = talk("row", "uaua", "q1", "a1", "q2", "")
    assert Blank(policy="drop")(row).found == "blank in assistant turn 4"


def test_a_blank_system_turn_is_left_out():
    row = talk("row", "sua", "\u200b", "q", "a")
    kept = row.with_messages(row.messages[1:])
    assert Blank()(row) == Kept((kept,), (Edit("blank_system_cut", 1),))


def test_a_row_without_turns_is_dropped():
    assert Blank()(talk("row", "")).reason == "blank_turn"
