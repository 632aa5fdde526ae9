"""Versions to the loopback Hub: one commit, one tag, whatever goes wrong on the way."""

import json
import subprocess
from hashlib import sha256

import pytest

from imitation_data.runner import build
from imitation_data.stored import load
from imitation_data.versions.coming import Release
from imitation_data.versions.store import Store
from tests.conftest import sharegpt
from tests.publish.asked import REPO, commands_for
from tests.servers.hub import HubFaults, Token

LOAD = """
import json, sys
from datasets import load_dataset
found = {}
for revision in sys.argv[2:]:
    whole = load_dataset(sys.argv[1], revision=revision)
    streamed = load_dataset(sys.argv[1], revision=revision, streaming=True)
    found[revision] = {split: list(rows) for split, rows in whole.items()}
    assert found[revision] == {split: list(rows) for split, rows in streamed.items()}
print(json.dumps(found))
"""


def publish(commands, store, version, *more, repo=REPO):
    return commands("publish", f"trial@{version}", "--to", repo, "--store", store.root, *more)


def rows_of(store, version):
    return {split: list(rows) for split, rows in load(f"trial@{version}", store.root).items()}


def tags(hub, repo=REPO):
    found = {}
    for name, commit in hub.refs(repo).items():
        if name.startswith("refs/tags/"):
            found[name.removeprefix("refs/tags/")] = commit
    return found


def whole(hub, store, version, repo=REPO):
    """The files under a tag are those of its own record, and the rows are those of the store."""
    files = hub.files(repo, f"v{version}")
    record = json.loads(files["publish.json"])
    assert record["version"] == version
    for name, told in record["files"].items():
        assert sha256(files[name]).hexdigest() == told["sha256"], name
    stored = store.find(f"trial@{version}")
    for name in stored.manifest["files"]:
        if not name.startswith("ledger/"):
            assert files[name] == (stored.path / name).read_bytes(), name
    ours = {name for name in files if name.startswith(("data/", "ledger/"))}
    assert ours <= set(record["files"])
    return record


def test_versions_load_by_their_tags(hub, commands, versions):
    """Each tag gives its version's rows, streaming too; git and a card reader see the same."""
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        done = publish(commands, versions, version, "--json").json
        assert (done["state"], done["tag"]) == ("published", f"v{version}")
        assert done["commit"] == tags(hub)[f"v{version}"]
        whole(hub, versions, version)
    found = json.loads(commands.python(LOAD, REPO, "v1.0.0", "v1.1.0", "v2.0.0"))
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        assert found[f"v{version}"] == rows_of(versions, version)
    log = hub.git(REPO, "log", "--format=%s", "main").split("\n")
    assert [line.partition(":")[0] for line in log if line][:3] == ["v2.0.0", "v1.1.0", "v1.0.0"]
    hub.git(REPO, "fsck", "--strict")


def test_publishing_again_changes_nothing(hub, commands, versions):
    """The second run says so and makes no commit."""
    publish(commands, versions, "1.0.0")
    before = hub.refs(REPO)
    done = publish(commands, versions, "1.0.0", "--json").json
    assert done["state"] == "stood there already"
    assert hub.refs(REPO) == before


@pytest.mark.parametrize("what", ["/commit/", "/tag/", "/repos/create"])
@pytest.mark.parametrize("kind", ["lost", "reset", "500", "429:0"])
def test_one_lost_step_is_found_again(hub, commands, versions, what, kind):
    """Whether the lost step took effect or not: one commit, one tag, both right."""
    hub.fail_next("POST", what, kind)
    assert publish(commands, versions, "1.0.0").code == 0
    whole(hub, versions, "1.0.0")
    log = hub.git(REPO, "log", "--format=%s", "main")
    assert log.count("v1.0.0") == 1


def test_a_head_that_moves_is_looked_at_again(hub, commands, versions):
    """Someone edits the card right before our commit: theirs is kept, ours comes on top."""
    publish(commands, versions, "1.0.0")
    card = hub.files(REPO, "main")["README.md"].decode()
    edited = card.replace("## Known limits", "## Thanks\n\nTo all.\n\n## Known limits")
    pushed = []

    def push(method, path):
        if method == "POST" and "/commit/" in path and not pushed:
            pushed.append(hub.push(REPO, {"README.md": edited.encode()}))

    hub.on_request = push
    assert publish(commands, versions, "1.1.0").code == 0
    assert pushed
    whole(hub, versions, "1.1.0")
    assert b"To all." in hub.files(REPO, "v1.1.0")["README.md"]
    parents = hub.git(REPO, "log", "-1", "--format=%P", "v1.1.0").strip()
    assert parents == pushed[0]


def test_someone_pushes_between_commit_and_tag(hub, commands, versions):
    """The tag goes on our own commit, not on what came after it."""
    hub.fail_next("POST", "/commit/", "lost")
    pushed = []

    def push(_, path):
        soon = "/commit/" not in path and "/commit/" in "".join(hub.calls[-3:])
        if soon and not pushed and "publish.json" in hub.files(REPO, "main"):
            pushed.append(hub.push(REPO, {"NOTES.md": b"mine"}))

    hub.on_request = push
    assert publish(commands, versions, "1.0.0").code == 0
    assert pushed
    record = whole(hub, versions, "1.0.0")
    assert record["publication"] in hub.git(REPO, "log", "-1", "--format=%b", "v1.0.0")
    assert "NOTES.md" not in hub.files(REPO, "v1.0.0")


def test_a_tag_that_names_something_else_is_refused(hub, commands, versions):
    """A tag never moves; nothing is committed."""
    hub.push(REPO, {"a.txt": b"mine"})
    hub.tag(REPO, "v1.0.0")
    before = hub.refs(REPO)
    done = publish(commands, versions, "1.0.0")
    assert done.code == 1
    assert "a tag never moves" in done.err
    assert hub.refs(REPO) == before


def test_a_tag_with_other_forms_names_the_options_that_made_it(commands, versions):
    """Whoever forgets `--format` the second time is told of it, and the same options go through."""
    form = ("--format", "sharegpt")
    assert publish(commands, versions, "1.0.0", *form).code == 0
    forgotten = publish(commands, versions, "1.0.0")
    assert forgotten.code == 1
    assert "published with --format sharegpt: ask for the same" in forgotten.err
    assert "stood there already" in publish(commands, versions, "1.0.0", *form).out


def test_an_older_version_does_not_take_the_head_back(commands, versions):
    """The head would lose rows that a newer version has: refused, in words."""
    publish(commands, versions, "1.1.0")
    done = publish(commands, versions, "1.0.0")
    assert done.code == 1
    assert "oldest first" in done.err


def test_foreign_files_that_would_be_rows_are_refused(hub, commands, versions):
    """`data/train-*.parquet` of somebody else would be loaded as ours; --replace takes it away."""
    hub.push(REPO, {"data/train-x.parquet": b"PAR1", "notes.txt": b"mine"})
    done = publish(commands, versions, "1.0.0")
    assert done.code == 1
    assert "data/train-x.parquet" in done.err
    assert publish(commands, versions, "1.0.0", "--replace").code == 0
    whole(hub, versions, "1.0.0")
    assert "notes.txt" in hub.files(REPO, "v1.0.0")


def test_files_of_the_version_before_go(hub, commands, versions):
    """A form that is no longer asked for leaves with the next version."""
    publish(commands, versions, "1.0.0", "--format", "sharegpt")
    assert any(name.startswith("sharegpt/") for name in hub.files(REPO, "v1.0.0"))
    publish(commands, versions, "1.1.0")
    assert not any(name.startswith("sharegpt/") for name in hub.files(REPO, "v1.1.0"))
    whole(hub, versions, "1.1.0")


def test_dry_run_changes_nothing(hub, commands, versions):
    """It tells files, bytes and the change of the card; the repository is not even made."""
    done = publish(commands, versions, "1.0.0", "--dry-run", "--json").json
    assert done["state"] == "would be published"
    assert set(done["upload"]) == set(done["files"])
    assert not hub.has(REPO)
    publish(commands, versions, "1.0.0")
    before = hub.refs(REPO)
    told = publish(commands, versions, "1.1.0", "--dry-run").out
    assert "-# trial 1.0.0" in told
    assert "+# trial 1.1.0" in told
    assert hub.refs(REPO) == before


@pytest.mark.parametrize(
    ("token", "repo", "words"),
    [
        ("", REPO, "hf auth login"),
        ("hf_nobody", REPO, "does not know this token"),
        ("hf_reader", REPO, "right to write"),
        ("hf_alice", "other/trial", "right to write"),
        ("hf_alice", "trial", "expected org/name"),
        ("hf_alice", "demo/x.git", "expected org/name"),
        ("hf_alice", "demo/a--b", "expected org/name"),
        ("hf_alice", "demo/a..b", "expected org/name"),
        ("hf_alice", "demo./x", "expected org/name"),
        ("hf_alic\u00e9", REPO, "the token alone"),
    ],
)
def test_rights_are_told_in_words(hub, tmp_path, versions, token, repo, words):
    """No token, a wrong one, one that may only read, another's namespace, no namespace."""
    hub.tokens["hf_reader"] = Token("rita", ("demo",), write=False)
    with commands_for(hub, tmp_path, token) as commands:
        done = publish(commands, versions, "1.0.0", repo=repo)
    assert done.code == 1
    assert words in done.err
    assert "Traceback" not in done.err
    assert not token or token not in done.err


def test_a_record_that_somebody_edited_is_told(hub, commands, versions):
    """`publish.json` on the Hub is anybody's: publish and retract stop in words."""
    publish(commands, versions, "1.0.0")
    record = json.loads(hub.files(REPO)["publish.json"])
    for key, value in (("files", [1]), ("retracted", 3), ("prints", []), ("version", 2)):
        hub.push(REPO, {"publish.json": json.dumps(record | {key: value}).encode()})
        before = hub.refs(REPO)
        for done in (
            publish(commands, versions, "1.1.0"),
            commands("retract", f"{REPO}@v1.0.0", "--reason", "Wrong."),
        ):
            assert done.code == 1
            assert f"publish.json: {key}" in done.err
            assert "report it" not in done.err
        assert hub.refs(REPO) == before


def test_a_hub_that_is_away_is_told(hub, tmp_path, versions):
    """Nobody answers: words, and how to go on."""
    with commands_for(hub, tmp_path) as commands:
        commands.environment["HF_ENDPOINT"] = "http://127.0.0.1:9"
        done = publish(commands, versions, "1.0.0")
    assert done.code == 1
    assert "run the same command again" in done.err


def test_private_is_kept(hub, commands, versions):
    """A repository is made private; one that is public is not taken for private."""
    publish(commands, versions, "1.0.0", "--private")
    with commands_for(hub, commands.folder, "") as anonymous:
        done = anonymous("pull", f"{REPO}@v1.0.0", "--store", commands.folder / "s")
    assert done.code == 1
    publish(commands, versions, "1.0.0", repo="demo/open")
    done = publish(commands, versions, "1.1.0", "--private", repo="demo/open")
    assert done.code == 1
    assert "is public" in done.err


def test_a_preview_leaves_main_alone(hub, commands, write_recipe, tmp_path):
    """It goes to a branch named after its channel, with a tag; main stays at the release."""
    store = Store(tmp_path / "own")
    texts = {"a": ["What is a?", "It is a."], "b": ["What is b?", "It is b."]}
    recipe = write_recipe({"web": sharegpt(texts)})
    build(recipe, store=store.root, workers=1)
    write_recipe({"web": sharegpt({**texts, "c": ["What is c?", "It is c."]})})
    build(recipe, store=store.root, workers=1, release=Release(channel="rc"))
    publish(commands, store, "1.0.0")
    main = hub.refs(REPO)["refs/heads/main"]
    hub.fail_next("POST", "/branch/", "lost")
    assert publish(commands, store, "1.1.0-rc.1").code == 0
    refs = hub.refs(REPO)
    assert (refs["refs/heads/main"], refs["refs/heads/rc"]) == (main, refs["refs/tags/v1.1.0-rc.1"])
    assert json.loads(hub.files(REPO, "v1.1.0-rc.1")["publish.json"])["version"] == "1.1.0-rc.1"
    build(recipe, store=store.root, workers=1)
    assert publish(commands, store, "1.1.0").code == 0
    whole(hub, store, "1.1.0")
    assert hub.refs(REPO)["refs/heads/rc"] == refs["refs/heads/rc"]


ALL = ("1.0.0", "1.1.0", "2.0.0")


def publishing(hub, folder, versions, wanted, rounds, seed):
    """Publish versions again and again, with faults, each run killed now and then."""
    from random import Random  # noqa: PLC0415

    draw = Random(seed)
    runs = 0
    for number in range(rounds):
        repo = f"demo/kill-{number}"
        for version in wanted:
            for _ in range(12):
                runs += 1
                hub.faults = HubFaults(seed=draw.randrange(10**6), share=0.2)
                commands = commands_for(hub, folder)
                arguments = ["publish", f"trial@{version}", "--to", repo, "--store"]
                process = commands.start("-m", "imitation_data", *arguments, str(versions.root))
                try:
                    code = process.wait(draw.uniform(1.2, 3.2) if draw.random() < 0.6 else 120)
                except subprocess.TimeoutExpired:
                    process.kill()
                    code = process.wait()
                for tag in tags(hub, repo) if hub.has(repo) else {}:
                    whole(hub, versions, tag.removeprefix("v"), repo)
                if code == 0:
                    break
            hub.faults = None
            with commands_for(hub, folder) as commands:
                assert publish(commands, versions, version, repo=repo).code == 0
        assert sorted(tags(hub, repo)) == [f"v{version}" for version in wanted]
        log = hub.git(repo, "log", "--format=%s", "main")
        assert [log.count(f"v{one}:") for one in wanted] == [1] * len(wanted)
        hub.git(repo, "fsck", "--strict")
    return runs


def test_kills_and_faults_leave_only_whole_versions(hub, tmp_path, versions):
    """The short form: whatever a killed publish left, the next one ends it."""
    assert publishing(hub, tmp_path, versions, ALL[:1], rounds=1, seed=4) >= 2


@pytest.mark.full
def test_fifty_publishes_with_kills_and_faults(hub, tmp_path, versions):
    """Fifty and more runs: every tag that is ever seen is whole and right; one commit a version."""
    assert publishing(hub, tmp_path, versions, ALL, rounds=11, seed=2) >= 50
