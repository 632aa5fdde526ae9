"""Dividing long conversations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.conversation import Message
from imitation_data.ledger import Drop, Edit, Kept
from imitation_data.rows.divide import Divide, split_rounds
from tests.contract.corpus import talk


def rounds(*sizes: int, system: int = 0):
    """A row of rounds of these many bytes each, half a question and half an answer."""
    texts = [letter * (size // 2) for n, size in enumerate(sizes) for letter in (f"{n % 10}", "a")]
    if system:
        return talk("row", "s" + "ua" * len(sizes), "s" * system, *texts)
    return talk("row", "ua" * len(sizes), *texts)


def divided(row, **options):
    step = Divide(**{"encoding": "bytes", "per_turn": 0, "max_tokens": 100, **options})
    outcome = step(row)
    if isinstance(outcome, Drop):
        return outcome
    shapes = [
        "".join(f"{role[0]}{len(text)}" for role, text in each.messages) for each in outcome.rows
    ]
    return shapes, {edit.kind: edit.count for edit in outcome.edits}


def test_a_row_that_fits_is_left_alone():
    row = rounds(40, 40)
    assert Divide(max_tokens=80, per_turn=0, encoding="bytes")(row) == Kept((row,))


def test_the_last_round_is_not_lost():
    """Three rounds of 40 at a limit of 100: the usual splitter keeps two."""
    assert divided(rounds(40, 40, 40)) == (["u20a20u20a20", "u20a20"], {"divided": 2})


def test_one_over_long_round_is_kept_or_dropped_in_the_open():
    row = rounds(120)
    step = Divide(max_tokens=100, per_turn=0, encoding="bytes")
    assert step(row) == Kept((row,), (Edit("oversize_round", 1),))
    assert divided(row, oversize="drop") == Drop("oversize_round", "120 tokens", 100)


def test_an_over_long_round_stands_alone():
    row = rounds(40, 120, 40, 40)
    assert divided(row) == (
        ["u20a20", "u60a60", "u20a20u20a20"],
        {"divided": 3, "oversize_round": 1},
    )
    assert divided(row, oversize="drop") == (
        ["u20a20", "u20a20u20a20"],
        {"divided": 2, "oversize_round_dropped": 1},
    )


def test_the_system_turn_goes_along_and_counts():
    row = rounds(40, 40, 40, system=20)
    assert divided(row) == (["s20u20a20u20a20", "s20u20a20"], {"divided": 2})
    assert divided(rounds(40, 40, 40, system=21)) == (["s21u20a20"] * 3, {"divided": 3})
    assert divided(rounds(40, 40, 40, system=21), system="first") == (
        ["s21u20a20", "u20a20u20a20"],
        {"divided": 2},
    )


def test_a_system_turn_over_the_limit_makes_every_round_oversize():
    row = rounds(20, 20, system=90)
    assert divided(row) == (["s90u10a10"] * 2, {"divided": 2, "oversize_round": 2})
    assert divided(row, system="first") == (
        ["s90u10a10", "u10a10"],
        {"divided": 2, "oversize_round": 1},
    )


def test_each_turn_costs_what_its_template_adds():
    assert divided(rounds(40, 40), per_turn=5) == (["u20a20u20a20"], {})
    assert divided(rounds(40, 40), per_turn=6) == (["u20a20"] * 2, {"divided": 2})


def test_pieces_keep_the_keys_of_the_row():
    row = rounds(40, 40, 40)
    for piece in Divide(max_tokens=100, per_turn=0, encoding="bytes")(row).rows:
        assert (piece.source, piece.origin, piece.part) == (row.source, row.origin, row.part)
        assert piece.tokens is None


@pytest.mark.parametrize(
    ("roles", "cut"),
    [
        ("", []),
        ("ua", ["ua"]),
        ("uaua", ["ua", "ua"]),
        ("aua", ["a", "ua"]),
        ("uauu", ["ua", "uu"]),
        ("uuaaua", ["uuaa", "ua"]),
        ("usaua", ["usa", "ua"]),
    ],
)
def test_rounds_begin_where_a_user_follows_an_assistant(roles, cut):
    row = talk("row", roles, *roles)
    assert ["".join(m.role[0] for m in each) for each in split_rounds(row.messages)] == cut


messages = st.builds(Message, st.sampled_from(("user", "assistant")), st.text("ab", max_size=30))


@given(
    turns=st.lists(messages, max_size=20),
    system=st.sampled_from(("", "s" * 3, "s" * 25)),
    limit=st.integers(1, 90),
    where=st.sampled_from(("repeat", "first")),
)
def test_pieces_joined_are_the_conversation(turns, system, limit, where):
    """Nothing is lost and nothing moves; only the pieces that are counted exceed the limit."""
    head = (Message("system", system),) if system else ()
    row = talk("row", "").with_messages((*head, *turns))
    step = Divide(max_tokens=limit, encoding="bytes", per_turn=1, system=where)
    outcome = step(row)
    assert isinstance(outcome, Kept) or not turns
    if isinstance(outcome, Drop):
        return
    kept = [
        message for piece in outcome.rows for message in piece.messages if message.role != "system"
    ]
    assert kept == turns
    sizes = [sum(len(text) + 1 for text in piece.texts()) for piece in outcome.rows]
    over = {edit.kind: edit.count for edit in outcome.edits}.get("oversize_round", 0)
    assert sum(size > limit for size in sizes) == over
    for piece in outcome.rows[1:]:
        assert (piece.messages[0].role == "system") == bool(head and where == "repeat")


@given(turns=st.lists(messages, min_size=1, max_size=20), limit=st.integers(1, 90))
def test_dropped_rounds_are_counted(turns, limit):
    row = talk("row", "").with_messages(turns)
    outcome = Divide(max_tokens=limit, encoding="bytes", per_turn=1, oversize="drop")(row)
    whole = list(split_rounds(row.messages))
    fit = [each for each in whole if sum(len(text) + 1 for _, text in each) <= limit]
    if isinstance(outcome, Drop):
        assert not fit
        return
    assert [m for piece in outcome.rows for m in piece.messages] == [
        m for each in fit for m in each
    ]
    dropped = {edit.kind: edit.count for edit in outcome.edits}.get("oversize_round_dropped", 0)
    assert dropped == len(whole) - len(fit)


@pytest.mark.parametrize("options", [{"max_tokens": 0}, {"per_turn": -1}])
def test_options_are_checked(options):
    with pytest.raises(ValueError, match="found"):
        Divide(**options)
