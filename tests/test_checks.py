"""Checks find exactly the rows that break them."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.checks import (
    Licenses,
    NoEmptyTurn,
    RolesAlternate,
    TokenRange,
    failing_rows,
    schema_failures,
)
from imitation_data.conversation import Conversation, Message, to_batch

ROLE = st.sampled_from(["system", "user", "assistant"])
TEXT = st.sampled_from(["hello", "", " \n\t", "你好", "\u3000"])
ROWS = st.lists(
    st.lists(st.builds(Message, ROLE, TEXT), min_size=1, max_size=6).map(
        lambda turns: Conversation(tuple(turns), "s", "o")
    ),
    min_size=1,
    max_size=8,
)


def frame(rows):
    return pl.DataFrame(pl.from_arrow(to_batch(rows)))


def alternates(row) -> bool:
    roles = [role for role, _ in row.messages]
    roles = roles[1:] if roles[0] == "system" else roles
    return (
        bool(roles)
        and len(roles) % 2 == 0
        and all(role == ("user", "assistant")[place % 2] for place, role in enumerate(roles))
    )


@given(ROWS)
def test_row_checks_agree_with_plain_python(rows):
    """The polars expressions and a loop find the same rows."""
    table = frame(rows)
    assert failing_rows(table, RolesAlternate()).rows == sum(not alternates(row) for row in rows)
    empty = sum(any(not text.strip() for text in row.texts()) for row in rows)
    assert failing_rows(table, NoEmptyTurn()).rows == empty


def test_failing_rows_are_named():
    rows = [
        Conversation((Message("user", str(n)),), "s", "o", license="MIT", tokens=n)
        for n in range(40)
    ]
    failing = failing_rows(frame(rows), TokenRange(least=30, most=35))
    assert failing.rows == 34
    assert failing.ids == tuple(row.id for row in rows[:20])
    assert failing_rows(frame(rows), Licenses(("MIT",))).rows == 0
    assert failing_rows(frame(rows), Licenses(("CC0-1.0",))).rows == 40


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"source": ""}, "source"),
        ({"origin": ""}, "origin"),
        ({"part": -1}, "part"),
        ({"language": "english"}, "language"),
        ({"tokens": -1}, "tokens"),
        ({"tokens": None}, "tokens"),
        ({"meta": "none"}, "meta"),
        ({"messages": ()}, "messages"),
        ({"messages": (Message("bot", "x"),)}, "messages"),
    ],
)
def test_schema_finds_each_broken_column(change, column):
    """One broken row among good ones is found by its id, for each column."""
    good = {"messages": (Message("user", "x"),), "source": "s", "origin": "o", "tokens": 1}
    rows = [Conversation(**good), Conversation(**{**good, **change})]
    failures = schema_failures(frame(rows), tokens=True)
    assert {name: found.ids for name, found in failures.items()} == {column: (rows[1].id,)}


def test_schema_passes_good_rows():
    row = Conversation((Message("user", "x"),), "s", "o", language="en", tokens=None)
    assert schema_failures(frame([row]), tokens=False) == {}
    assert set(schema_failures(frame([row]), tokens=True)) == {"tokens"}
