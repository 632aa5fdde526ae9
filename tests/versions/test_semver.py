"""Versions follow from rows: missing pairs are major, added ones minor, the rest patch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.versions.semver import (
    SIZES,
    Version,
    column_bump,
    fingerprint,
    larger,
    row_bump,
    sorted_ids,
)

U64 = st.integers(0, 2**64 - 1)
NUMBERS = st.integers(0, 30)
VERSIONS = st.builds(
    Version,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    st.none() | st.tuples(st.sampled_from(["a", "alpha", "beta", "rc"]), st.integers(1, 30)),
)
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


def precedence(text):
    """The rules of semver.org 2.0.0, item 11, over the text: the oracle."""
    core, _, pre = text.partition("-")
    marks = [(0, int(one), "") if one.isdigit() else (1, 0, one) for one in pre.split(".") if one]
    return [int(one) for one in core.split(".")], not pre, marks


@given(VERSIONS, VERSIONS)
def test_order_is_that_of_semver(one, other):
    """Previews come before their release, numbers count as numbers; equal texts are equal."""
    assert (one < other) == (precedence(str(one)) < precedence(str(other)))
    assert (one == other) == (str(one) == str(other))


@given(VERSIONS)
def test_versions_are_read_as_they_are_written(version):
    assert Version.parse(str(version)) == Version.parse(f"v{version}") == version
    assert version.release.channel == ""
    assert version <= version.release


@given(VERSIONS, st.sampled_from(SIZES))
def test_a_bump_comes_after_what_it_bumps(version, bump):
    """A larger bump gives a larger version, and a release."""
    after = version.release.bumped(bump)
    assert (after > version) == (bump != "none" or version.channel != "")
    assert after <= version.release.bumped("major")
    assert not after.channel


@pytest.mark.parametrize(
    "text",
    [
        *("1.0.0-rc", "1.0.0-rc.0", "1.0.0-rc.01", "1.0.0-1", "1.0.0-rc.1.2", "1.0.0-RC.1"),
        *("1.0.0-r1.1", "1.0.0+x", "vv1.0.0", "1.0.0-rc.1 ", "1.0.\u0663", "1.0.0-\u0440\u0441.1"),
        "1.0." + "9" * 5000,
    ],
)
def test_what_is_no_version(text):
    assert Version.parse(text) is None


def test_larger_never_lowers():
    for one in SIZES:
        for other in SIZES:
            assert SIZES.index(larger(one, other)) == max(SIZES.index(one), SIZES.index(other))
        assert larger(one, "first") == larger("first", one) == "first"


@pytest.mark.parametrize(
    ("old", "new", "bump"),
    [
        ({"a": "string"}, {"a": "string"}, "none"),
        ({"a": "string"}, {"a": "string", "b": "int32"}, "minor"),
        ({"a": "string", "b": "int32"}, {"a": "string"}, "major"),
        ({"a": "string"}, {"a": "int32"}, "major"),
        ({"a": "string"}, {"b": "string"}, "major"),
    ],
)
def test_columns_have_a_say(old, new, bump):
    assert column_bump(old, new) == bump
