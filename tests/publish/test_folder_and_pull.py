"""A version to a folder, and back into another store, every byte held against its checksum."""

import json
import shutil

import polars as pl
import pytest
import yaml

from imitation_data.errors import PublishError
from imitation_data.publish.card import parse_card
from imitation_data.publish.publication import Wanted
from imitation_data.publish.publish import Target, publish_version
from imitation_data.publish.pull import pull
from imitation_data.runner import build
from imitation_data.stored import load
from imitation_data.versions.store import Store
from tests.publish.asked import REPO


def to_folder(store, version, folder, *, wanted=None, **target):
    stored = store.find(f"trial@{version}")
    return publish_version(stored, store, Target(f"folder:{folder}", **target), wanted or Wanted())


def test_a_folder_holds_what_the_hub_would(versions, tmp_path):
    """The same files, loadable by `datasets` as they lie; what else is there stays."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "NOTES.txt").write_text("mine", encoding="utf-8")
    to_folder(versions, "1.0.0", folder)
    to_folder(versions, "1.1.0", folder)
    record = json.loads((folder / "publish.json").read_bytes())
    assert record["version"] == "1.1.0"
    assert set(record["files"]) | {"publish.json", "NOTES.txt"} == {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    }


def test_a_pulled_version_is_the_version(versions, tmp_path):
    """The same manifest and data, its rows load; pulled again it is there already."""
    folder = tmp_path / "out"
    to_folder(versions, "1.1.0", folder)
    store = Store(tmp_path / "other")
    stored, new = pull(f"folder:{folder}", store)
    assert new
    assert stored.manifest == versions.find("trial@1.1.0").manifest
    for split, rows in load("trial@1.1.0", versions.root).items():
        assert list(load("trial", store.root)[split]) == list(rows)
    assert pull(f"folder:{folder}", store) == (stored, False)


def test_evidence_and_dropped_text_stay_at_home(versions, tmp_path):
    """No quote of a row that was dropped is in any file that goes out, unless it is asked for."""
    stored = versions.find("trial@1.0.0")
    quoted = pl.read_parquet(stored.ledger_files()).filter(pl.col("evidence") != "")
    assert len(quoted)
    folder = tmp_path / "out"
    to_folder(versions, "1.0.0", folder)
    assert (pl.read_parquet(folder / "ledger" / "*.parquet")["evidence"] == "").all()
    secrets = [text.strip("…")[:30] for text in quoted["evidence"]]
    for path in folder.rglob("*"):
        if path.suffix in {".md", ".json", ".yaml", ".html"}:
            text = path.read_text(encoding="utf-8")
            assert not any(secret in text for secret in secrets), path.name
    assert not (folder / "report.html").exists()
    to_folder(versions, "1.0.0", tmp_path / "more", wanted=Wanted(evidence=True))
    ledger = pl.read_parquet(tmp_path / "more" / "ledger" / "*.parquet")
    assert ledger.filter(pl.col("evidence") != "").equals(quoted)


def test_what_a_bad_record_held_stays_at_home(write_recipe, tmp_path):
    """A role or a field's name is text of a record that was left out: it goes with the evidence."""
    records = [
        {"id": "a", "conversations": [{"from": "SECRETrole", "value": "Hi."}]},
        {"id": "b", "SECRETfield": 1},
        {"id": "c", "conversations": [{"from": "human", "value": "Hi."}]},
    ]
    path = write_recipe({"web": json.dumps(records)})
    recipe = yaml.safe_load(path.read_text(encoding="utf-8"))
    recipe["sources"][0]["bad_records"] = "drop"
    path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
    store = Store(tmp_path / "store")
    build(path, store=store.root, workers=1)
    for evidence, folder in ((False, tmp_path / "out"), (True, tmp_path / "more")):
        to_folder(store, "1.0.0", folder, wanted=Wanted(evidence=evidence))
        ledger = pl.read_parquet(folder / "ledger" / "*.parquet")
        assert ledger.filter(pl.col("reason") == "bad_record").height == 2
        texts = [str(ledger.to_dicts())]
        texts += [one.read_text(encoding="utf-8") for one in folder.glob("*.[jmy]*")]
        assert any("SECRET" in text for text in texts) == evidence


@pytest.mark.parametrize("first", [True, False])
def test_a_publish_that_broke_off_is_gone_on_with(versions, tmp_path, first):
    """It ends before its last file: the next one knows its files and the card it wrote."""
    folder = tmp_path / "out"
    if not first:
        to_folder(versions, "1.0.0", folder)
        (folder / "data" / "old-00000-of-00001.parquet").write_bytes(b"PAR1")
        record = json.loads((folder / "publish.json").read_bytes())
        record["files"]["data/old-00000-of-00001.parquet"] = {"bytes": 4, "sha256": "0" * 64}
        (folder / "publish.json").write_text(json.dumps(record), encoding="utf-8")
        (folder / "croissant.json").unlink()
    (folder / "croissant.json" / "in the way").mkdir(parents=True)
    with pytest.raises(PublishError, match=r"croissant\.json: cannot be written"):
        to_folder(versions, "1.1.0", folder)
    with pytest.raises(PublishError, match=r"is no version published|has no publish\.json"):
        pull(f"folder:{folder}", Store(tmp_path / "store"))
    shutil.rmtree(folder / "croissant.json")
    done = to_folder(versions, "1.1.0", folder)
    assert (done.kept, done.conflicts) == ((), ())
    to_folder(versions, "1.1.0", tmp_path / "clean")
    files, cards = zip(
        *(
            (
                {path.relative_to(one).as_posix() for path in one.rglob("*")},
                parse_card((one / "README.md").read_text(encoding="utf-8")).prints(),
            )
            for one in (folder, tmp_path / "clean")
        ),
        strict=True,
    )
    assert files[0] == files[1]
    assert cards[0] == cards[1]


@pytest.mark.parametrize(
    "name", ["data/train-00000-of-00001.parquet", "recipe.yaml", "manifest.json"]
)
@pytest.mark.parametrize("harm", ["changed", "gone", "longer"])
def test_a_damaged_publication_is_refused(versions, tmp_path, name, harm):
    """Every file is held against its checksum; nothing comes into the store."""
    folder = tmp_path / "out"
    to_folder(versions, "1.0.0", folder)
    path = folder / name
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(content + b" " if harm == "longer" else content[:-1] + b"\x01")
    store = Store(tmp_path / "other")
    with pytest.raises(PublishError):
        pull(f"folder:{folder}", store)
    assert store.names() == []


def test_a_record_that_was_forged_with_its_file_is_refused(versions, tmp_path):
    """Data and `publish.json` agree, the manifest does not: it is told."""
    folder = tmp_path / "out"
    to_folder(versions, "1.0.0", folder)
    to_folder(versions, "2.0.0", tmp_path / "two")
    name = "data/train-00000-of-00001.parquet"
    shutil.copy(tmp_path / "two" / name, folder / name)
    record = json.loads((folder / "publish.json").read_bytes())
    record["files"][name] = json.loads((tmp_path / "two" / "publish.json").read_bytes())["files"][
        name
    ]
    (folder / "publish.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(PublishError, match=r"found something else in publish\.json"):
        pull(f"folder:{folder}", Store(tmp_path / "other"))


def test_another_version_of_the_same_number_is_not_overwritten(versions, tmp_path):
    """The store has its own 1.0.0: the pull is refused, and says what to do."""
    folder = tmp_path / "out"
    to_folder(versions, "1.0.0", folder)
    other = Store(tmp_path / "other")
    shutil.copytree(versions.root / "trial" / "v1.0.0", other.root / "trial" / "v1.0.0")
    path = other.root / "trial" / "v1.0.0" / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"description"', b'"described"'))
    with pytest.raises(PublishError, match="another version of that number"):
        pull(f"folder:{folder}", other)


def test_a_folder_of_something_else_is_refused(versions, tmp_path):
    """Foreign rows, another dataset, no publication at all: each in words."""
    folder = tmp_path / "out"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "train-x.parquet").write_bytes(b"PAR1")
    with pytest.raises(PublishError, match="would be loaded as rows"):
        to_folder(versions, "1.0.0", folder)
    to_folder(versions, "1.0.0", folder, replace=True)
    record = json.loads((folder / "publish.json").read_bytes())
    (folder / "publish.json").write_text(json.dumps(record | {"name": "other"}), encoding="utf-8")
    with pytest.raises(PublishError, match="holds the dataset 'other'"):
        to_folder(versions, "1.1.0", folder)
    with pytest.raises(PublishError, match=r"has no publish\.json"):
        pull(f"folder:{tmp_path}", Store(tmp_path / "other"))


def test_the_curators_changelog_is_kept_up(versions, tmp_path):
    """A paragraph written by hand stays through the next publish, here and where it goes."""
    card = tmp_path / "card"
    card.mkdir()
    folder = tmp_path / "out"
    to_folder(versions, "1.0.0", folder, card=card)
    path = card / "CHANGELOG.md"
    text = path.read_text(encoding="utf-8")
    assert "## 1.0.0" in text
    path.write_text(text.replace("## 1.0.0\n", "## 1.0.0\n\nThe first words.\n"), encoding="utf-8")
    to_folder(versions, "1.1.0", folder, card=card)
    for place in (path, folder / "CHANGELOG.md"):
        found = place.read_text(encoding="utf-8")
        assert found.index("## 1.1.0") < found.index("The first words.")


def test_words_on_both_sides_are_not_lost(versions, tmp_path):
    """Somebody wrote into the published changelog, and the curator into their own: it is told."""
    card, folder = tmp_path / "card", tmp_path / "out"
    card.mkdir()
    to_folder(versions, "1.0.0", folder, card=card)
    there, mine = folder / "CHANGELOG.md", card / "CHANGELOG.md"
    text = there.read_text(encoding="utf-8")
    there.write_text(text.replace("## 1.0.0\n", "## 1.0.0\n\nTheir words.\n"), encoding="utf-8")
    mine.write_text(text.replace("## 1.0.0\n", "## 1.0.0\n\nMy words.\n"), encoding="utf-8")
    with pytest.raises(PublishError, match="Their words"):
        to_folder(versions, "1.1.0", folder, card=card)
    mine.write_text(text.replace("## 1.0.0\n", "## 1.0.0\n\nTheir words.\n\nMy words.\n"), "utf-8")
    to_folder(versions, "1.1.0", folder, card=card)
    assert "Their words.\n\nMy words." in there.read_text(encoding="utf-8")
    mine.write_bytes(b"# Mine \xff\n")
    with pytest.raises(PublishError, match="UTF-8"):
        to_folder(versions, "2.0.0", folder, card=card)


def test_what_was_told_of_a_version_stays_when_its_predecessor_is_gone(versions, tmp_path):
    """1.0.0 leaves the store: 1.1.0 does not become a first version in the changelog."""
    store, folder = Store(tmp_path / "store"), tmp_path / "out"
    shutil.copytree(versions.root / "trial", store.root / "trial")
    to_folder(store, "1.1.0", folder)
    shutil.rmtree(store.root / "trial" / "v1.0.0")
    to_folder(store, "2.0.0", folder)
    told = (folder / "CHANGELOG.md").read_text(encoding="utf-8").partition("## 1.1.0")[2]
    assert "Minor: 10 rows added" in told


def test_a_damaged_version_is_not_published(versions, tmp_path):
    """What the store holds is held against the manifest before anything goes out."""
    store = Store(tmp_path / "store")
    shutil.copytree(versions.root / "trial", store.root / "trial")
    path = store.find("trial@1.0.0").path / "data" / "train-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(PublishError, match="is not what its manifest says"):
        to_folder(store, "1.0.0", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_pull_from_the_hub_and_retract(hub, commands, versions, tmp_path):
    """Publish, pull into another store, verify, withdraw; what stays public is said."""
    for version in ("1.0.0", "1.1.0"):
        commands("publish", f"trial@{version}", "--to", REPO, "--store", versions.root)
    other = tmp_path / "other"
    done = commands("pull", f"{REPO}@v1.0.0", "--store", other, "--json").json
    assert done["new"]
    manifest = versions.find("trial@1.0.0").manifest
    assert Store(other).find("trial@1.0.0").manifest == manifest
    commands("pull", REPO, "--store", other)
    assert [str(one.version) for one in Store(other).versions("trial")] == ["1.0.0", "1.1.0"]
    missing = commands("pull", f"{REPO}@v9.0.0", "--store", other)
    assert (missing.code, "no revision 'v9.0.0'" in missing.err) == (1, True)
    hub.fail_next("DELETE", "/tag/", "lost")
    commit = hub.refs(REPO)["refs/tags/v1.1.0"]
    gone = commands("retract", f"{REPO}@v1.1.0", "--reason", "Two rows were wrong.")
    assert gone.code == 0
    assert "stays in the history" in gone.out
    assert "head of main still holds its rows" in gone.out
    assert "refs/tags/v1.1.0" not in hub.refs(REPO)
    assert "Two rows were wrong." in hub.files(REPO)["CHANGELOG.md"].decode()
    assert commit in hub.git(REPO, "log", "--format=%H", "main")
    again = commands("publish", "trial@1.1.0", "--to", REPO, "--store", versions.root)
    assert (again.code, "was withdrawn there" in again.err) == (1, True)
    commands("publish", "trial@2.0.0", "--to", REPO, "--store", versions.root)
    assert "**Withdrawn.** Two rows were wrong." in hub.files(REPO)["CHANGELOG.md"].decode()


def test_a_withdrawal_stands_in_the_curators_changelog_too(hub, commands, versions, tmp_path):
    """The next publish takes the curator's own changelog, and the withdrawal into it."""
    card = tmp_path / "card"
    card.mkdir()
    words = ("--to", REPO, "--store", versions.root, "--card", card)
    commands("publish", "trial@1.0.0", *words)
    commands("publish", "trial@1.1.0", *words)
    commands("retract", f"{REPO}@v1.0.0", "--reason", "Two \udcff rows\nwere wrong.")
    assert commands("publish", "trial@2.0.0", *words).code == 0
    for text in (hub.files(REPO)["CHANGELOG.md"].decode(), (card / "CHANGELOG.md").read_text()):
        assert text.count("**Withdrawn.** Two \\udcff rows were wrong.") == 1


def test_a_pulled_version_is_published_on(versions, tmp_path):
    """Its ledger came without evidence: that is no damage, and it goes on as it came."""
    to_folder(versions, "1.0.0", tmp_path / "out")
    store = Store(tmp_path / "other")
    pull(f"folder:{tmp_path / 'out'}", store)
    to_folder(store, "1.0.0", tmp_path / "again")
    pull(f"folder:{tmp_path / 'again'}", Store(tmp_path / "third"))


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_folder_is_as_careful_as_the_hub(versions, tmp_path, dry_run):
    """An older version over a newer one, a withdrawn number: refused, in a dry run as well."""
    folder = tmp_path / "out"
    to_folder(versions, "1.1.0", folder)
    old, new = versions.find("trial@1.0.0"), versions.find("trial@1.1.0")
    target = Target(f"folder:{folder}")
    with pytest.raises(PublishError, match="oldest first"):
        publish_version(old, versions, target, Wanted(), dry_run=dry_run)
    path = folder / "publish.json"
    record = json.loads(path.read_bytes()) | {"retracted": ["1.1.0"]}
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(PublishError, match="was withdrawn"):
        publish_version(new, versions, target, Wanted(), dry_run=dry_run)


@pytest.mark.parametrize("to", ["folder:", "folder: ", "folder:~nobody-here/x"])
def test_a_folder_that_is_none_is_told(versions, tmp_path, to):
    """Nothing is written into the folder one happens to stand in."""
    stored = versions.find("trial@1.0.0")
    with pytest.raises(PublishError, match="folder"):
        publish_version(stored, versions, Target(to), Wanted())
    with pytest.raises(PublishError, match="folder"):
        pull(to, Store(tmp_path / "store"))


def test_a_gap_in_the_store_stops_a_publish(versions, tmp_path):
    """The version before is published and not here: the changelog would call ours the first."""
    to_folder(versions, "1.0.0", tmp_path / "out")
    store = Store(tmp_path / "other")
    shutil.copytree(versions.root / "trial" / "v1.1.0", store.root / "trial" / "v1.1.0")
    with pytest.raises(PublishError, match=r"`imitation-data pull` it first"):
        to_folder(store, "1.1.0", tmp_path / "out")
    pull(f"folder:{tmp_path / 'out'}", store)
    to_folder(store, "1.1.0", tmp_path / "out")


def test_files_of_the_curator_are_not_written_over(versions, tmp_path):
    """A folder with a recipe of one's own is no place to publish into."""
    (tmp_path / "recipe.yaml").write_text("name: mine", encoding="utf-8")
    with pytest.raises(PublishError, match=r"holds recipe\.yaml"):
        to_folder(versions, "1.0.0", tmp_path)
    assert (tmp_path / "recipe.yaml").read_text(encoding="utf-8") == "name: mine"
    to_folder(versions, "1.0.0", tmp_path, replace=True)
