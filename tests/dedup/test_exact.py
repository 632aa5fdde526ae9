"""Exact dedup: equal rows always go, distinct ones never; who stays does not depend on order."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data import apply_dataset_step
from imitation_data.dedup.exact import ExactDedup
from tests.conftest import row

WORDS = st.sampled_from(
    ["Write a haiku", "Hello there, friend", "HELLO there,  friend", "你好,世界你好", "x"]
)
ROWS = st.lists(
    st.builds(
        lambda texts, source, number: row(*texts, source=source, origin=f"o{number}"),
        st.lists(WORDS, min_size=1, max_size=5),
        st.sampled_from(["a", "b"]),
        st.integers(0, 10_000),
    ),
    max_size=25,
)
LEVELS = ["conversation", "first_user", "any_query"]


def test_equal_conversations_leave_one_and_name_it():
    """Case, width and white space do not make a difference; the ledger says which row stayed."""
    rows = [
        row("Ｈello  WORLD", "yes", origin="o1"),
        row("hello world", "Yes", origin="o2"),
        row("hi", "yes"),
    ]
    kept, dropped, _ = apply_dataset_step(ExactDedup(), rows)
    assert len(kept) == 2
    ((gone, drop),) = dropped
    assert drop.reason == "duplicate_conversation"
    assert drop.other in {one.key for one in kept}
    assert gone.key != drop.other


def test_distinct_short_rows_stay():
    """Short texts are compared as they are, never merged for being short."""
    rows = [
        row(text, "ok")
        for text in ("Hello", "hello!", "Write a haiku", "Translate this", "Sort a list")
    ]
    assert apply_dataset_step(ExactDedup("first_user"), rows)[0] == rows


def test_role_matters_to_whole_conversations():
    """The same words from the other speaker are another conversation."""
    swapped = row("a", "b")
    swapped = swapped.with_messages(
        [swapped.messages[0]._replace(role="assistant"), swapped.messages[1]]
    )
    assert len(apply_dataset_step(ExactDedup(), [row("a", "b"), swapped])[0]) == 2


def test_source_priority_then_longest_stays():
    """The preferred source wins over length; within a source the longest conversation wins."""
    short = row("What is a monad?", "A burrito.", source="b", origin="short")
    long = row(
        "what is a MONAD?", "A monoid in the category of endofunctors.", source="b", origin="long"
    )
    preferred = row("What is a monad?", "No.", source="a", origin="p")
    rows = [short, long]
    assert apply_dataset_step(ExactDedup("first_user"), rows)[0] == [long]
    assert apply_dataset_step(ExactDedup("first_user", priority=("a",)), [*rows, preferred])[0] == [
        preferred
    ]


def test_one_shared_query_is_enough_but_not_a_short_one():
    """Under any_query a later turn counts, `continue` does not."""
    one = row("Tell me about whales", "…", "continue", "…", origin="one")
    two = row(
        "Tell me about ants",
        "…",
        "tell me about whales",
        "…",
        "more please, now",
        "…",
        origin="two",
    )
    three = row("Tell me about bees", "…", "continue", "…", origin="three")
    kept, dropped, _ = apply_dataset_step(ExactDedup("any_query"), [one, two, three])
    assert kept == [two, three]
    assert [drop.other for _, drop in dropped] == [two.key]


@pytest.mark.parametrize("level", LEVELS)
@given(rows=ROWS, seed=st.integers(0, 5))
def test_laws(level, rows, seed):
    """Every row is kept or named; a second pass finds nothing; input order changes nothing."""
    unique = list({one.key: one for one in rows}.values())
    step = ExactDedup(level, priority=("b",))
    kept, dropped, _ = apply_dataset_step(step, unique)
    assert len(kept) + len(dropped) == len(unique)
    keys = {one.key for one in kept}
    assert all(drop.other in keys for _, drop in dropped)
    assert not apply_dataset_step(step, kept)[1]
    # Sources are numbered by appearance, so the priority must name the winner for this to hold.
    shuffled = Random(seed).sample(unique, len(unique))
    again = ExactDedup(level, priority=("b", "a"))
    first = {one.key for one in apply_dataset_step(again, unique)[0]}
    second = {one.key for one in apply_dataset_step(again, shuffled)[0]}
    assert first == second


@given(rows=ROWS)
def test_conversation_level_equals_a_dictionary(rows):
    """What stays is one row for each distinct normalised conversation: the plain oracle."""
    unique = list({one.key: one for one in rows}.values())
    step = ExactDedup()
    assert len(apply_dataset_step(step, unique)[0]) == len({step.key_texts(one) for one in unique})
