"""Stores on S3, against a real server: whole versions or none, whoever writes, reads or dies."""

import subprocess
import sys
import threading

import pytest

from imitation_data import build, explain, load
from imitation_data.errors import StoreError
from imitation_data.versions import upload
from imitation_data.versions.coming import Release
from imitation_data.versions.store import open_store
from tests.conftest import contents, sharegpt
from tests.versions.making import make, rows

MAKING = [sys.executable, "-m", "tests.versions.making"]


def listed(store: str, name: str = "a") -> list[str]:
    return [str(one.version) for one in open_store(store).versions(name)]


def talks(count: int) -> dict[str, list[str]]:
    return {f"t{n}": [f"What is {n}?", f"It is {n}."] for n in range(count)}


def test_builds_go_to_s3_and_come_back_anywhere(s3, write_recipe, tmp_path, elsewhere):
    """A version on S3 has the bytes of a local build, and loads on a machine with no cache."""
    first = write_recipe({"one": sharegpt(talks(5))}, tokens="none")
    local = build(first, store=tmp_path / "local", workers=1).stored
    built = build(first, store=s3.store, workers=1)
    assert built.new
    assert contents(built.stored.path) == contents(local.path)
    assert not build(first, store=s3.store, workers=1).new
    more = write_recipe({"one": sharegpt(talks(7))}, tokens="none")
    elsewhere()
    preview = build(more, store=s3.store, workers=1, release=Release(channel="rc"))
    assert str(preview.stored) == "trial@1.1.0-rc.1"
    assert str(build(more, store=s3.store, workers=1).stored) == "trial@1.1.0"
    elsewhere("third")
    assert listed(s3.store, "trial") == ["1.0.0", "1.1.0-rc.1", "1.1.0"]
    assert contents(open_store(s3.store).find("trial@1.0.0").path) == contents(local.path)
    assert load("trial", s3.store)["train"].num_rows == 7
    (story,) = explain("t6", store=s3.store)
    assert story.version == "trial@1.1.0"


def test_a_version_is_fetched_once_and_again_when_it_was_replaced(s3, elsewhere):
    """The second look asks for no data; another manifest under the same number is noticed."""
    make(open_store(s3.store), "a", "1.0.0")
    elsewhere()
    path = open_store(s3.store).find("a").path
    s3.watch()
    assert open_store(s3.store).find("a").path == path
    assert not [key for _, key in s3.requests if "/data/" in key]
    s3.files.rm(open_store(s3.store).remote.path("a"), recursive=True)
    elsewhere("third")
    make(open_store(s3.store), "a", "1.0.0", rows(8))
    elsewhere()
    assert load("a", s3.store)["train"].num_rows == 8


def test_listing_reads_manifests_only(s3, elsewhere):
    """Manifests are enough to tell what there is."""
    make(open_store(s3.store), "a", "1.0.0")
    elsewhere()
    s3.watch()
    (stored,) = open_store(s3.store).versions("a")
    assert stored.manifest["rows"] == 3
    assert not [key for method, key in s3.requests if method == "GET" and "/data/" in key]


@pytest.mark.parametrize("how", ["cut", "other", "gone"])
def test_damage_on_the_way_is_refused(s3, elsewhere, how):
    """What does not fit the manifest never becomes a version in the cache."""
    make(open_store(s3.store), "a", "1.0.0")
    key = open_store(s3.store).remote.path("a", "v1.0.0", "data/train-00000-of-00001.parquet")
    content = s3.files.cat_file(key)
    if how == "gone":
        s3.files.rm_file(key)
    else:
        s3.files.pipe_file(key, content[:-1] if how == "cut" else content[:-1] + b"?")
    elsewhere()
    with pytest.raises(StoreError, match=r"train-00000-of-00001\.parquet: found .* the manifest"):
        _ = open_store(s3.store).find("a").path
    assert not (open_store(s3.store).root / "a" / "v1.0.0").exists()


def test_a_manifest_cannot_write_outside_the_cache(s3, elsewhere):
    """Paths that leave the version's folder are refused."""
    entry = {"bytes": 1, "sha256": "0" * 64}
    make(open_store(s3.store), "a", "1.0.0", files={"../../../out": entry})
    elsewhere()
    with pytest.raises(StoreError, match="expected a path inside the version"):
        _ = open_store(s3.store).find("a").path


def test_the_server_keeps_what_is_there(s3):
    """Everything rests on this: a conditional write of an object that is there fails."""
    key = open_store(s3.store).remote.path("object")
    s3.files.pipe_file(key, b"1", mode="create")
    with pytest.raises(FileExistsError):
        s3.files.pipe_file(key, b"2", mode="create")
    assert s3.files.cat_file(key) == b"1"


def test_a_server_that_ignores_conditions_is_found_out(s3):
    """Where If-None-Match does nothing, nothing is written but the claim."""
    s3.ignores_conditions = True
    with pytest.raises(StoreError, match="ignores If-None-Match"):
        make(open_store(s3.store), "a", "1.0.0")
    assert listed(s3.store) == []


def test_two_writers_of_one_number(s3, elsewhere):
    """While one writes, other bytes are refused and equal bytes are welcome; none is mixed."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(_: int, method: str, path: str) -> None:
        if method == "PUT" and "/data/" in path and not begun.is_set():
            begun.set()
            assert go_on.wait(30)

    first = open_store(s3.store)
    s3.watch(before=hold)
    writer = threading.Thread(target=make, args=(first, "a", "1.0.0"))
    writer.start()
    try:
        assert begun.wait(30)
        assert listed(s3.store) == []
        elsewhere("other")
        with pytest.raises(StoreError, match=r"is being written .* imitation-data gc a --store s3"):
            make(open_store(s3.store), "a", "1.0.0", rows(4))
        elsewhere("same")
        make(open_store(s3.store), "a", "1.0.0")
        assert listed(s3.store) == ["1.0.0"]
        elsewhere("other")
        with pytest.raises(StoreError, match="run the build again: its number is computed anew"):
            make(open_store(s3.store), "a", "1.0.0", rows(4))
    finally:
        go_on.set()
        writer.join()
    assert (first.root / "a" / "v1.0.0" / "manifest.json").is_file()
    elsewhere("reader")
    assert load("a", s3.store)["train"].num_rows == 3


@pytest.mark.parametrize("counts", [(50, 60), (50, 50)], ids=["other rows", "same rows"])
def test_two_machines_at_once(s3, tmp_path, elsewhere, counts):
    """Of two real processes with other rows exactly one wins; with the same rows both do."""
    writers = [
        subprocess.Popen(
            [*MAKING, str(tmp_path / f"machine-{place}"), s3.store, "a", "1.0.0", str(count)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for place, count in enumerate(counts)
    ]
    told = [writer.communicate()[1] for writer in writers]
    won = [count for writer, count in zip(writers, counts, strict=True) if not writer.returncode]
    elsewhere()
    assert load("a", s3.store)["train"].num_rows == won[0]
    if counts[0] == counts[1]:
        assert len(won) == 2
    else:
        assert len(won) == 1
        assert any("by another build" in words for words in told)


def killed_at(s3, cache, number: int, *, arrives: bool) -> bool:
    """Kill a writing process at a request, which takes effect or not; say whether it was."""

    def kill(request: int, method: str, path: str) -> None:
        del method, path
        if request == number:
            process.kill()
            process.wait()
            if not arrives:
                raise ConnectionAbortedError

    ready = threading.Event()
    s3.watch(before=lambda *place: ready.wait(30) and kill(*place))
    words = [str(cache), s3.store, "a", "1.0.0", "50"]
    process = subprocess.Popen([*MAKING, *words], stderr=subprocess.DEVNULL)
    ready.set()
    process.wait()
    s3.watch()
    return not (cache / "ended").exists()


def assert_whole_or_not_there(s3, elsewhere, name) -> None:
    elsewhere(name)
    for stored in open_store(s3.store).versions("a"):
        assert load(str(stored), s3.store)["train"].num_rows == 50


def kill_and_finish(s3, tmp_path, elsewhere, numbers) -> int:
    """Kill at each of these requests; no version is listed that is not whole, the last run ends."""
    kills = 0
    for number in numbers:
        for arrives in (False, True):
            cache = tmp_path / f"killed-{number}-{arrives}"
            kills += killed_at(s3, cache, number, arrives=arrives)
            assert_whole_or_not_there(s3, elsewhere, f"reader-{number}-{arrives}")
    elsewhere("last")
    make(open_store(s3.store), "a", "1.0.0", rows(50))
    elsewhere("last reader")
    assert listed(s3.store) == ["1.0.0"]
    assert load("a", s3.store)["train"].num_rows == 50
    return kills


def test_killed_uploads_are_finished_by_the_next(s3, tmp_path, elsewhere):
    """SIGKILL at requests all along the way, whether they arrive or not."""
    assert kill_and_finish(s3, tmp_path, elsewhere, [8, 13]) >= 3


@pytest.mark.full
def test_an_upload_killed_at_every_request(s3, tmp_path, elsewhere):
    """Each request of a first upload, from the first listing to the last look."""
    for number in range(1, 60):
        for arrives in (False, True):
            store = s3.store
            s3.store = f"{store}/{number}-{arrives}"
            killed = killed_at(s3, tmp_path / f"k-{number}-{arrives}", number, arrives=arrives)
            assert_whole_or_not_there(s3, elsewhere, f"r-{number}-{arrives}")
            elsewhere(f"l-{number}-{arrives}")
            make(open_store(s3.store), "a", "1.0.0", rows(50))
            assert_whole_or_not_there(s3, elsewhere, f"s-{number}-{arrives}")
            assert listed(s3.store) == ["1.0.0"]
            s3.store = store
        if not killed:
            assert number > 15
            return
    pytest.fail("an upload takes more requests than are tried")


def test_a_killed_fetch_leaves_nothing_that_looks_whole(s3, elsewhere):
    """A fetch that stops half-way is begun again, and ends."""
    make(open_store(s3.store), "a", "1.0.0")
    elsewhere()

    def refuse(_: int, method: str, path: str) -> None:
        if method == "GET" and "/ledger/" in path:
            s3.denies = True

    s3.watch(before=refuse)
    with pytest.raises(StoreError, match="access is denied"):
        _ = open_store(s3.store).find("a").path
    s3.watch()
    s3.denies = False
    assert not (open_store(s3.store).root / "a" / "v1.0.0").exists()
    assert load("a", s3.store)["train"].num_rows == 3


def test_files_too_large_for_one_request_are_read_back(s3, elsewhere, monkeypatch):
    """Parts have no checksum of the whole, so what lies there is held against the file itself."""
    monkeypatch.setattr(upload, "WHOLE", 1)
    s3.watch()
    make(open_store(s3.store), "a", "1.0.0")
    assert [key for method, key in s3.requests if method == "GET" and "/data/" in key]
    elsewhere()
    assert load("a", s3.store)["train"].num_rows == 3


def test_what_was_sent_and_changed_on_the_way_is_noticed(s3):
    """A server that keeps other bytes than it was sent gets no manifest."""
    remote = open_store(s3.store).remote
    key = remote.path("a", "v1.0.0", "recipe.yaml")

    def spoil(_: int, method: str, path: str) -> None:
        if method == "PUT" and path.endswith("recipe.yaml"):
            s3.watch()
            s3.files.pipe_file(key, b"x" * len(s3.files.cat_file(key)))

    s3.watch(after=spoil)
    with pytest.raises(StoreError, match=r"recipe\.yaml: was sent and is not what was sent"):
        make(open_store(s3.store), "a", "1.0.0")
    assert listed(s3.store) == []
    make(open_store(s3.store), "a", "1.0.0")
    assert listed(s3.store) == ["1.0.0"]


def test_what_a_dead_build_left_is_not_mixed_in(s3, elsewhere):
    """After its claim is cleared, its files go before those of the next build come."""
    remote = open_store(s3.store).remote
    s3.files.pipe_file(remote.path("a", "v1.0.0", "data/test-00000-of-00001.parquet"), b"left")
    make(open_store(s3.store), "a", "1.0.0")
    assert "data/test-00000-of-00001.parquet" not in remote.objects("a", "v1.0.0")
    elsewhere()
    assert set(load("a", s3.store)) == {"train"}
