"""Splits: nothing that belongs together stands in two of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data import apply_dataset_step
from imitation_data.dedup.exact import ExactDedup
from imitation_data.errors import StepError
from imitation_data.splits import Split
from tests.conftest import row

SHARES = {"train": 0.8, "test": 0.2}
TEXTS = st.sampled_from(
    [f"A question of number {n}, please" for n in range(12)] + ["ok", "continue"]
)


def split_of(rows, step=None):
    decision = apply_dataset_step(step or Split(SHARES), rows)[2]
    return np.array(decision.splits)[decision.split]


def test_shares_are_met_on_average():
    rows = [row(f"Question number {n} of many", "yes") for n in range(5000)]
    share = np.mean(split_of(rows) == "test")
    assert 0.18 < share < 0.22


def test_pieces_of_one_record_stay_together():
    rows = [row(f"Piece {n} of a long talk", "yes", origin="same", part=n) for n in range(40)]
    assert len(set(split_of(rows).tolist())) == 1


def test_a_large_group_is_as_likely_to_be_test_as_a_small_one():
    """The smallest of many numbers is small: unscrambled, large groups would all be train."""
    rows = [
        row(f"Group {group} piece {n} of it", "yes", origin=f"g{group}", part=n)
        for group in range(300)
        for n in range(20)
    ]
    share = np.mean(split_of(rows) == "test")
    assert 0.12 < share < 0.28


def test_a_group_that_swallows_the_dataset_is_refused():
    rows = [row("The very same question here", f"answer {n}", origin=f"o{n}") for n in range(200)]
    with pytest.raises(StepError, match="200 of 200 rows are linked into one group"):
        split_of(rows)


@given(
    st.lists(st.lists(TEXTS, min_size=1, max_size=6), min_size=1, max_size=60),
    st.sampled_from(["conversation", "first_user", "any_query"]),
)
def test_no_key_stands_in_two_splits(conversations, link):
    """For every link level: equal keys, and whatever is linked through others, share a split."""
    rows = [row(*texts, origin=f"o{n // 2}", part=n % 2) for n, texts in enumerate(conversations)]
    step = Split(SHARES, link=link)
    split = split_of(rows, step)
    seen: dict[object, str] = {}
    for one, mine in zip(rows, split.tolist(), strict=True):
        keys = [*ExactDedup(link).key_texts(one), *ExactDedup().key_texts(one), one.origin]
        for key in keys:
            assert seen.setdefault(key, mine) == mine


@given(st.permutations(range(30)))
def test_order_of_rows_changes_nothing(order):
    rows = [row(f"Question {n // 2} for the ages", str(n), origin=f"o{n}") for n in range(30)]
    there = dict(zip((one.key for one in rows), split_of(rows).tolist(), strict=True))
    shuffled = [rows[place] for place in order]
    assert there == dict(
        zip((one.key for one in shuffled), split_of(shuffled).tolist(), strict=True)
    )
