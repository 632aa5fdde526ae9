"""The Hub keeps its own promises: what is published to it is what git has and clients read."""

import hashlib
import json
from threading import Barrier, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers.hub import Hub, MovedError, Token
from tests.servers.hub_asked import TALKS, ask, commit_body, parquet, run
from tests.servers.hub_card import wrongs
from tests.servers.hub_git import START, Change, Repository

MATTER = "---\nlicense: mit\nconfigs:\n- config_name: default\n  data_files: data/*.parquet\n---\n"
LARGE = b"large " * 1000
OID = hashlib.sha256(LARGE).hexdigest()


LIFE = """
import pandas
from datasets import load_dataset
from pathlib import Path
readme, old, new = (Path(path).read_bytes() for path in sys.argv[1:])
api.create_repo(private=True, **K)
start = api.repo_info(**K).sha
files = {"README.md": readme, "data/train.parquet": old, "notes/a.txt": b"a"}
one = commit("one", files, start, commit_description="why")
api.create_tag(tag="v1.0.0", revision=one, tag_message="first", **K)
two = commit("two", {"data/train.parquet": new, "notes/": None}, one)
api.create_tag(tag="v2.0.0", **K)
revisions = ["v1.0.0", one, "v2.0.0", two, "main"]
rows = [load_dataset("demo/talks", revision=each)["train"]["x"][:] for each in revisions]
stream = load_dataset("demo/talks", revision="v1.0.0", streaming=True)["train"]
path = "hf://datasets/demo/talks@v2.0.0/data/train.parquet"
folder = Path(api.snapshot_download(revision="v1.0.0", **K))
found = {
    "commits": [start, one, two],
    "rows": rows,
    "streamed": [row["x"] for row in stream],
    "pandas": list(pandas.read_parquet(path)["x"]),
    "files": [p.relative_to(folder).as_posix() for p in sorted(folder.rglob("*")) if p.is_file()],
    "tree": [each.path for each in api.list_repo_tree(recursive=True, expand=True, **K)],
    "log": [(c.commit_id, c.title, c.message, c.authors) for c in api.list_repo_commits(**K)],
    "stale": status(commit, "three", {"b": b"b"}, one),
    "taken": status(api.create_tag, tag="v1.0.0", revision=two, **K),
    "same": commit("none", {"data/train.parquet": new}, two),
}
api.delete_tag(tag="v2.0.0", **K)
refs = api.list_repo_refs(**K)
found["refs"] = {each.ref: each.target_commit for each in [*refs.branches, *refs.tags]}
print(json.dumps(found))
"""


def test_what_clients_publish_is_what_they_read_and_git_has(hub, tmp_path):
    """Two tagged versions: clients read each by tag, commit and branch; git agrees byte by byte."""
    hub.page = 2  # every listing has several pages
    files = {"README.md": MATTER.encode(), "old": parquet(5), "new": parquet(2)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    found = run(hub, tmp_path / "home", LIFE, *(str(tmp_path / name) for name in files))
    start, one, two = found["commits"]
    assert found["rows"] == [list(range(count)) for count in (5, 5, 2, 2, 2)]
    assert (found["streamed"], found["pandas"]) == ([0, 1, 2, 3, 4], [0, 1])
    old = [".gitattributes", "README.md", "data/train.parquet", "notes/a.txt"]
    assert (found["files"], found["tree"]) == (old, [*old[:2], "data", "data/train.parquet"])
    titles = [[two, "two", ""], [one, "one", "why"], [start, "initial commit", ""]]
    assert found["log"] == [[*each, ["alice"]] for each in titles]
    assert (found["stale"], found["taken"], found["same"]) == (412, 409, two)
    assert found["refs"] == {"refs/heads/main": two, "refs/tags/v1.0.0": one}

    assert hub.refs("demo/talks") == found["refs"]
    assert hub.git("demo/talks", "log", "--format=%H %s").splitlines() == [
        f"{oid} {title}" for oid, title, _ in titles
    ]
    assert hub.git("demo/talks", "cat-file", "-t", "v1.0.0") == "tag\n"
    digest = hashlib.sha256(files["old"]).hexdigest()
    assert hub.git("demo/talks", "show", f"{one}:data/train.parquet") == (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\n"
        f"size {len(files['old'])}\n"
    )
    assert hub.git("demo/talks", "show", "v1.0.0:README.md") == MATTER
    at_one = hub.files("demo/talks", "v1.0.0")
    assert (at_one["data/train.parquet"], at_one["notes/a.txt"]) == (files["old"], b"a")
    assert hub.git("demo/talks", "fsck", "--strict") == ""


def test_a_second_start_serves_the_same(talks, tmp_path):
    """What a folder holds does not depend on the Hub that wrote it, nor does who may see it."""
    talks.push("demo/talks", {"a.parquet": LARGE, "b": b"b"})
    talks.tag("demo/talks", "v1.0.0")
    talks.settings("demo/talks", private=True)
    with Hub(tmp_path / "hub") as again:
        assert again.refs("demo/talks") == talks.refs("demo/talks")
        assert again.files("demo/talks") == talks.files("demo/talks")
        assert ask(again, "GET", TALKS)[0] == 200
        assert ask(again, "GET", TALKS, token=None)[0] == 401


def test_the_same_pushes_give_the_same_commits(tmp_path):
    """Ids of commits can be compared between runs: no clock is in them."""
    heads = []
    for name in ("one", "two"):
        with Hub(tmp_path / name) as hub:
            hub.push("demo/talks", {"a": b"a"})
            heads.append(hub.push("demo/talks", {"a": None, "b": b"b"}, "side"))
            dates = hub.git("demo/talks", "log", "side", "--format=%at %ct").split()
    assert heads[0] == heads[1]
    assert dates == [str(START + 1)] * 2 + [str(START)] * 2


names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1)
paths = st.tuples(names, names).map(lambda two: f"d{two[0]}/f{two[1]}")
steps = st.lists(st.tuples(paths, st.one_of(st.none(), st.binary(max_size=200))), max_size=5)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), steps), max_size=4))
def test_commits_hold_what_was_sent(tmp_path_factory, commits):
    """Whatever paths, contents and messages are: git gives back what came in, in order."""
    repository = Repository.create(tmp_path_factory.mktemp("git") / "repo")
    expected: dict[str, bytes] = {}
    head = None
    for message, operations in commits:
        head = repository.commit("main", Change("bob", message, operations), head)
        for path, content in operations:
            expected.pop(path, None)
            if content is not None:
                expected[path] = content
        tree = repository.tree(head)
        found = {path: e for path, e in tree.items() if e.kind == "file"}
        assert {path: repository.content(entry) for path, entry in found.items()} == expected
    if head:
        assert len(repository.log(head)) == len(commits)
    assert repository.git("fsck", "--strict", "--no-dangling") == b""
    repository.close()


def test_two_commits_with_one_parent(talks, tmp_path):
    """Exactly one wins, also between Hubs that share nothing but the folder."""
    with Hub(tmp_path / "hub") as other:
        for turn in range(10):
            head = talks.refs("demo/talks")["refs/heads/main"]
            barrier, statuses = Barrier(2), []

            def send(hub, turn=turn, head=head, barrier=barrier, statuses=statuses):
                body = commit_body({f"{turn}": hub.endpoint.encode()}, head)
                barrier.wait()
                statuses.append(ask(hub, "POST", f"{TALKS}/commit/main", body)[0])

            threads = [Thread(target=send, args=(hub,)) for hub in (talks, other)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(statuses) == [200, 412]
    assert len(talks.git("demo/talks", "log", "--format=%H").split()) == 11


def test_git_itself_refuses_a_branch_that_moved(talks):
    """The last word is git's: a commit that starts elsewhere leaves the branch where it is."""
    repository = talks.repository("datasets", "demo/talks")
    start = talks.refs("demo/talks")["refs/heads/main"]
    head = talks.push("demo/talks", {"a": b"a"})
    with pytest.raises(MovedError):
        repository.commit("main", Change("eve", "late", [("b", b"b")]), start)
    assert talks.refs("demo/talks")["refs/heads/main"] == head


def test_a_push_right_before_a_commit_arrives(talks):
    """A test can let someone else be faster; the commit is refused and nothing of it is there."""
    head = talks.refs("demo/talks")["refs/heads/main"]

    def faster(method, path):
        if method == "POST" and "/commit/" in path:
            talks.on_request = None
            talks.push("demo/talks", {"theirs": b"t"})

    talks.on_request = faster
    assert ask(talks, "POST", f"{TALKS}/commit/main", commit_body({"a": b"a"}, head))[0] == 412
    assert set(talks.files("demo/talks")) == {".gitattributes", "theirs"}


def test_mistakes_of_the_hub_are_heard_of(tmp_path):
    """A test does not pass on what the Hub did wrong."""
    hub = Hub(tmp_path / "hub").__enter__()
    hub.on_request = {}.__getitem__
    assert ask(hub, "GET", "/api/whoami-v2")[0] == 200
    with pytest.raises(ExceptionGroup, match="mistakes"):
        hub.__exit__(None, None, None)


# What is refused


def test_who_may_do_what(talks):
    """Tokens decide: unknown, read-only, of others, none; private and gated datasets."""
    talks.tokens |= {"reader": Token("alice", ("alice", "demo"), write=False), "eve": Token("eve")}
    create = {"name": "x", "organization": "demo", "type": "dataset"}
    commit = (f"{TALKS}/commit/main", commit_body({"a": b"a"}))
    tokens = ("reader", "eve", "unknown", None)
    for method, url, body, expected in (
        ("GET", "/api/whoami-v2", None, [200, 200, 401, 401]),
        ("POST", "/api/repos/create", create, [403, 403, 401, 401]),
        ("POST", *commit, [403, 403, 401, 401]),
        ("DELETE", "/api/repos/delete", create | {"name": "talks"}, [403, 403, 401, 401]),
        ("GET", TALKS, None, [200, 200, 401, 200]),
    ):
        assert [ask(talks, method, url, body, token=token)[0] for token in tokens] == expected
    talks.settings("demo/talks", private=True)
    assert [ask(talks, "GET", TALKS, token=token)[0] for token in tokens] == [200, 404, 401, 401]
    talks.settings("demo/talks", gated=True)
    file = "/datasets/demo/talks/resolve/main/.gitattributes"
    for url in (TALKS, file):
        status, headers, _ = ask(talks, "GET", url, token="eve")
        assert (status, headers["X-Error-Code"]) == (403, "GatedRepo")
        assert ask(talks, "GET", url, token="reader")[0] == 200
    assert talks.files("demo/talks").keys() == {".gitattributes"}


NEW = {"name": "talks", "organization": "demo", "type": "dataset"}
FILE = {"key": "file", "value": {"path": "a", "content": "YQ=="}}
LFS = {"key": "lfsFile", "value": {"path": "a", "algo": "sha256", "oid": OID, "size": 6000}}


def bad(key: str, **value: object) -> bytes:
    return commit_body({}, lines=({"key": key, "value": value},))


@pytest.mark.parametrize(
    ("method", "url", "body", "status", "code"),
    [
        ("GET", "/api/datasets/demo/none", None, 404, "RepoNotFound"),
        ("GET", "/api/datasets/demo/..", None, 404, "RepoNotFound"),
        ("GET", f"{TALKS}/revision/v9", None, 404, "RevisionNotFound"),
        ("GET", f"{TALKS}/revision/main%5E%7Btree%7D", None, 404, "RevisionNotFound"),
        ("GET", f"{TALKS}/revision/main%0Amain", None, 404, "RevisionNotFound"),
        ("GET", f"{TALKS}/tree/main/none", None, 404, "EntryNotFound"),
        ("HEAD", "/datasets/demo/talks/resolve/main/a.py", None, 404, "EntryNotFound"),
        ("GET", "/datasets/demo/talks/resolve/v9/a.py", None, 404, "RevisionNotFound"),
        ("POST", "/api/repos/create", NEW, 409, None),
        ("POST", "/api/repos/create", NEW | {"name": "../x"}, 400, None),
        ("POST", f"{TALKS}/tag/main", {"tag": "v1"}, 409, None),
        ("POST", f"{TALKS}/tag/main", {"tag": "v 2"}, 400, None),
        ("POST", f"{TALKS}/tag/main", {"tag": "--force", "message": "m"}, 200, None),
        ("POST", f"{TALKS}/tag/v9", {"tag": "v2"}, 404, "RevisionNotFound"),
        ("DELETE", f"{TALKS}/tag/v9", None, 404, "RevisionNotFound"),
        ("POST", f"{TALKS}/branch/main", {}, 409, None),
        ("DELETE", f"{TALKS}/branch/main", None, 403, None),
        ("POST", f"{TALKS}/commit/v1", commit_body({"a": b"a"}), 404, "RevisionNotFound"),
        ("POST", f"{TALKS}/commit/main", commit_body({}, lines=(LFS,)), 400, None),
        ("POST", f"{TALKS}/commit/main", json.dumps(FILE).encode(), 400, None),
        ("POST", f"{TALKS}/commit/main", b"{", 400, None),
        ("POST", f"{TALKS}/commit/main", commit_body({"../a": b"a"}), 400, None),
        ("POST", f"{TALKS}/commit/main", commit_body({".git/a": b"a"}), 400, None),
        ("POST", f"{TALKS}/commit/main", bad("file", path="\ud800", content=""), 400, None),
        ("POST", f"{TALKS}/commit/main", bad("file", path="a", content="!"), 400, None),
        ("POST", f"{TALKS}/commit/main", bad("copy", path="a"), 400, None),
        ("POST", f"{TALKS}/commit/main", commit_body({"README.md": b"---\na: :\n---"}), 400, None),
        ("POST", f"{TALKS}/commit/main", bad("deletedFile", path="a"), 404, "EntryNotFound"),
        ("POST", f"{TALKS}/commit/main", bad("deletedFolder", path="a"), 404, "EntryNotFound"),
    ],
)
def test_what_cannot_be_is_refused(talks, method, url, body, status, code):
    """Each with the status and code that clients tell apart, and main stays where it is."""
    talks.tag("demo/talks", "v1")
    head = talks.refs("demo/talks")["refs/heads/main"]
    answer = ask(talks, method, url, body)
    assert (answer[0], answer[1]["X-Error-Code"]) == (status, code)
    assert talks.refs("demo/talks")["refs/heads/main"] == head


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("# no matter", []),
        ("---\nlicense: [mit, apache-2.0]\nlanguage: en\n---\n", []),
        (MATTER, []),
        ("---\na: [\n---\n", ["not readable as YAML"]),
        ("---\n- a\n---\n", ["must be an object"]),
        ("---\nlicense: 3\ntags: a: b\n---\n", ["not readable as YAML"]),
        ("---\nlicense: 3\ntags: [1]\n---\n", ['"license" must', '"tags" must']),
        ("---\nconfigs: {}\n---\n", ['"configs" must']),
        ("---\nconfigs: [{}, {config_name: a, data_files: [{split: a}]}]\n---\n", ["[0]", "[1]"]),
    ],
)
def test_front_matter_is_checked(text, says):
    """What is wrong is said, and no more than that."""
    found = wrongs(text)
    assert len(found) == len(says)
    assert all(word in line for word, line in zip(says, found, strict=True))
