"""Faults of the Hub do what they say, no more and no less."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.servers.hub import HubFaults
from tests.servers.hub_asked import PRELUDE, TALKS, ask, commit_body, run, upload
from tests.servers.hub_faults import KINDS

BROKEN = (ConnectionError, HTTPException)
LARGE = b"large " * 1000
OID = hashlib.sha256(LARGE).hexdigest()


@pytest.mark.parametrize("kind", [*KINDS, "409", "412", "429", "429:1"])
def test_a_commit_that_fails(kind, talks):
    """The client sees the status or a broken connection; a lost commit is there, no other is."""
    talks.fail_next("POST", "/commit/", kind)
    status, wait = kind.partition(":")[::2]
    if status.isdigit():
        answer = ask(talks, "POST", f"{TALKS}/commit/main", commit_body({"a": b"a"}))
        assert (answer[0], answer[1]["Retry-After"]) == (int(status), wait or None)
    else:
        with pytest.raises(BROKEN):
            ask(talks, "POST", f"{TALKS}/commit/main", commit_body({"a": b"a"}))
    assert ("a" in talks.files("demo/talks")) == (kind == "lost")
    assert (talks.happened, talks.unhappened()) == ({kind: 1}, [])
    assert ask(talks, "POST", f"{TALKS}/commit/main", commit_body({"b": b"b"}))[0] == 200


@pytest.mark.parametrize(
    ("method", "url", "body", "effect"),
    [
        ("POST", f"{TALKS}/tag/main", {"tag": "v1"}, "refs/tags/v1"),
        ("POST", f"{TALKS}/branch/side", {}, "refs/heads/side"),
    ],
)
def test_a_ref_whose_answer_is_lost_is_there(method, url, body, effect, talks):
    """What follows a lost answer sees its effect, and the second try is told that it is taken."""
    talks.fail_next(method, url, "reset", "lost")
    for there in (False, True):
        with pytest.raises(BROKEN):
            ask(talks, method, url, body)
        assert (effect in talks.refs("demo/talks")) == there
    assert ask(talks, method, url, body)[0] == 409


def test_a_repository_whose_answer_is_lost_is_there(hub):
    """It is whole, and the second try is told that it exists."""
    body = {"name": "new", "organization": "demo", "type": "dataset"}
    hub.fail_next("POST", "/api/repos/create", "reset", "lost")
    for there in (False, True):
        with pytest.raises(BROKEN):
            ask(hub, "POST", "/api/repos/create", body)
        assert hub.has("demo/new") == there
    assert ask(hub, "POST", "/api/repos/create", body)[0] == 409
    assert set(hub.files("demo/new")) == {".gitattributes"}


def test_several_faults_in_a_row_meet_their_own_requests(talks):
    """Each kind is used once, in order, by requests of its method and path."""
    talks.fail_next("GET", "/refs", "503", "429:0")
    talks.fail_next("HEAD", "/refs", "500")
    assert ask(talks, "GET", TALKS)[0] == 200
    assert [ask(talks, "GET", f"{TALKS}/refs")[0] for _ in range(3)] == [503, 429, 200]
    assert talks.unhappened() == ["HEAD /refs 500"]
    assert ask(talks, "HEAD", f"{TALKS}/refs")[0] == 500


def test_an_upload_that_breaks_off_leaves_nothing(talks):
    """Neither half an object nor a whole one is there."""
    url = upload(talks, LARGE, OID)["actions"]["upload"]["href"]
    talks.fail_next("PUT", "/upload/", "half")
    with pytest.raises(BROKEN):
        ask(talks, "PUT", url, LARGE, token=None)
    assert "actions" in upload(talks, LARGE, OID)
    assert not talks.repository("datasets", "demo/talks").lfs.path(OID).exists()


MENDED = """
print(json.dumps(commit("mended", {"a.parquet": b"large " * 1000, "b": b"b"})))
"""


def test_the_client_mends_what_it_repeats(talks, tmp_path):
    """Faults of preupload, batch, PUT and verify are gone after a retry: one commit, whole."""
    talks.fail_next("POST", "/preupload/", "503")
    talks.fail_next("POST", "/batch", "429:0")
    talks.fail_next("PUT", "/upload/", "half", "lost")
    talks.fail_next("POST", "/verify", "500")
    head = run(talks, tmp_path / "home", MENDED)
    assert talks.unhappened() == []
    assert talks.refs("demo/talks")["refs/heads/main"] == head
    assert talks.files("demo/talks")["a.parquet"] == LARGE
    assert len(talks.git("demo/talks", "log", "--format=%H").split()) == 2


def test_drawn_faults_repeat_by_seed():
    """Equal seeds draw equal faults, at about the share asked for; only uploads break in half."""
    faults = HubFaults(seed=1, share=0.3)

    def drawn(faults: HubFaults, method: str) -> list[str]:
        return [faults.draw(method, "/x", number) for number in range(2000)]

    assert drawn(faults, "GET") == drawn(HubFaults(seed=1, share=0.3), "GET")
    assert drawn(faults, "GET") != drawn(HubFaults(seed=2, share=0.3), "GET")
    counts = Counter(drawn(faults, "PUT"))
    assert counts.keys() == {"", *KINDS}
    assert 500 < 2000 - counts[""] < 700
    assert set(drawn(faults, "POST")) == {"", *KINDS} - {"half"}
    assert set(drawn(HubFaults(share=0), "PUT")) == {""}
    assert set(drawn(HubFaults(share=1, kinds=("503",)), "GET")) == {"503"}


def test_a_patient_client_gets_through_drawn_faults(talks):
    """At any share below all, repeating ends; what happened is what was counted."""
    talks.faults = HubFaults(seed=3, share=0.6)
    failed = done = 0
    while done < 20:
        status = 0
        with suppress(*BROKEN):
            status = ask(talks, "GET", f"{TALKS}/refs")[0]
        done, failed = done + (status == 200), failed + (status != 200)
    assert failed == talks.happened.total() > 10


def test_by_hand(tmp_path):
    """The command prints variables with which a client works, and ends by a signal with a sum."""
    command = [sys.executable, "-m", "tests.servers.hub", "--folder", str(tmp_path), "--quiet"]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as running:
        lines = [running.stdout.readline().strip() for _ in range(7)]
        client = [sys.executable, "-c", PRELUDE + "print(json.dumps(api.whoami()))"]
        variables = os.environ | dict(line.split("=", 1) for line in lines)
        done = subprocess.run(client, capture_output=True, env=variables, check=True)
        assert json.loads(done.stdout)["name"] == "alice"
        running.send_signal(signal.SIGINT)
        assert "1 requests" in running.stdout.read()
    assert running.returncode == 0
