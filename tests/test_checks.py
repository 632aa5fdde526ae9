"""Checks find exactly the rows that break them."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandera.errors import SchemaErrors

from imitation_data.checks import (
    Licenses,
    NoEmptyTurn,
    RolesAlternate,
    TokenRange,
    breaks_schema,
    failing_rows,
    row_schema,
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


def columns_of(count):
    """Rows column by column, some of their values wrong or null."""

    def column(*values):
        return st.lists(st.sampled_from(values), min_size=count, max_size=count)

    right = {"role": "user", "content": "x"}
    turns = column(*([[right]] * 6), [], [{"role": "bot", "content": "x"}], [right, None], None)
    return st.fixed_dictionaries(
        {
            "id": column(*(["0" * 32] * 9), "0" * 31, None),
            "messages": turns,
            "source": column(*"abcdefghi", "", None),
            "origin": column(*"abcdefghi", "", None),
            "part": column(*range(9), -1, None),
            "teacher": column("gpt-4", None),
            "language": column(*(["en", None] * 5), "English"),
            "license": column(*(["MIT", ""] * 5), None),
            "tokens": column(*range(9), -1, None),
            "meta": column(*(["{}"] * 9), "none", None),
        }
    )


@given(st.integers(0, 3).flatmap(columns_of), st.booleans())
@settings(deadline=None)
def test_the_schema_without_pandera_says_what_pandera_says(values, tokens):
    """Rows are held against expressions first; pandera itself names those that break them."""
    turn = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
    kinds = dict.fromkeys(values, pl.String)
    kinds |= {"messages": turn, "part": pl.Int32, "tokens": pl.Int32}
    table = pl.DataFrame(values, schema=kinds)
    try:
        row_schema(tokens=tokens).validate(table, lazy=True)
    except SchemaErrors:
        right = False
    else:
        right = True
    assert breaks_schema(table, tokens=tokens) != right


def test_a_column_missing_or_of_another_type_breaks_the_schema():
    table = frame([Conversation((Message("user", "x"),), "s", "o")])
    assert not breaks_schema(table, tokens=False)
    for other in (
        table.drop("meta"),
        table.drop("teacher"),
        table.with_columns(license=pl.lit(1)),
        table.with_columns(teacher=pl.lit(1)),
    ):
        assert breaks_schema(other, tokens=False)
        assert schema_failures(other, tokens=False)
