import json
import os
import subprocess
import sys

import pytest

from tests.servers.hub import Hub, HubFaults

FETCH = """
import json, sys
from imitation_data.errors import SourceError
from imitation_data.readers.hub import fetch
repo, revision, *files = sys.argv[1:]
try:
    folder, commit = fetch(repo, revision, files)
except SourceError as error:
    print(json.dumps({"error": str(error)}))
else:
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    print(json.dumps({"commit": commit, "files": {n: (folder / n).read_text() for n in names}}))
"""
OLD = {"README.md": b"# old", "data/train.jsonl": b'{"n": 1}\n'}
NEW = {"README.md": b"# new", "data/train.jsonl": b'{"n": 2}\n', "data/test.jsonl": b'{"n": 3}\n'}


@pytest.fixture
def hub(tmp_path):
    with Hub(tmp_path / "hub") as server:
        server.push("alice/ds", OLD)
        server.tag("alice/ds", "v1.0.0")
        server.push("alice/ds", NEW)
        server.push("bob/gated", OLD)
        server.settings("bob/gated", gated=True)
        yield server


@pytest.fixture
def fetch(hub: Hub, tmp_path):
    """Fetch in a process of its own: the client reads its variables when it is imported."""

    def run(repo: str, revision: str, *files: str, **variables: str) -> dict[str, object]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("HF_")
        }
        environment |= hub.environment(tmp_path / "home", token="") | variables
        command = [sys.executable, "-c", FETCH, repo, revision, *files]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        return json.loads(done.stdout)

    return run


def test_revision_is_fetched_and_its_commit_recorded(fetch, hub):
    """A tag gives the files it names and the commit behind it; a commit gives the same."""
    by_tag = fetch("alice/ds", "v1.0.0")
    commits = hub.refs("alice/ds")
    assert by_tag["commit"] == commits["refs/tags/v1.0.0"]
    assert by_tag["files"] == {name: text.decode() for name, text in OLD.items()}
    assert fetch("alice/ds", by_tag["commit"]) == by_tag
    assert fetch("alice/ds", "main")["commit"] == commits["refs/heads/main"] != by_tag["commit"]


def test_only_matching_files_are_fetched(fetch, hub):
    """A recipe that names two files of a large dataset does not download the rest."""
    assert list(fetch("alice/ds", "main", "data/te*.jsonl")["files"]) == ["data/test.jsonl"]
    assert not any("train" in call for call in hub.calls)


def test_what_was_fetched_once_is_found_offline(fetch, hub):
    """With `HF_HUB_OFFLINE` nothing is asked; what is not in the cache is an error that says so."""
    fetched = fetch("alice/ds", "v1.0.0")
    hub.calls.clear()
    assert fetch("alice/ds", "v1.0.0", HF_HUB_OFFLINE="1") == fetched
    error = fetch("alice/ds", "main", HF_HUB_OFFLINE="1")["error"]
    assert "HF_HUB_OFFLINE forbids" in error
    assert hub.calls == []


@pytest.mark.parametrize(
    ("repo", "revision", "files", "says"),
    [
        ("alice/none", "main", (), "no such dataset, or it is private"),
        ("alice/ds", "v9", (), "no revision 'v9'"),
        ("bob/gated", "main", (), "accept the terms on"),
        ("alice/ds", "main", ("*.csv",), "no file that matches *.csv"),
        ("a b/c/d", "main", (), "no name of a dataset"),
    ],
)
def test_what_is_not_there_is_an_error_that_says_what_to_do(fetch, repo, revision, files, says):
    """Wrong names, revisions, patterns and missing rights each have their own sentence."""
    error = fetch(repo, revision, *files)["error"]
    assert error.startswith(f"{repo}@{revision}: ")
    assert says in error


def test_network_down_is_an_error_that_says_what_to_do(fetch, hub):
    """Nobody listening, and a Hub that fails, are no tracebacks."""
    error = fetch("alice/ds", "main", HF_ENDPOINT="http://127.0.0.1:9")["error"]
    assert "http://127.0.0.1:9 cannot be reached" in error
    hub.faults = HubFaults(share=1, kinds=("503",))
    error = fetch("alice/ds", "main")["error"]
    assert "cannot be reached" in error or "cannot be fetched" in error
