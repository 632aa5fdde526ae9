"""A version built again from its own recipe: the same rows, or what is not as it was."""

import json

import pytest

from imitation_data.errors import RecipeError
from imitation_data.rebuild import Sources, rebuild
from imitation_data.removals import request
from imitation_data.runner import build
from imitation_data.versions.store import Store
from tests.conftest import sharegpt

ROWS = {f"r{n}": [f"What is {n}?", f"It is {n}."] for n in range(30)}


@pytest.fixture
def made(write_recipe, tmp_path):
    steps = [{"type": "exact_dedup"}, {"type": "split", "shares": {"train": 0.8, "test": 0.2}}]
    recipe = write_recipe({"web": sharegpt(ROWS)}, steps=steps, seed=5)
    store = Store(tmp_path / "store")
    return build(recipe, store=store.root, workers=1).stored, store, recipe.parent


def test_the_same_sources_give_the_same_bytes(made):
    """Rows, data and ledger are equal, and nothing is told to differ."""
    stored, store, folder = made
    done = rebuild(stored, store, Sources(folder))
    assert (done.rows, done.files, done.differences) == (True, True, ())
    assert store.names() == ["trial"]  # what was rebuilt is no version of the store
    again = rebuild(stored, store, Sources(paths={"web": str(folder / "web.json")}))
    assert again.rows


def test_a_source_that_changed_is_named(made):
    """The file is named with both checksums, and the rows are said to be others."""
    stored, store, folder = made
    changed = {**ROWS, "r3": ["What is 3?", "It is three."]}
    (folder / "web.json").write_text(sharegpt(changed), encoding="utf-8")
    done = rebuild(stored, store, Sources(folder))
    assert not done.rows
    assert len(done.differences) == 1
    assert done.differences[0].startswith("source 'web': web.json has SHA-256")


def test_a_library_that_changed_is_named(made):
    """The manifest knows which version made it."""
    stored, store, folder = made
    path = stored.path / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["libraries"]["pyarrow"] = "1.0"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    done = rebuild(stored, store, Sources(folder))
    assert done.rows
    assert [line.partition(" ")[0] for line in done.differences] == ["pyarrow"]


def test_later_removals_do_not_bind_it(made):
    """An old version can still be told to be what it was; the next build is bound."""
    stored, store, folder = made
    request(store, "trial", ["r3"])
    assert rebuild(stored, store, Sources(folder)).rows
    assert str(build(folder / "recipe.yaml", store=store.root, workers=1).stored.version) == "2.0.0"
    assert rebuild(store.find("trial@2.0.0"), store, Sources(folder)).rows


def test_a_source_that_is_not_there_is_asked_for(made):
    """The recipe in a version has no path of this machine: the message says how to name one."""
    stored, store, _ = made
    with pytest.raises(RecipeError, match="--source NAME=PATH for each, or --from DIR"):
        rebuild(stored, store, Sources())


def test_a_rebuild_does_not_bind_the_next(made):
    """A version with requests is rebuilt, then one from before them: each is what it was."""
    stored, store, folder = made
    request(store, "trial", ["r3"])
    later = build(folder / "recipe.yaml", store=store.root, workers=1).stored
    assert rebuild(later, store, Sources(folder)).rows
    assert rebuild(stored, store, Sources(folder)).rows


def test_a_source_that_the_recipe_has_not_is_told(made):
    """A typo in --source would be passed over, and the old path be read."""
    stored, store, folder = made
    with pytest.raises(RecipeError, match="did you mean 'web'"):
        rebuild(stored, store, Sources(folder, {"wbe": "x"}))
