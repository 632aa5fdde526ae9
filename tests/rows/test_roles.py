"""Role repair."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.conversation import Message
from imitation_data.ledger import Drop, Edit, Kept
from imitation_data.rows.roles import Roles
from tests.contract.corpus import talk


def spoken(row) -> str:
    return "".join(message.role[0] for message in row.messages)


def repaired(roles: str, step: Roles | None = None):
    """Roles and edits of a row whose turns read 0, 1, 2 …; or the drop."""
    row = talk("row", roles, *map(str, range(len(roles))))
    outcome = (step or Roles())(row)
    if isinstance(outcome, Drop):
        return outcome.reason
    (kept,) = outcome.rows
    return spoken(kept), {edit.kind: edit.count for edit in outcome.edits}


@pytest.mark.parametrize("roles", ["ua", "sua", "uaua", "suauaua"])
def test_alternating_rows_are_the_same_object(roles):
    """Nothing to repair, nothing touched."""
    row = talk("row", roles, *roles)
    assert Roles()(row) == Kept((row,))
    assert Roles()(row).rows[0] is row


@pytest.mark.parametrize(
    ("roles", "became", "edits"),
    [
        ("aua", "ua", {"leading_turn_cut": 1}),
        ("saaua", "sua", {"leading_turn_cut": 2}),
        ("uau", "ua", {"trailing_turn_cut": 1}),
        ("uauu", "ua", {"trailing_turn_cut": 2}),
        ("uua", "ua", {"turns_merged": 1}),
        ("uaaaua", "uaua", {"turns_merged": 2}),
        ("ssua", "sua", {"turns_merged": 1}),
        ("usa", "ua", {"late_system_cut": 1}),
        ("usua", "ua", {"late_system_cut": 1, "turns_merged": 1}),
        ("aausuaau", "ua", {"late_system_cut": 1, "leading_turn_cut": 2, "trailing_turn_cut": 1,
                            "turns_merged": 2}),
    ],
)  # fmt: skip
def test_every_repair_is_an_edit(roles, became, edits):
    assert repaired(roles) == (became, edits)


def test_merged_turns_are_joined_by_a_blank_line_in_order():
    (row,) = Roles()(talk("row", "uuaa", "one", "two", "three", "four")).rows
    assert row.messages == (Message("user", "one\n\ntwo"), Message("assistant", "three\n\nfour"))


@pytest.mark.parametrize("roles", ["", "s", "u", "a", "au", "uu", "sss", "aaauuu"])
def test_a_row_nobody_answers_is_dropped(roles):
    assert repaired(roles) == "no_round"


def test_no_round_says_who_spoke():
    assert Roles()(talk("row", "suu", "x", "y", "z")).found == "1 system, 2 user"
    assert Roles()(talk("row", "")).found == "no turns"


@pytest.mark.parametrize(
    ("roles", "option", "became"),
    [
        ("aua", {"drop_leading": False}, ("aua", {})),
        ("uau", {"drop_trailing": False}, ("uau", {})),
        ("uua", {"repeated": "drop"}, "repeated_role"),
        ("ssua", {"repeated": "drop"}, "repeated_role"),
        ("aaua", {"repeated": "drop"}, ("ua", {"leading_turn_cut": 2})),
        ("usa", {"late_system": "drop"}, "late_system"),
        ("sua", {"late_system": "drop"}, ("sua", {})),
    ],
)
def test_policies_can_be_chosen(roles, option, became):
    assert repaired(roles, Roles(**option)) == became


@given(st.text("sua", max_size=12))
def test_no_text_is_lost_but_what_the_edits_count(roles):
    """Turns that were kept or merged, and those cut, add up to the turns of the row."""
    outcome = Roles()(talk("row", roles, *(f"<{n}>" for n in range(len(roles)))))
    if isinstance(outcome, Drop):
        return
    (row,) = outcome.rows
    assert spoken(row).removeprefix("s") == "ua" * (len(spoken(row).removeprefix("s")) // 2)
    counts = {edit.kind: edit.count for edit in outcome.edits}
    cut = sum(count for kind, count in counts.items() if kind.endswith("_cut"))
    shown = sum(text.count("<") for text in row.texts())
    assert shown + cut == len(roles)
    assert len(row.messages) + counts.get("turns_merged", 0) == shown
    assert Edit("turns_merged", 0) not in outcome.edits
