"""Samples and mixes: exact counts, luck that follows identity, errors with the answer in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data import apply_dataset_step
from imitation_data.errors import StepError
from imitation_data.sampling import Mix, Sample, plan_mix
from tests.conftest import row


def rows_of(**counts: int) -> list:
    return [
        row(f"{source} {n}", "ok", source=source)
        for source, count in counts.items()
        for n in range(count)
    ]


def test_sample_keeps_the_count_and_depends_on_the_seed():
    rows = rows_of(a=200)
    first = apply_dataset_step(Sample(rows=50), rows, "1/sample")[0]
    assert len(first) == 50
    assert apply_dataset_step(Sample(rows=50), rows, "1/sample")[0] == first
    assert apply_dataset_step(Sample(rows=50), rows, "2/sample")[0] != first


def test_sample_is_not_the_head_of_the_file():
    """A sample of half the rows takes about half from each half."""
    rows = rows_of(a=2000)
    kept = apply_dataset_step(Sample(share=0.5), rows)[0]
    head = sum(
        one in kept[:1000] and int(one.origin.split()[1].split("/")[0]) < 1000 for one in kept
    )
    assert 430 < head < 570


def test_a_row_keeps_its_luck_when_others_come():
    """Adding rows moves few: who is in a 50 % sample stays mostly the same."""
    before = {one.key for one in apply_dataset_step(Sample(share=0.5), rows_of(a=1000))[0]}
    after = {one.key for one in apply_dataset_step(Sample(share=0.5), rows_of(a=1000, b=20))[0]}
    assert len(before & after) > 470


def test_mix_meets_its_shares():
    rows = rows_of(a=300, b=90, c=10)
    kept = apply_dataset_step(Mix({"a": 0.5, "b": 0.5}), rows)[0]
    counts = [sum(one.source == name for one in kept) for name in "abc"]
    assert counts == [90, 90, 0]


def test_mix_error_gives_the_largest_total():
    with pytest.raises(StepError, match=r"'b' has 90 rows .* the largest total .* is 180"):
        apply_dataset_step(Mix({"a": 0.5, "b": 0.5}, rows=400), rows_of(a=300, b=90))


@given(
    sizes=st.dictionaries(st.sampled_from("abcd"), st.integers(1, 10**6), min_size=1),
    weights=st.lists(st.integers(1, 100), min_size=4, max_size=4),
)
def test_the_largest_total_works_and_more_does_not(sizes, weights):
    """The computed total is reachable, and a noticeably larger one is refused."""
    parts = dict(zip(sizes, weights, strict=False))
    shares = {name: part / sum(parts.values()) for name, part in parts.items()}
    plan = plan_mix(sizes, shares)
    assert all(0 <= plan[name] <= sizes[name] for name in plan)
    total = max(int(plan[name] / shares[name]) for name in plan) + 2 + 2 * len(sizes)
    tightest = min(shares, key=lambda name: sizes[name] / shares[name])
    with pytest.raises(StepError, match="largest total"):
        plan_mix(sizes, shares, total + int(2 / shares[tightest]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Sample, "either rows or share"),
        (lambda: Sample(rows=1, share=0.5), "either rows or share"),
        (lambda: Sample(share=1.5), "at most 1"),
        (lambda: Mix({"a": 0.5}), "sum to 0.5"),
        (lambda: Mix({"a": 1.5, "b": -0.5}), "not above 0"),
    ],
)
def test_impossible_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
