"""Files of the Hub: what is large, how it is uploaded, ranges, and a second reader in between."""

import hashlib
import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from time import sleep

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.servers.hub import TOKEN, Hub
from tests.servers.hub_asked import TALKS, ask, commit_body, parquet, run, upload

LARGE = b"large " * 1000
OID = hashlib.sha256(LARGE).hexdigest()


def test_large_files_are_told_by_size_name_and_attributes(talks):
    """The last line of .gitattributes that speaks of a path decides, else its size."""
    sizes = {"a.parquet": 9, "a/b.zst": 9, "c.txt": 10_000_000, "d.txt": 9_999_999, "x/e.bin": 9}

    def modes(*more: str) -> list[str]:
        asked = sizes | dict.fromkeys(more, 5)
        files = [{"path": path, "size": size} for path, size in asked.items()]
        body = ask(talks, "POST", f"{TALKS}/preupload/main", {"files": files})[2]
        return [each["uploadMode"] for each in json.loads(body)["files"]]

    assert modes("b.parquet") == ["lfs", "lfs", "lfs", "regular", "regular", "lfs"]
    rules = b"*.parquet -filter\n# *.zst filter=lfs\nx/**/*.bin filter=lfs -text\n/d.* filter=lfs"
    talks.push("demo/talks", {".gitattributes": rules})
    expected = ["regular", "regular", "lfs", "lfs", "lfs", "regular", "lfs"]
    assert modes("y/d.q", "x/y/z.bin") == expected


def test_preupload_names_what_is_there(talks):
    """A plain file by its id in git, a large one by its SHA-256: clients leave equal ones out."""
    talks.push("demo/talks", {"a.parquet": LARGE, "b": b"b"})
    files = [{"path": path, "size": 1} for path in ("a.parquet", "b", "c")]
    body = ask(talks, "POST", f"{TALKS}/preupload/main", {"files": files})[2]
    blob = talks.git("demo/talks", "rev-parse", "main:b").strip()
    assert [each.get("oid") for each in json.loads(body)["files"]] == [OID, blob, None]


def test_an_upload_by_hand(talks):
    """An object is there once all of it arrived; only then can a commit name it."""
    line = {"key": "lfsFile", "value": {"path": "a", "algo": "sha256", "oid": OID, "size": 6000}}
    commit = ("POST", f"{TALKS}/commit/main", commit_body({}, lines=(line,)))
    actions = upload(talks, LARGE, OID)["actions"]
    url, verify = actions["upload"]["href"], actions["verify"]["href"]
    check = {"oid": OID, "size": len(LARGE)}
    assert ask(talks, "PUT", url, LARGE)[0] == 400  # a token beside the signature
    assert ask(talks, "PUT", url + "0", LARGE, token=None)[0] == 403
    assert ask(talks, "PUT", url, LARGE[1:], token=None)[0] == 400
    lfs = talks.folder / "datasets" / "demo" / "talks" / "lfs"
    assert [path for path in lfs.rglob("*") if path.is_file()] == []
    assert (ask(talks, "POST", verify, check)[0], ask(talks, *commit)[0]) == (404, 400)
    assert ask(talks, "PUT", url, iter([LARGE[:70], LARGE[70:]]), token=None)[0] == 200  # chunked
    assert ask(talks, "POST", verify, check | {"size": 1})[0] == 404
    assert (ask(talks, "POST", verify, check)[0], ask(talks, *commit)[0]) == (200, 200)
    assert talks.files("demo/talks")["a"] == LARGE
    assert "actions" not in upload(talks, LARGE, OID)
    assert upload(talks, LARGE, OID, size=1)["error"]["code"] == 422


PARTS = """
content = bytes(range(256)) * 40
print(json.dumps([commit("parts", {"a.parquet": content}), len(content)]))
"""


def test_large_files_in_parts(talks, tmp_path):
    """The client uploads each part to its own URL, and what is joined is the file."""
    talks.part_bytes = 3000
    talks.fail_next("PUT", "/parts/", "503")
    oid, size = run(talks, tmp_path / "home", PARTS)
    assert talks.refs("demo/talks")["refs/heads/main"] == oid
    assert talks.files("demo/talks")["a.parquet"] == bytes(range(256)) * 40
    parts = [call for call in talks.calls if call.startswith("PUT /parts/")]
    assert [call[-1] for call in parts] == ["1", "1", "2", "3", "4"]
    assert size == 10240


def test_parts_that_are_missing_or_others_are_refused(talks):
    """Nothing is joined unless every part is the one that was answered for."""
    talks.part_bytes = 4000
    action = upload(talks, LARGE, OID)["actions"]["upload"]
    first, second = (action["header"][number] for number in "12")
    etags = [ask(talks, "PUT", first, LARGE[:4000], token=None)[1]["ETag"]]

    def join(*etags: str) -> int:
        parts = [{"partNumber": place, "etag": etag} for place, etag in enumerate(etags, 1)]
        body = {"oid": OID, "parts": parts}
        return ask(talks, "POST", action["href"], body, token=None)[0]

    assert join(*etags) == join(*etags, '"x"') == 400
    etags.append(ask(talks, "PUT", second, LARGE[4000:], token=None)[1]["ETag"])
    assert join(*reversed(etags)) == 400
    assert "actions" in upload(talks, LARGE, OID)
    assert join(*etags) == 200
    assert "actions" not in upload(talks, LARGE, OID)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    with Hub(tmp_path_factory.mktemp("hub")) as hub:
        hub.push("demo/talks", {"a.parquet": LARGE[:50], "b": LARGE[:50]})
        yield hub


def test_a_large_file_lies_elsewhere(stored):
    """Its facts stand on the redirect, its contents behind a URL that needs no token."""
    url = "/datasets/demo/talks/resolve/main/a.parquet"
    digest = hashlib.sha256(LARGE[:50]).hexdigest()
    for method in ("HEAD", "GET"):
        status, headers, body = ask(stored, method, url)
        assert (status, headers["X-Linked-Size"], body) == (302, "50", b"")
        assert headers["X-Linked-Etag"] == headers["ETag"] == f'"{digest}"'
        assert headers["X-Repo-Commit"] == stored.refs("demo/talks")["refs/heads/main"]
        assert headers["Location"].startswith(f"{stored.storage}/")
    assert ask(stored, "GET", headers["Location"], token=None)[2] == LARGE[:50]
    assert ask(stored, "GET", headers["Location"])[0] == 400


ends = st.one_of(st.none(), st.integers(0, 60))


@given(st.sampled_from(["a.parquet", "b"]), ends, ends)
def test_ranges_are_slices(stored, name, first, last):
    """A plain file and a large one answer a range with the bytes it means, or with 416."""
    url, token, content = f"/datasets/demo/talks/resolve/main/{name}", TOKEN, LARGE[:50]
    if name == "a.parquet":
        url, token = ask(stored, "GET", url)[1]["Location"], None
    span = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    status, headers, body = ask(stored, "GET", url, token=token, Range=span)
    if first is None and last is None:
        assert (status, body, headers["Content-Range"]) == (200, content, None)
        return
    start = max(50 - last, 0) if first is None else first
    expected = content[start : None if first is None or last is None else last + 1]
    if expected:
        place = f"bytes {start}-{start + len(expected) - 1}/50"
        assert (status, body, headers["Content-Range"]) == (206, expected, place)
    else:
        assert (status, headers["Content-Range"]) == (416, "bytes */50")


# A second, independent reader: the proxy olah in front of the Hub

OLAH = Path(os.environ.get("OLAH_PYTHON", Path(sys.prefix, "readers", "olah", "bin", "python")))
MAKE = f"""no {OLAH} there; make it with
    python3 -m venv {OLAH.parents[1]} && {OLAH} -m pip install olah==0.5.4
or set OLAH_PYTHON to a Python that has it"""
READ = """
import sys
from datasets import load_dataset
from pathlib import Path
refs, found = api.list_repo_refs(**K), {}
for revision in ["v1.0.0", "v2.0.0", "main"]:
    folder = Path(api.snapshot_download(revision=revision, **K))
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    found[revision] = {
        "listed": sorted(api.list_repo_files(revision=revision, **K)),
        "files": {p.relative_to(folder).as_posix(): p.read_bytes().hex() for p in files},
        "rows": load_dataset("demo/talks", revision=revision)["train"]["x"][:],
        "commit": api.repo_info(revision=revision, **K).sha,
    }
found["refs"] = {each.ref: each.target_commit for each in [*refs.branches, *refs.tags]}
print(json.dumps(found))
"""


@contextmanager
def olah(hub: Hub, folder: Path):
    """Run the proxy in front of a Hub; gives its URL."""
    assert OLAH.exists(), MAKE
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    facts = {"host": "127.0.0.1", "repos-path": str(folder / "kept"), "hf-scheme": "http"}
    facts |= {"hf-netloc": hub.endpoint[7:], "hf-lfs-netloc": hub.storage[7:]}
    facts |= {f"mirror-{name}": f"127.0.0.1:{port}" for name in ("netloc", "lfs-netloc")}
    lines = [f"{name} = {json.dumps(value)}" for name, value in facts.items()]
    config = folder / "olah.toml"
    config.write_text("\n".join(["[basic]", f"port = {port}", "metadata-cache-ttl = 0", *lines]))
    command = [str(OLAH), "-m", "olah.server", "-c", str(config), "--log-path", str(folder)]
    with (folder / "said").open("wb") as said:
        running = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
    try:
        for _ in range(300):
            assert running.poll() is None, (folder / "said").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait()


@pytest.mark.full
def test_an_independent_server_reads_the_same(talks, tmp_path):
    """Through olah, refs, files and rows at every tag are those that were published."""
    matter = b"---\nconfigs:\n- config_name: default\n  data_files: data/*.parquet\n---\n# Talks\n"
    expected = {}
    for tag, rows in (("v1.0.0", 5), ("v2.0.0", 2), ("main", 3)):
        data = {"README.md": matter + tag.encode(), "data/train.parquet": parquet(rows)}
        commit = talks.push("demo/talks", data)
        files = talks.files("demo/talks", commit)
        expected[tag] = {
            "listed": sorted(files),
            "files": {path: content.hex() for path, content in sorted(files.items())},
            "rows": list(range(rows)),
            "commit": commit,
        }
        if tag != "main":
            talks.tag("demo/talks", tag)
    expected["refs"] = talks.refs("demo/talks")
    folder = tmp_path / "olah"
    folder.mkdir()
    with olah(talks, folder) as endpoint:
        assert run(talks, tmp_path / "home", READ, HF_ENDPOINT=endpoint) == expected
