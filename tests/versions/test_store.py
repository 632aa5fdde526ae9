"""The store: versions exist whole or not at all."""

import subprocess
import sys

import pytest

from imitation_data.errors import StoreError
from imitation_data.versions.semver import Version
from imitation_data.versions.store import Store


def write(store: Store, name: str, *numbers: str) -> None:
    for number in numbers:
        version = Version.parse(number)
        with store.locked(name):
            store.finish(
                store.start(name, version), name, version, {"format": 1, "version": number}
            )


def test_versions_are_ordered_by_number(tmp_path):
    store = Store(tmp_path)
    write(store, "a", "1.2.0", "1.10.0", "1.9.0")
    assert [str(one.version) for one in store.versions("a")] == ["1.2.0", "1.9.0", "1.10.0"]
    assert str(store.find("a").version) == "1.10.0"
    assert str(store.find("a@v1.2.0").version) == "1.2.0"
    assert store.names() == ["a"]


def test_a_version_without_manifest_does_not_exist(tmp_path):
    """A killed write leaves nothing that is listed, and the next one clears it away."""
    store = Store(tmp_path)
    write(store, "a", "1.0.0")
    partial = store.start("a", Version(1, 1, 0))
    (partial / "data").mkdir()
    (tmp_path / "a" / "v9.0.0").mkdir()
    assert [str(one.version) for one in store.versions("a")] == ["1.0.0"]
    write(store, "a", "1.1.0")
    assert not partial.exists()
    assert str(store.find("a").version) == "1.1.0"


def test_one_build_at_a_time(tmp_path):
    store = Store(tmp_path)
    with store.locked("a"):
        with (
            pytest.raises(StoreError, match="another process builds or generates a"),
            store.locked("a"),
        ):
            pass
        with store.locked("b"):
            pass
    with store.locked("a"):
        pass


def test_what_is_not_there_is_said_with_what_is(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(StoreError, match="which is empty"):
        store.find("a")
    write(store, "alpaca", "1.0.0")
    with pytest.raises(StoreError, match="did you mean 'alpaca'"):
        store.find("alpacca")
    with pytest.raises(StoreError, match=r"it has 1\.0\.0"):
        store.find("alpaca@2")


def test_a_broken_manifest_is_located(tmp_path):
    store = Store(tmp_path)
    write(store, "a", "1.0.0")
    (tmp_path / "a" / "v1.0.0" / "manifest.json").write_text("{")
    with pytest.raises(StoreError, match=r"manifest\.json: is not a readable manifest"):
        _ = store.find("a").manifest


def test_a_reference_finds_releases_before_previews(tmp_path):
    """A bare name is the latest release; previews are found by number or channel."""
    store = Store(tmp_path)
    write(
        store, "a", "1.0.0", "1.2.0", "1.2.1", "2.0.0", "2.1.0-rc.2", "2.1.0-rc.10", "1.9.0-beta.1"
    )
    found = {
        wanted: str(store.find(f"a@{wanted}" if wanted else "a").version)
        for wanted in ("", "1", "v1", "1.2", "rc", "beta", "2.1.0-rc.2", "v2.1.0-rc.10")
    }
    assert found == {
        "": "2.0.0",
        "1": "1.2.1",
        "v1": "1.2.1",
        "1.2": "1.2.1",
        "rc": "2.1.0-rc.10",
        "beta": "1.9.0-beta.1",
        "2.1.0-rc.2": "2.1.0-rc.2",
        "v2.1.0-rc.10": "2.1.0-rc.10",
    }
    for wanted in ("2.1", "3", "alpha", "2.1.0", "1.2.0-rc.1", "1.", "x y", "@"):
        with pytest.raises(StoreError, match=r"it has 1\.0\.0, 1\.2\.0"):
            store.find(f"a@{wanted}")


def test_a_preview_is_found_where_there_is_no_release(tmp_path):
    store = Store(tmp_path)
    write(store, "a", "1.0.0-rc.1", "1.0.0-rc.2")
    assert str(store.find("a").version) == "1.0.0-rc.2"


HOLDS = """
import sys
from pathlib import Path
from imitation_data.versions.store import Store
with Store(Path(sys.argv[1])).locked("a"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_builds_in_two_processes_do_not_meet(tmp_path):
    """The second is refused while the first lives, even when it does not end but is killed."""
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    first = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert first.stdout.readline() == b"held\n"
    second = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "another process builds or generates a" in second.stderr
    first.kill()
    first.communicate()
    third = subprocess.run(command, capture_output=True, text=True, check=False, input="")
    assert third.stdout == "held\n"
