"""A diff is exact: applied to one side it gives the other, whatever rows there are."""

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_data.conversation import Conversation, Message, to_batch
from imitation_data.diff.compare import compare
from imitation_data.diff.match import KINDS
from imitation_data.diff.sides import open_sides
from imitation_data.versions.semver import row_bump, sorted_ids
from imitation_data.versions.store import Store

SPLITS = ("test", "train")
FEW = st.sampled_from("ab")
ROWS = st.lists(
    st.tuples(
        st.builds(
            lambda text, source, origin, part, teacher, meta: Conversation(
                (Message("user", text),), source, origin, part, teacher, meta=meta
            ),
            *(st.sampled_from("xyz"), FEW, FEW, st.integers(0, 1)),
            *(st.sampled_from([None, "t"]), st.sampled_from(["{}", '{"k":1}'])),
        ),
        st.sampled_from(SPLITS),
    ),
    max_size=9,
)


def write(folder, rows):
    """Rows as Parquet files, one a split, as versions and other tools have them."""
    folder.mkdir()
    for split in SPLITS:
        mine = [row for row, where in rows if where == split]
        table = pa.Table.from_batches([to_batch(mine)])
        pq.write_table(table, folder / f"{split}-00000-of-00001.parquet")
    return str(folder)


def in_order(rows):
    """Rows as their files have them, with repeats of a key numbered."""
    seen = Counter()
    found = []
    for row, split in sorted(rows, key=lambda pair: pair[1]):
        key = (row.source, row.origin, row.part)
        found.append(((*key, seen[key]), split, row))
        seen[key] += 1
    return found


def applied(diff, old, new):
    """The old rows by key after what the diff says is done to them; content comes from `new`."""
    rows = {key: (split, row) for key, split, row in old}
    for kind in ("removed", "rekeyed", "changed", "moved", "annotated"):
        for place in diff.rows[kind]["old"]:
            del rows[old[place][0]]
    for kind in ("added", "rekeyed", "changed", "moved", "annotated"):
        for place in diff.rows[kind]["new"]:
            key, split, row = new[place]
            assert key not in rows
            rows[key] = (split, row)
    return rows


def pairs(rows):
    ids = {split: [row.id for row, where in rows if where == split] for split in SPLITS}
    return {
        split: sorted_ids(np.array([bytes.fromhex(one) for one in some], "S16"))
        for split, some in ids.items()
        if some
    }


def both_ways(old, new):
    with tempfile.TemporaryDirectory() as name:
        paths = [write(Path(name) / side, rows) for side, rows in (("one", old), ("two", new))]
        store = Store(Path(name) / "store")
        return [compare(*open_sides(*some, store)) for some in (paths, paths[::-1])]


@settings(max_examples=80)
@given(ROWS, ROWS)
def test_a_diff_applied_gives_the_other_side(old, new):
    """Rows it does not name are equal in every column; its bump and its mirror are as they must."""
    diff, back = both_ways(old, new)
    before, after = in_order(old), in_order(new)
    assert applied(diff, before, after) == {key: (split, row) for key, split, row in after}
    assert all(diff.rows[kind]["old" if kind == "removed" else "new"].is_sorted() for kind in KINDS)
    assert diff.bump == row_bump(pairs(old), pairs(new))
    gone, come = (Counter((split, row.id) for row, split in rows) for rows in (old, new))
    assert (diff.missing, diff.fresh) == ((gone - come).total(), (come - gone).total())
    mirror = {"added": "removed", "removed": "added"}
    for kind in KINDS:
        rows, other = diff.rows[kind], back.rows[mirror.get(kind, kind)]
        assert places(rows["old"], rows["new"]) == places(other["new"], other["old"])
        assert sorted(rows["columns"]) == sorted(other["columns"])


def places(one, two):
    return sorted(zip(one, two, strict=True), key=str)


@settings(max_examples=10)
@given(ROWS)
def test_a_side_does_not_differ_from_itself(rows):
    """No row is named, and no version would follow."""
    diff, _ = both_ways(rows, rows)
    assert set(diff.counts.values()) == {0}
    assert diff.bump == "none"
    assert diff.fingerprints[0] == diff.fingerprints[1]


def row(text, origin, source="a", **more):
    return Conversation((Message("user", text),), source, origin, **more)


def test_every_kind():
    """One row of each kind, and one that is the same."""
    old = [
        (row("same", "0"), "train"),
        (row("gone", "1"), "train"),
        (row("before", "2"), "train"),
        (row("moved", "3"), "train"),
        (row("noted", "4", license="MIT"), "train"),
        (row("copied", "5"), "train"),
    ]
    new = [
        (row("same", "0"), "train"),
        (row("after", "2"), "test"),
        (row("moved", "3"), "test"),
        (row("noted", "4", license="CC0-1.0", tokens=3), "train"),
        (row("copied", "6", "b"), "train"),
        (row("come", "7"), "train"),
    ]
    diff, _ = both_ways(old, new)
    assert diff.counts == dict.fromkeys(KINDS, 1)
    assert diff.rows["annotated"]["columns"].to_list() == ["license, tokens"]
    assert diff.rows["changed"].row(0, named=True)["new_split"] == "test"
    assert (diff.rows["rekeyed"]["old_origin"][0], diff.rows["rekeyed"]["new_source"][0]) == (
        "5",
        "b",
    )
    assert diff.by_source["b"]["rekeyed"] == 1
    assert (diff.read, diff.kept) == (6, 3)


def test_two_rows_that_swap_their_content_change_nothing_for_a_trainer():
    """Both are named as changed, and the set of contents asks for no new number."""
    old = [(row("x", "1"), "train"), (row("y", "2"), "train")]
    new = [(row("y", "1"), "train"), (row("x", "2"), "train")]
    diff, _ = both_ways(old, new)
    assert diff.counts["changed"] == 2
    assert diff.bump == "none"
