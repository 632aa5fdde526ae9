"""Exports: whole or not at all, the same bytes each time, no row changed or lost."""

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imitation_data.conversation import Conversation, Message
from imitation_data.errors import ExportError, StoreError
from imitation_data.inputs import own_rows
from imitation_data.publish.export import export
from imitation_data.publish.forms import FORMS, how_to_load, rows_of
from imitation_data.readers import SourceFile
from tests.conftest import contents
from tests.publish.conftest import store_rows, talk

EACH_FORM = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def rows_in(stored):
    return {
        split: [row.messages for path in paths for _, row in own_rows(SourceFile(path, path.name))]
        for split, paths in stored.data_files().items()
    }


def read_back(form, files):
    found = {}
    for file in files:
        rows = list(rows_of(form, file.path))
        assert len(rows) == file.rows
        found.setdefault(file.split, []).extend(rows)
    return found


@EACH_FORM
def test_what_is_exported_reads_back(form, stored, tmp_path):
    """The rows of all splits come back; one that carries types may have moved to the front."""
    found = read_back(form, export(stored, form, tmp_path / "out"))
    expected = rows_in(stored)
    if form.name == "alpaca":
        train = expected["train"]
        train.insert(0, train.pop(next(i for i, row in enumerate(train) if len(row) > 3)))
    assert found == expected


@EACH_FORM
def test_equal_rows_give_equal_bytes(form, stored, tmp_path):
    """Two exports are equal byte by byte, and one into the same folder changes nothing."""
    export(stored, form, tmp_path / "one", file_bytes=2000)
    export(stored, form, tmp_path / "two", file_bytes=2000)
    export(stored, form, tmp_path / "one", file_bytes=2000)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "store", "two"]


def test_files_are_cut_at_a_size(stored, tmp_path):
    """No file with more than one row is larger than asked, and names say how many there are."""
    files = export(stored, FORMS["sharegpt"], tmp_path / "out", file_bytes=1000)
    sizes = [file.path.stat().st_size for file in files if file.rows > 1]
    assert max(sizes) <= 1000 < sum(sizes)
    train = [file.path.name for file in files if file.split == "train"]
    assert len(train) > 2
    assert train[-1] == f"train-{len(train) - 1:05d}-of-{len(train):05d}.jsonl"


def test_lines_are_lines_to_everyone(stored, tmp_path):
    """Whatever stands in a text, a file has as many lines as rows for readers that cut text."""
    for form in FORMS.values():
        for file in export(stored, form, tmp_path / form.name) if form.lines else ():
            lines = file.path.read_text(encoding="utf-8").splitlines()
            assert len(lines) == file.rows
            assert all(isinstance(json.loads(line), dict) for line in lines)


@EACH_FORM
def test_one_split_alone(form, stored, tmp_path):
    """Only the splits that are asked for are written; one that is not there is refused."""
    files = export(stored, form, tmp_path / "out", ["test"])
    assert [file.split for file in files] == ["test"]
    assert [path.name for path in (tmp_path / "out" / "data").iterdir()] == [files[0].path.name]
    with pytest.raises(StoreError, match="no split 'dev'; it has test, train"):
        export(stored, form, tmp_path / "other", ["dev"])
    assert not (tmp_path / "other").exists()


BAD = {
    "train": [
        [talk("user: U", "assistant: A", origin="good")]
        + [talk("user: U", "assistant: A", "user: Open", origin=f"open{n}") for n in range(5)]
        + [talk("assistant: A", "user: U", "assistant: A", origin="early")]
    ]
}


@pytest.mark.parametrize("name", ["alpaca", "sharegpt"])
def test_rows_that_do_not_fit_stop_the_export(name, tmp_path):
    """They are counted by reason, the first are named, what helps is said; nothing is written."""
    stored = store_rows(tmp_path / "store", BAD)
    with pytest.raises(ExportError) as refused:
        export(stored, FORMS[name], tmp_path / "out")
    words = str(refused.value)
    assert "6 of 7 rows do not fit" in words
    assert "ends_with_user: 5 that end with a user turn" in words
    assert "(web/open0:0, web/open1:0, web/open2:0, …)" in words
    assert "starts_with_assistant: 1 that start with an assistant turn (web/early:0)" in words
    assert "step `roles`" in words
    assert "--format messages or chatml-jsonl" in words
    assert not (tmp_path / "out").exists()
    assert len(export(stored, FORMS["chatml-jsonl"], tmp_path / "out")) == 1


def test_a_row_that_another_form_holds(tmp_path):
    """Where no recipe step helps, the forms that hold all refused rows are named."""
    rows = [talk("system: ", "user: U", "assistant: A")]
    stored = store_rows(tmp_path / "store", {"train": [rows]})
    with pytest.raises(ExportError, match="--format messages or sharegpt or chatml-jsonl") as found:
        export(stored, FORMS["alpaca"], tmp_path / "out")
    assert "roles" not in str(found.value)


def test_folders_with_other_things_are_refused(stored, tmp_path):
    """What lies in a folder already is never mixed with an export or replaced by one."""
    form = FORMS["chatml-jsonl"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="is not empty"):
        export(stored, form, tmp_path / "mine")
    export(stored, form, tmp_path / "out")
    before = contents(tmp_path / "out")
    for other, splits in ((FORMS["sharegpt"], []), (form, ["test"])):
        with pytest.raises(StoreError, match="holds another export"):
            export(stored, other, tmp_path / "out", splits)
    with pytest.raises(StoreError, match="which is read"):
        export(stored, form, stored.path / "out")
    assert contents(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "out", "store"]


@EACH_FORM
def test_a_version_that_cannot_be_read_leaves_nothing(form, stored, tmp_path):
    """A broken data file is told in words, and no folder is left."""
    path = stored.data_files()["train"][1]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StoreError, match=r"trial@1\.0\.0: train-00001-of-00002\.parquet"):
        export(stored, form, tmp_path / "out")
    assert [one.name for one in tmp_path.iterdir()] == ["store"]


texts = st.text(max_size=30)
pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=3)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(["", "Be brief."]), pairs), min_size=1, max_size=20))
def test_any_rounds_survive_every_form(tmp_path_factory, drawn):
    """Whatever is said in them, rows go through each form and its files, and come back equal."""
    rows = []
    for number, (system, said) in enumerate(drawn):
        turns = [Message("system", system)] if system else []
        for one, two in said:
            turns += [Message("user", one), Message("assistant", two)]
        rows.append(Conversation(tuple(turns), "web", str(number)))
    folder = tmp_path_factory.mktemp("law")
    stored = store_rows(folder / "store", {"train": [rows]})
    for form in FORMS.values():
        found = read_back(form, export(stored, form, folder / form.name, file_bytes=200))["train"]
        assert sorted(found) == sorted(row.messages for row in rows)


def test_datasets_loads_types_that_come_late(tmp_path):
    """Rows with a history load though more than a block of rows without one stands before them."""
    one = [talk(f"user: {n}", "assistant: " + "word " * 2000, origin=str(n)) for n in range(1100)]
    two = [talk("user: a", "assistant: b", "user: c", "assistant: d", origin="late")]
    stored = store_rows(tmp_path / "store", {"train": [one + two]})
    form = FORMS["alpaca"]
    export(stored, form, tmp_path / "out")
    code = how_to_load(form, str(tmp_path / "out"))["TRL"] + (
        "texts = {len(row['messages']) for row in rows}\nassert texts == {2, 4}, texts\n"
        "assert len(rows) == 1101\n"
    )
    home = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
