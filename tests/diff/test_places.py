"""Where a record stood in its file is no part of what is compared."""

from imitation_data.diff.compare import compare
from imitation_data.diff.sides import side_of
from imitation_data.runner import build
from tests.conftest import sharegpt

TALKS = {f"t{n}": [f"What is {n}?", f"It is {n}."] for n in range(20)}


def test_a_record_that_is_put_first_annotates_no_other(write_recipe, tmp_path):
    """All others stand one further down: one row added, and nothing else is told."""
    recipe = write_recipe({"web": sharegpt(TALKS)})
    old = build(recipe, store=tmp_path / "store", workers=1).stored
    write_recipe({"web": sharegpt({"new": ["Who?", "Nobody."], **TALKS})})
    new = build(recipe, store=tmp_path / "store", workers=1).stored
    diff = compare(side_of(old), side_of(new))
    assert {kind: count for kind, count in diff.counts.items() if count} == {"added": 1}
