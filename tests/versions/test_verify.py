"""`verify` finds every byte that is not as the manifest says, and nothing else."""

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imitation_data.checksum import checksum
from imitation_data.versions.manifest import Listed, listed_files, stays_inside
from imitation_data.versions.store import Store
from imitation_data.versions.verify import Leave, examine, verify
from tests.versions.making import make, rows

DATA = "data/train-00000-of-00001.parquet"
LEDGER = "ledger/ledger-00000.parquet"


@pytest.fixture
def folder(tmp_path):
    return make(Store(tmp_path), "a", "1.0.0", rows(20)).path


def relist(folder, name):
    """Make the manifest's list true again, so that only rows can be at fault."""
    manifest = json.loads((folder / "manifest.json").read_text())
    path = folder / name
    manifest["files"][name] = {"bytes": path.stat().st_size, "sha256": checksum(path)}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def rewrite(folder, change):
    """Change the table of rows, and list it as it is now."""
    pq.write_table(change(pq.read_table(folder / DATA)), folder / DATA)
    relist(folder, DATA)


def test_a_version_as_it_was_written(folder):
    found = examine(folder, deep=True)
    assert (found.faults, found.files, found.rows, found.uncovered) == ([], 3, 20, 1)
    assert found.bytes == sum(
        (folder / name).stat().st_size for name in (DATA, LEDGER, "recipe.yaml")
    )


@given(data=st.data())
def test_any_changed_byte_is_found(tmp_path_factory, data):
    """In any listed file, wherever it is; cutting a file and appending to it, too."""
    folder = make(Store(tmp_path_factory.mktemp("s")), "a", "1.0.0").path
    name = data.draw(st.sampled_from([DATA, LEDGER, "recipe.yaml"]))
    content = bytearray((folder / name).read_bytes())
    how = data.draw(st.sampled_from(["flip", "cut", "more", "gone"]))
    if how == "gone":
        (folder / name).unlink()
    else:
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] ^= data.draw(st.integers(1, 255))
        changed = {"flip": content, "cut": content[:place], "more": content + b"\0"}[how]
        (folder / name).write_bytes(changed)
    faults = verify(folder)
    assert faults
    assert faults[0].path == name
    assert "expected" in str(faults[0])


def test_other_files_are_told(folder):
    """Rendered ones are counted; a file that nobody listed is a fault."""
    (folder / "report.html").write_text("<p>")
    (folder / "data" / "test-00000-of-00001.parquet").write_bytes(b"")
    found = examine(folder)
    assert found.uncovered == 2
    assert [fault.path for fault in found.faults] == ["data/test-00000-of-00001.parquet"]


def test_rows_are_counted_and_fingerprinted_anew(folder):
    """A data file that was replaced together with its checksum is still found."""
    rewrite(folder, lambda table: table.slice(0, 19))
    expected = [str(fault.expected) for fault in verify(folder)]
    assert expected[:2] == ["20 rows in split train", "20 rows"]
    assert expected[2].startswith("fingerprint ")


def test_ids_are_made_anew_when_asked(folder):
    """Messages that were changed under their ids are found by --deep alone."""

    def change(table):
        turns = table.column("messages").to_pylist()
        turns[3][1]["content"] += "!"
        place = table.schema.get_field_index("messages")
        kind = table.schema.field("messages")
        return table.set_column(place, kind, pa.array(turns, kind.type))

    rewrite(folder, change)
    assert verify(folder) == []
    (fault,) = verify(folder, deep=True)
    assert "in 1 rows" in fault.found


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop_columns(["id"]),
        lambda table: table.set_column(0, "id", pa.array(["zz"] * len(table))),
        lambda table: table.set_column(0, "id", pa.array([None] * len(table), pa.string())),
        lambda table: table.set_column(0, "id", pa.array(range(len(table)))),
        lambda table: table.set_column(1, "messages", pa.array(["x"] * len(table))),
    ],
)
def test_rows_of_another_form_are_a_fault(folder, change):
    """Whatever stands in the columns, it is told and no traceback."""
    rewrite(folder, change)
    assert [fault.path for fault in verify(folder, deep=True)] == [DATA]


def test_published_copies_may_differ_where_they_say_so(folder):
    """A ledger without evidence has a checksum of its own; files may be left out."""
    (folder / LEDGER).write_bytes(b"another")
    sums = {LEDGER: Listed(7, checksum(folder / LEDGER))}
    assert verify(folder, sums) == []
    assert [fault.path for fault in verify(folder)] == [LEDGER]
    (folder / LEDGER).unlink()
    assert verify(folder, absent={LEDGER}) == []
    (folder / DATA).unlink()
    found = examine(folder, Leave(absent={LEDGER, DATA}))
    assert (found.faults, found.rows) == ([], 0)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 2}', '{"format": 1}', '{"format": 1, "files": {"a": 1}}']
)
def test_a_broken_manifest_is_a_fault(folder, text):
    (folder / "manifest.json").write_text(text)
    assert [fault.path for fault in verify(folder)] == ["manifest.json"]


def test_a_version_under_the_wrong_number(folder):
    shutil.move(folder, folder.with_name("v1.1.0"))
    (fault,) = verify(folder.with_name("v1.1.0"))
    assert (fault.expected, fault.found) == ("version 1.1.0, as its folder says", "1.0.0")


@pytest.mark.parametrize(
    "name", ["", "/a", "../a", "a/../b", "a//b", "./a", "a\\b", "C:a", "a/", "a\0", "a\n", " a"]
)
def test_paths_that_leave_a_folder(name):
    """They are refused wherever a manifest is believed."""
    assert not stays_inside(name)
    with pytest.raises(Exception, match="expected a path inside"):
        listed_files({"files": {name: {"bytes": 1, "sha256": "0" * 64}}}, "m")
