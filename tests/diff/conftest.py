"""Versions built for real, and compared."""

import pytest

from imitation_data import build
from imitation_data.diff.compare import compare
from imitation_data.diff.sides import side_of
from tests.conftest import sharegpt


@pytest.fixture
def built(write_recipe, tmp_path):
    """A function: build conversations by source under a recipe; give the stored version."""

    def make(sources, *steps, **keys):
        files = {
            name: one if isinstance(one, str) else sharegpt(one) for name, one in sources.items()
        }
        path = write_recipe(files, steps=list(steps), **keys)
        return build(path, store=tmp_path / "store", workers=1).stored

    return make


def between(old, new):
    """The diff of two versions, whose causes add up."""
    diff = compare(side_of(old), side_of(new))
    for kind, count in diff.counts.items():
        assert sum(cause.rows for cause in diff.causes if cause.kind == kind) == count
    return diff


def told(diff):
    """Kind, slug, rows and words of each cause."""
    return [(cause.kind, cause.why, cause.rows, cause.words) for cause in diff.causes]
