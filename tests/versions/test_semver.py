"""Versions follow from rows: missing pairs are major, added ones minor, the rest patch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.versions.semver import Version, fingerprint, row_bump, sorted_ids

U64 = st.integers(0, 2**64 - 1)
IDS = st.lists(st.tuples(U64, U64), max_size=8)


def pairs(**splits):
    return {
        name: sorted_ids(np.frombuffer(np.array(ids, ">u8").tobytes(), "S16"))
        for name, ids in splits.items()
    }


@pytest.mark.parametrize(
    ("old", "new", "bump"),
    [
        ({"train": [(1, 1), (2, 2)]}, {"train": [(2, 2), (1, 1)]}, "none"),
        ({"train": [(1, 1)]}, {"train": [(1, 1), (2, 2)]}, "minor"),
        ({"train": [(1, 1), (2, 2)]}, {"train": [(1, 1)]}, "major"),
        ({"train": [(1, 1), (1, 1)]}, {"train": [(1, 1)]}, "major"),
        ({"train": [(1, 1)]}, {"train": [(1, 1), (1, 1)]}, "minor"),
        ({"train": [(1, 1)], "test": [(2, 2)]}, {"train": [(1, 1), (2, 2)], "test": []}, "major"),
        ({"train": [(1, 1)]}, {"train": [(1, 1)], "test": [(2, 2)]}, "minor"),
        ({"train": [(0, 0)]}, {"train": [(0, 256)]}, "major"),
    ],
)
def test_bump(old, new, bump):
    assert row_bump(pairs(**old), pairs(**new)) == bump


@given(IDS, IDS)
def test_bump_agrees_with_multisets(old, new):
    """The oracle is collections.Counter."""
    from collections import Counter  # noqa: PLC0415

    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    expected = "major" if gone else "minor" if come else "none"
    assert row_bump(pairs(train=old), pairs(train=new)) == expected


@given(IDS)
def test_fingerprint_ignores_order_and_sees_splits(ids):
    assert fingerprint(pairs(train=ids)) == fingerprint(pairs(train=ids[::-1]))
    if ids:
        assert fingerprint(pairs(train=ids)) != fingerprint(pairs(test=ids))
        assert fingerprint(pairs(train=ids)) != fingerprint(pairs(train=[*ids, ids[0]]))


def test_version_order_and_form():
    assert Version.parse("v1.10.0") > Version.parse("1.9.9")
    assert Version.parse("1.02.0") is None
    assert Version.parse("1.2") is None
    assert str(Version(1, 2, 3).bumped("minor")) == "1.3.0"
    assert str(Version(1, 2, 3).bumped("major")) == "2.0.0"
