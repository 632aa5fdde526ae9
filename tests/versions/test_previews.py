"""Previews on channels, and bumps that are asked for."""

import json

import orjson
import pytest

from imitation_data import build
from imitation_data.errors import StoreError
from imitation_data.versions.coming import Release
from imitation_data.versions.store import Store
from tests.conftest import sharegpt

RC = Release(channel="rc")


@pytest.fixture
def builds(write_recipe, tmp_path):
    """Build so many rows; give the version's number and whether it is new."""

    def run(count, release=Release(), **keys):  # noqa: B008 - frozen
        talks = {f"t{n}": [f"What is {n}?", f"It is {n}."] for n in range(count)}
        recipe = write_recipe({"one": sharegpt(talks)}, tokens="none", **keys)
        built = build(recipe, store=tmp_path / "store", workers=1, release=release)
        return str(built.stored.version), built.new

    return run


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_previews_count_from_the_latest_release(builds, store):
    """Each change is the next number of the release that would come; no change is no preview."""
    assert builds(3, RC) == ("1.0.0-rc.1", True)
    assert builds(3, RC) == ("1.0.0-rc.1", False)
    assert builds(4, RC) == ("1.0.0-rc.2", True)
    assert builds(4) == ("1.0.0", True)  # a release, though a preview has the same rows
    assert builds(4, RC) == ("1.0.0", False)  # nothing changed since the release
    assert builds(5, RC) == ("1.1.0-rc.1", True)
    assert builds(2, RC) == ("2.0.0-rc.1", True)
    assert builds(5, RC) == ("1.1.0-rc.1", False)  # the newest of its own release
    assert builds(5, RC, description="Words") == ("1.1.0-rc.2", True)
    assert builds(5, Release(channel="beta")) == ("1.1.0-beta.1", True)
    assert builds(4, RC, description="Words") == ("1.0.1-rc.1", True)
    assert builds(5) == ("1.1.0", True)
    manifest = store.find("trial@1.1.0-rc.2").manifest
    assert (manifest["channel"], manifest["bump"], manifest["previous"]) == ("rc", "minor", "1.0.0")
    assert "channel" not in store.find("trial").manifest


def test_a_release_pays_no_heed_to_previews(builds):
    """Rows are held against the last release, whatever previews held."""
    assert builds(3) == ("1.0.0", True)
    assert builds(2, RC) == ("2.0.0-rc.1", True)
    assert builds(4) == ("1.1.0", True)


def test_a_bump_can_be_raised_and_not_lowered(builds, store):
    """And what did not change makes no version, whatever is asked for."""
    assert builds(3, Release("major")) == ("1.0.0", True)
    assert builds(3, Release("major")) == ("1.0.0", False)
    assert builds(4, Release("major")) == ("2.0.0", True)
    asked = {"at_least": "major", "instead_of": "minor"}
    manifest = store.find("trial").manifest
    assert (manifest["bump"], manifest["asked"]) == ("major", asked)
    assert builds(3, Release("patch")) == ("3.0.0", True)
    assert "asked" not in store.find("trial").manifest
    assert builds(3, Release("minor"), description="Words") == ("3.1.0", True)
    assert builds(4, Release("major", "rc")) == ("4.0.0-rc.1", True)


@pytest.mark.parametrize(
    ("columns", "number"),
    [({"gone": "string"}, "2.0.0"), ({"part": "int64"}, "2.0.0"), ({"meta": None}, "1.1.0")],
)
def test_columns_count_against_the_version_before(builds, store, columns, number):
    """A column removed or retyped is major, one added is minor, though the rows are the same."""
    builds(3)
    path = store.find("trial").path / "manifest.json"
    manifest = json.loads(path.read_text())
    changed = manifest["columns"] | columns
    manifest["columns"] = {name: kind for name, kind in changed.items() if kind}
    path.write_bytes(orjson.dumps(manifest))
    assert builds(3) == (number, True)


@pytest.mark.parametrize(
    "release", [("huge", ""), ("none", "RC"), ("none", "r c"), ("none", "rc1")]
)
def test_what_cannot_be_asked_for(release):
    with pytest.raises(StoreError, match="expected"):
        Release(*release)
