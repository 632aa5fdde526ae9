"""`versions`, `verify` and `gc` as users type them."""

import json

import pytest

from imitation_data.versions.store import Store
from tests.conftest import sharegpt
from tests.test_cli import run
from tests.versions.making import make, rows


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    make(store, "a", "1.0.0")
    make(store, "a", "1.1.0", rows(5), bump="minor")
    make(store, "a", "1.2.0-rc.1", rows(6), bump="minor", channel="rc")
    make(store, "b", "1.0.0", fingerprint="\x1b[31m", bump="\u202e")
    return store


def test_versions_are_listed(store):
    """A line each, hostile manifests escaped; a broken one is told and hides no other."""
    text = run("versions", "--store", store.root).stdout
    assert not set(text) & set("\x1b\u202e")
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [
        "a@1.0.0",
        "a@1.1.0",
        "a@1.2.0-rc.1",
        "b@1.0.0",
    ]
    assert lines[3].split()[1:4] == ["rc", "6", "minor"]
    (store.root / "a" / "v1.0.0" / "manifest.json").write_text("{")
    plain = json.loads(run("versions", "a", "--store", store.root, "--json").stdout)["versions"]
    assert [one.get("rows") for one in plain] == [None, 5, 6]
    assert "not a readable manifest" in plain[0]["problem"]
    assert "not a readable manifest" in run("versions", "--store", store.root).stdout
    assert "no dataset 'c'" in run("versions", "c", "--store", store.root, code=1).stderr
    hub = run("show", "org/a@v1.0.0", "--store", store.root, code=1).stderr
    assert "fetched first, with `imitation-data pull org/name@v1.2.0`" in hub
    assert "has no versions" in run("versions", "--store", store.root / "none").stdout


def test_verify_exits_with_3_on_a_fault(store, tmp_path):
    """A line a fault, with file, expected, found and what to do; else 0."""
    whole = run("verify", "a", "a@rc", "--store", store.root, "--deep").stdout.splitlines()
    assert [line.split()[0] for line in whole] == ["a@1.1.0:", "a@1.2.0-rc.1:"]
    assert all("as its manifest says" in line and "1 rendered files" in line for line in whole)
    folder = store.find("a@1.0.0").path
    (folder / "recipe.yaml").write_text("nama: a\n")
    done = run("verify", folder, "--store", tmp_path / "none", code=3)
    assert "recipe.yaml: expected SHA-256 " in done.stdout
    plain = json.loads(run("verify", "--json", "--store", store.root, code=3).stdout)
    assert plain["faults"] == 2  # b's fingerprint is none
    assert plain["read"] == 3 + 5 + 6 + 3
    assert [len(one["faults"]) for one in plain["versions"]] == [1, 0, 0, 1]
    run("verify", "nothing", "--store", store.root, code=1)


def test_verify_looks_at_s3_and_not_at_the_cache(s3):
    """A cached copy that is whole does not hide what happened to the store."""
    from imitation_data.versions.store import open_store  # noqa: PLC0415

    make(open_store(s3.store), "a", "1.0.0")
    assert "as its manifest says" in run("verify", "--store", s3.store).stdout
    s3.files.rm_file(open_store(s3.store).remote.path("a", "v1.0.0", "recipe.yaml"))
    assert "expected a file" in run("verify", "a", "--store", s3.store, code=3).stdout


def test_gc_tells_what_it_removes(store):
    stage = store.build_folder("a") / "01-rows-0123456789abcdef"
    stage.mkdir()
    (stage / "x.arrow").write_bytes(b"12345")
    words = ("gc", "--store", store.root, "--older-than", "0")
    plain = json.loads(run(*words, "--dry-run", "--json").stdout)
    assert plain == {
        "dry_run": True,
        "bytes": 5,
        "removed": [{"kind": "build stage", "path": str(stage), "bytes": 5}],
        "skipped": [],
    }
    assert stage.exists()
    assert "1 leftovers with 5 bytes removed" in run(*words).stdout
    assert not stage.exists()
    assert "0 leftovers" in run("gc", "a", "--store", store.root).stdout


def test_builds_on_a_channel(store, tmp_path):
    """`--channel` makes a preview; `--at-least` says when it makes nothing."""
    (tmp_path / "one.json").write_text(sharegpt({"1": ["a", "b"]}))
    (tmp_path / "recipe.yaml").write_text(
        "name: trial\ntokens: none\nsources:\n- {name: one, reader: sharegpt, path: one.json}\n"
    )
    words = ("build", tmp_path, "--store", store.root, "--workers", 1, "--channel", "rc")
    assert "trial@1.0.0-rc.1 written" in run(*words).stdout
    again = run(*words, "--at-least", "major").stdout
    assert "trial@1.0.0-rc.1 stands" in again
    assert "--at-least major makes no version of what did not change" in again
    assert "expected 1 to 20 letters" in run(*words[:-1], "r-c", code=1).stderr
    run(*words, "--at-least", "huge", code=2)
