"""A publication that somebody forged: nothing outside is read, written or taken away for it."""

import json
import shutil
from hashlib import sha256

import pytest

from imitation_data.errors import PublishError
from imitation_data.publish.publication import Wanted
from imitation_data.publish.publish import Target, publish_version
from imitation_data.publish.pull import pull
from imitation_data.versions.manifest import to_bytes
from imitation_data.versions.semver import Version
from imitation_data.versions.store import Store

EVIL = {"bytes": 4, "sha256": sha256(b"evil").hexdigest()}


def publish(store, version, folder):
    stored = store.find(f"trial@{version}")
    return publish_version(stored, store, Target(f"folder:{folder}"), Wanted())


@pytest.fixture
def forged(versions, tmp_path):
    """Pull a publication of 1.0.0 in which something was changed and every checksum mended."""
    folder = tmp_path / "deep" / "er" / "out"
    publish(versions, "1.0.0", folder)

    def pulled(change):
        record = json.loads((folder / "publish.json").read_bytes())
        manifest = json.loads((folder / "manifest.json").read_bytes())
        change(record, manifest)
        content = to_bytes(manifest) if isinstance(manifest, dict) else b"[]"
        (folder / "manifest.json").write_bytes(content)
        if isinstance(record.get("files"), dict):
            told = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
            record["files"]["manifest.json"] = told
        (folder / "publish.json").write_text(json.dumps(record), encoding="utf-8")
        return pull(f"folder:{folder}", Store(tmp_path / "deep" / "er" / "store"))

    return pulled


def everything(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "name", ["../../evil", "/tmp/evil", "", ".build", "a/b", "a\nb", "a\0b", "A", "x" * 300, 7]
)
def test_a_name_that_is_a_path_is_refused(forged, tmp_path, name):
    """A dataset's name becomes a folder of the store and nothing else."""

    def change(record, manifest):
        record["name"] = manifest["name"] = name

    with pytest.raises(PublishError):
        forged(change)
    assert not (tmp_path / "deep" / "er" / "store").exists()
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("name", ["../x", "data/../../x", "/x", "data//x", "./x", "a\\x", "x\0"])
@pytest.mark.parametrize("both", [True, False])
def test_a_file_outside_is_refused(forged, tmp_path, name, both):
    """A file that lies beside the publication is not taken for one of its own."""
    (tmp_path / "deep" / "er" / "x").write_bytes(b"evil")

    def change(record, manifest):
        manifest["files"][name] = EVIL
        if both:
            record["files"][name] = EVIL

    with pytest.raises(PublishError, match="path inside the version"):
        forged(change)
    assert not (tmp_path / "deep" / "er" / "store").exists()


@pytest.mark.parametrize("value", [None, 3, "x", [], [1], {"a": 1}, {"a": {"bytes": "1"}}])
@pytest.mark.parametrize(
    ("place", "key"),
    [
        *(("record", key) for key in ("files", "name", "version", "format")),
        *(("manifest", key) for key in ("files", "name", "version", "format")),
        *(("manifest", key) for key in ("rows", "fingerprint")),
    ],
)
def test_wrong_types_are_told(forged, tmp_path, place, key, value):
    """Whatever stands in a record or manifest: words, and nothing in the store."""

    def change(record, manifest):
        (record if place == "record" else manifest)[key] = value

    with pytest.raises(PublishError):
        forged(change)
    assert not (tmp_path / "deep" / "er" / "store").exists()


def test_rows_that_are_not_those_of_the_fingerprint_are_refused(forged):
    """Checksums may all be right: the fingerprint is taken of the rows that came."""

    def fewer(_, manifest):
        del manifest["files"]["data/test-00000-of-00001.parquet"]

    with pytest.raises(PublishError, match="expected 39 rows; found 30"):
        forged(fewer)


def test_a_fingerprint_of_other_rows_is_refused(forged):
    """The manifest may say what it likes: the rows are counted and hashed."""

    def other(_, manifest):
        manifest["fingerprint"] = "0" * 64

    with pytest.raises(PublishError, match="expected fingerprint 0000"):
        forged(other)


def test_a_withdrawn_version_is_not_pulled(forged):
    """The head still holds its rows; whoever pulls it is told."""

    def withdrawn(record, _):
        record["retracted"] = ["1.0.0"]

    with pytest.raises(PublishError, match="was withdrawn"):
        forged(withdrawn)


def test_a_folder_whose_record_names_others_files_loses_none(versions, tmp_path):
    """Files of the version before are taken away, and only those that lie in the folder."""
    folder, mine = tmp_path / "out", tmp_path / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    publish(versions, "1.0.0", folder)
    record = json.loads((folder / "publish.json").read_bytes())
    record["files"]["../mine.txt"] = EVIL
    (folder / "publish.json").write_text(json.dumps(record), encoding="utf-8")
    before = everything(tmp_path)
    with pytest.raises(PublishError, match="path inside the version"):
        publish(versions, "1.1.0", folder)
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    ("key", "value"),
    [("retracted", 3), ("retracted", [1]), ("prints", []), ("prints", {"sections": []})],
)
def test_a_record_that_was_edited_stops_a_publish_in_words(versions, tmp_path, key, value):
    """`publish.json` in a folder was edited into something else."""
    folder = tmp_path / "out"
    publish(versions, "1.0.0", folder)
    record = json.loads((folder / "publish.json").read_bytes())
    (folder / "publish.json").write_text(json.dumps(record | {key: value}), encoding="utf-8")
    with pytest.raises(PublishError, match=key):
        publish(versions, "1.1.0", folder)


@pytest.mark.parametrize("text", ["9" * 5000 + ".0.0", "1\u0661.0.0", "0.0." + "1" * 19])
def test_a_number_that_no_version_has_is_none(text):
    """Digits of other scripts, and more of them than any version has."""
    assert Version.parse(text) is None


def test_the_same_publication_is_pulled_once(versions, tmp_path):
    """What forging is held against: unchanged, it comes."""
    publish(versions, "1.0.0", tmp_path / "out")
    store = Store(tmp_path / "store")
    assert pull(f"folder:{tmp_path / 'out'}", store)[1]
    shutil.rmtree(tmp_path / "out" / "ledger")
    with pytest.raises(PublishError, match="found no file"):
        pull(f"folder:{tmp_path / 'out'}", store)
