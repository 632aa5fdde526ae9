"""Recipes are compared by the type and order of their steps, options by their names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.diff.changes import aligned, changes_between, options_between
from imitation_data.diff.history import History, SourceTold, StepTold


def steps(*told):
    return tuple(
        StepTold(number, kind, options) for number, (kind, options) in enumerate(told, start=1)
    )


def history(*told, **parts):
    empty = {"head": {}, "checks": (), "sources": {}, "tools": {}, "benchmarks": {}, "ledger": ()}
    return History(steps=steps(*told), **{**empty, **parts})


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["pii", "length", "roles"]), st.fixed_dictionaries({"n": st.integers(0, 1)})
    ),
    max_size=6,
)


@given(STEPS, STEPS)
def test_steps_are_paired_by_type_as_far_as_there_are_any(old, new):
    """No step has two partners, each its own type, and none is left whose type is left, too."""
    one, two = steps(*old), steps(*new)
    pairs = aligned(one, two)
    assert len(set(pairs.values())) == len(pairs)
    assert all(one[before - 1].type == two[after - 1].type for after, before in pairs.items())
    for kind in ("pii", "length", "roles"):
        counts = [sum(step.type == kind for step in side) for side in (one, two)]
        assert sum(two[after - 1].type == kind for after in pairs) == min(counts)


@given(STEPS)
def test_a_recipe_does_not_differ_from_itself(told):
    """Whatever steps it has, nothing is told."""
    changes = changes_between(history(*told), history(*told))
    assert changes.words == {"recipe": [], "sources": [], "tools": []}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ([("pii", {})], [("roles", {}), ("pii", {})], ["step roles is new"]),
        ([("roles", {}), ("pii", {})], [("pii", {})], ["step roles is gone"]),
        ([("pii", {"a": 1})], [("pii", {"a": 2})], ["step pii: a 1 → 2"]),
        (
            [("pii", {"a": 1}), ("pii", {"a": 2})],
            [("pii", {"a": 2})],
            ["step pii is gone"],
        ),
        (
            [("pii", {}), ("roles", {})],
            [("roles", {}), ("pii", {})],
            ["step pii: it stands at another place"],
        ),
        (
            [("split", {"shares": {"a": 1.0}})],
            [("split", {"shares": {"a": 0.5, "b": 0.5}})],
            ["step split: shares.a 1.0 → 0.5, shares.b (none) → 0.5"],
        ),
    ],
)
def test_steps_in_words(old, new, words):
    """Equal steps are paired before others, so that what is left is what changed."""
    assert changes_between(history(*old), history(*new)).words["recipe"] == words


def test_what_steps_follow_beside_their_options():
    """The seed counts for steps that draw, benchmarks for the look at leakage."""
    told = [("sample", {"rows": 2}), ("leakage", {}), ("pii", {})]
    old = history(*told, head={"seed": 1}, benchmarks={"koala": "aa"})
    new = history(*told, head={"seed": 2}, benchmarks={"koala": "bb"})
    assert changes_between(old, new).words["recipe"] == [
        "seed 1 → 2",
        "step sample: seed 1 → 2",
        "step leakage: items of koala aa → bb",
    ]


def test_sources_in_words():
    """Options, files by what became of them, and how many records there were."""
    same = SourceTold({"license": "MIT"}, {"a": "1", "b": "2"}, "x", 10)
    other = SourceTold({"license": "CC0-1.0"}, {"a": "3", "c": "4"}, "y", 12)
    old, new = (
        history(sources={"web": same, "gone": same}),
        history(sources={"web": other, "new": other}),
    )
    assert changes_between(old, new).words["sources"] == [
        "source web: license MIT → CC0-1.0, files: 1 changed, 1 new, 1 gone (10 → 12 records)",
        "source new is new (12 records)",
        "source gone is gone (10 records)",
    ]


def test_long_options_are_told_by_what_differs():
    """Of long lists what only one has; of long texts the beginning."""
    words = [f"word number {n}" for n in range(30)]
    (change,) = options_between({"words": words}, {"words": [*words[1:], "another"]})
    assert str(change) == "words [word number 0] → [another]"
    (change,) = options_between({"text": "x" * 500}, {"text": "y"})
    assert len(str(change)) < 90
