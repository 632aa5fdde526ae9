"""`gc` takes what builds left and nothing else."""

import os
import time
from pathlib import Path

import pytest

from imitation_data import build, explain
from imitation_data.errors import StoreError
from imitation_data.versions.leftovers import clear
from imitation_data.versions.semver import Version
from imitation_data.versions.store import Store, open_store
from tests.conftest import contents, sharegpt
from tests.versions.making import make, rows

SAME = {"a": ["What?", "That."], "b": ["What?", "Another."], "c": ["Who?", "You."]}


@pytest.fixture
def store(write_recipe, tmp_path):
    """A version, and stages of a build that came to none."""
    steps = [{"type": "exact_dedup", "level": "first_user"}]
    recipe = write_recipe({"one": sharegpt(SAME)}, tokens="none", steps=steps)
    build(recipe, store=tmp_path / "store", workers=1)
    other = [{"type": "min_rows", "rows": 100}]
    talks = {**SAME, "d": ["Where?", "Here."]}
    recipe = write_recipe({"one": sharegpt(talks)}, tokens="none", steps=steps, checks=other)
    with pytest.raises(Exception, match="min_rows"):
        build(recipe, store=tmp_path / "store", workers=1)
    (tmp_path / "store" / "journal.sqlite").write_bytes(b"answers")
    (tmp_path / "store" / ".build" / "trial" / "generate-00-0123456789abcdef").mkdir()
    return Store(tmp_path / "store")


def stages(store: Store) -> set[str]:
    return {path.name for path in store.build_folder("trial").iterdir() if path.is_dir()}


def test_gc_keeps_versions_and_what_explains_them(store):
    """Stages of no version go; versions, journals and dropped text stay."""
    version = store.find("trial")
    before, there = contents(version.path), stages(store)
    stories = [explain(origin, store=store.root) for origin in SAME]
    assert any(story.dropped for (story,) in stories)
    done = clear(store, hours=0)
    assert {one.kind for one in done.removed} == {"build stage"}
    gone = {Path(one.path).name for one in done.removed}
    assert len(gone) == 2
    assert stages(store) == there - gone
    assert set(version.manifest["stages"]) <= stages(store)
    assert done.bytes > 0
    assert contents(version.path) == before
    assert [explain(origin, store=store.root) for origin in SAME] == stories
    assert (store.root / "journal.sqlite").read_bytes() == b"answers"
    assert "generate-00-0123456789abcdef" in stages(store)
    assert clear(store, hours=0).removed == []


def test_a_dry_run_removes_nothing(store):
    before = contents(store.root)
    told = clear(store, hours=0, dry_run=True)
    assert len(told.removed) == 2
    assert contents(store.root) == before


def test_what_was_touched_lately_stays(store):
    """A build of today that was interrupted can be resumed; one of last week is cleared."""
    assert clear(store).removed == []
    past = time.time() - 7 * 86400
    for path in store.build_folder("trial").rglob("*"):
        os.utime(path, (past, past))
    assert len(clear(store).removed) == 2


def test_half_written_versions_go(store):
    """Under the lock nobody is writing them, so they need not be old."""
    (store.start("trial", Version(9, 0, 0)) / "data").mkdir()
    assert [one.kind for one in clear(store).removed] == ["unfinished version"]
    assert [path.name for path in (store.root / "trial").iterdir()] == ["v1.0.0"]


def test_a_dataset_that_is_being_built_is_left_alone(store):
    with store.locked("trial"):
        done = clear(store, hours=0)
    assert done.removed == []
    assert "left alone: another process builds or generates trial" in done.skipped[0]


def test_a_broken_manifest_stops_the_clearing(store):
    """What a version needs is not known then, so nothing of its dataset goes."""
    (store.find("trial").path / "manifest.json").write_text("{")
    done = clear(store, hours=0)
    assert done.removed == []
    assert "not a readable manifest" in done.skipped[0]


def test_names_are_known(store):
    with pytest.raises(StoreError, match="did you mean 'trial'"):
        clear(store, "trail")


def test_claims_and_uploads_of_dead_builds_go(s3, elsewhere):
    """Those of today stay; a claim that is cleared lets the next build write."""
    store = open_store(s3.store)
    make(store, "a", "1.0.0")
    for file, content in {".claim": b"0" * 64, "data/left.parquet": b"left"}.items():
        s3.files.pipe_file(store.remote.path("a", "v1.1.0", file), content)
    with pytest.raises(StoreError, match="is being written"):
        make(store, "a", "1.1.0", rows(5))
    elsewhere()
    assert clear(open_store(s3.store)).removed == []
    done = clear(open_store(s3.store), "a", hours=0)
    assert [(one.kind, one.bytes) for one in done.removed] == [("unfinished upload", 68)]
    assert clear(open_store(s3.store), hours=0).removed == []
    make(open_store(s3.store), "a", "1.1.0", rows(5))
    assert [str(one) for one in open_store(s3.store).versions("a")] == ["a@1.0.0", "a@1.1.0"]


def test_parts_of_large_files_go(s3):
    """No listing shows them, and they are paid for."""
    store = open_store(s3.store)
    make(store, "a", "1.0.0")
    for name in ("a", "ab"):
        bucket, key, _ = s3.files.split_path(store.remote.path(name, "v1.1.0", "data/x"))
        s3.files.call_s3("create_multipart_upload", Bucket=bucket, Key=key)
    done = clear(store, "a", hours=0)
    paths = [one.path for one in done.removed if one.kind == "unfinished upload"]
    assert paths == [store.remote.path("a", "v1.1.0", "data/x")]
    left = s3.files.call_s3("list_multipart_uploads", Bucket=bucket)["Uploads"]
    assert [one["Key"].endswith("/ab/v1.1.0/data/x") for one in left] == [True]


def test_a_build_whose_claim_was_cleared_stops(s3, elsewhere):
    """It says so and writes no manifest: a version is never listed without its files."""
    first = open_store(s3.store)

    def clear_now(_: int, method: str, path: str) -> None:
        if method == "PUT" and path.endswith("recipe.yaml"):
            s3.watch()
            elsewhere()
            assert len(clear(open_store(s3.store), hours=0).removed) == 1

    s3.watch(after=clear_now)
    with pytest.raises(StoreError, match=r"claim of this build is gone|not what was sent"):
        make(first, "a", "1.0.0")
    assert open_store(s3.store).versions("a") == []


def test_cached_copies_go_and_come_back(s3):
    make(open_store(s3.store), "a", "1.0.0")
    done = clear(open_store(s3.store), hours=0)
    assert [one.kind for one in done.removed] == ["cached copy"]
    assert not list((open_store(s3.store).root / "a").iterdir())
    assert open_store(s3.store).find("a").path.is_dir()
