"""Commands that look at rows take them from wherever they lie."""

import gzip
import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict

from imitation_data.conversation import to_batch
from imitation_data.errors import SourceError, StoreError
from imitation_data.inputs import FORMS, open_input, sample
from imitation_data.readers import READERS
from imitation_data.versions.store import Store
from tests.conftest import row
from tests.contract.reader_samples import SAMPLES
from tests.servers.hub import Hub

CHAT = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
TOLD = {name: one for name, one in SAMPLES.items() if name in READERS}


def rows_in(reference, store):
    return open_input(reference, store).rows()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def texts(rows):
    return [one.texts() for _, one in rows]


@pytest.mark.parametrize("name", sorted(set(TOLD) - {"columns"}))
def test_the_form_is_told_from_the_first_record(name, store, tmp_path):
    """What the form's reader makes of its sample is what is found without naming the reader."""
    case = TOLD[name]
    path = tmp_path / case.name
    path.write_bytes(case.write(case.records))
    expected = [
        one.messages
        for record in type(case.reader)().read(_files(path))
        for one in getattr(record, "rows", ())
    ]
    assert [one.messages for _, one in rows_in(str(path), store)] == expected
    assert expected


def _files(path):
    from imitation_data.readers import find_files  # noqa: PLC0415

    return find_files(path, (".json", ".jsonl", ".parquet"))


def test_every_form_names_a_reader_and_its_options():
    assert {reader for _, reader, _ in FORMS} == set(READERS) - {"discord"}  # told by its head
    for _, reader, options in FORMS:
        READERS[reader](**options)


@pytest.mark.parametrize("answer", ["completion", "response", "answer"])
@pytest.mark.parametrize("prompt", ["prompt", "question", "query"])
def test_pairs_in_usual_columns(prompt, answer, store, tmp_path):
    path = tmp_path / "pairs.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps({prompt: "a", answer: "b"}).encode()))
    ((split, one),) = rows_in(str(path), store)
    assert (split, one.source, one.texts()) == ("", "pairs.jsonl.gz", ["a", "b"])


def test_saved_datasets(store, tmp_path):
    """What `save_to_disk` of the datasets library leaves, with splits and without."""
    rows = Dataset.from_list([CHAT, CHAT])
    rows.save_to_disk(tmp_path / "one")
    DatasetDict({"train": rows, "test": rows}).save_to_disk(tmp_path / "two")
    assert texts(rows_in(str(tmp_path / "one"), store)) == [["a", "b"]] * 2
    assert texts(rows_in(str(tmp_path / "two"), store)) == [["a", "b"]] * 4


def test_files_of_our_own_keep_every_column(store, tmp_path):
    """A version's folder, its data folder or one of its files: origin, part and split stay."""
    rows = [row("a", "b", part=3), row("c", "d")]
    data = tmp_path / "v1.0.0" / "data"
    data.mkdir(parents=True)
    pq.write_table(pa.Table.from_batches([to_batch(rows)]), data / "test-00000-of-00001.parquet")
    (data.parent / "manifest.json").write_text("{}")
    for path in (data.parent, data, next(data.iterdir())):
        assert list(rows_in(str(path), store)) == [("test", one) for one in rows]


def write(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"dialog": 1}\n', r"line 1: found the fields 'dialog'; the form can be told from one of"),
        ("[1]\n", "line 1: found a list; expected an object"),
        ("null\n", "line 1: found null; expected an object"),
        (json.dumps(CHAT) + '\n{"messages": 7}\n', r"(?s)line 2: found .*expected.*read by the re"),
        ("", "an empty file"),
    ],
)
def test_what_cannot_be_told_or_read_is_an_error(content, says, store, tmp_path):
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(SourceError, match=says):
        list(rows_in(str(tmp_path / "a.jsonl"), store))


def test_no_record_is_no_row(store, tmp_path):
    (tmp_path / "a.json").write_text("[]")
    (tmp_path / "b.csv").write_text("prompt,answer\n")
    pq.write_table(pa.table({"x": pa.array([], pa.string())}), tmp_path / "c.parquet")
    for name in ("a.json", "b.csv", "c.parquet", ""):
        assert list(rows_in(str(tmp_path / name), store)) == []


def test_files_of_several_forms_and_of_none(store, tmp_path):
    """Each file is read by its own form; what is left out is said."""
    write(tmp_path / "in" / "a.jsonl", {"prompt": "p", "answer": "a"})
    write(tmp_path / "in" / "b.jsonl", CHAT)
    write(tmp_path / "in" / "c.jsonl", {"prompt": "q", "answer": "r"})
    write(tmp_path / "in" / "config.json", {"architectures": []})
    write(tmp_path / "in" / "dataset_infos.json", {"default": {}})
    found = open_input(str(tmp_path / "in"), store)
    assert texts(found.rows()) == [["p", "a"], ["q", "r"], ["a", "b"]]
    (left,) = found.left_out
    assert left.startswith("config.json, record 1: found the fields 'architectures'")


def test_fields_that_carry_the_question_are_read(store, tmp_path):
    dolly = {"instruction": "Who?", "context": "A text.", "response": "He.", "category": "qa"}
    path = write(tmp_path / "dolly.jsonl", dolly, {**dolly, "context": ""})
    assert texts(rows_in(str(path), store)) == [["Who?\n\nA text.", "He."], ["Who?", "He."]]
    orca = {"id": "1", "system_prompt": "Be brief.", "question": "Who?", "response": "He."}
    path = write(tmp_path / "orca.jsonl", orca)
    assert texts(rows_in(str(path), store)) == [["Be brief.", "Who?", "He."]]


def test_forms_with_an_object_around_them(store, tmp_path):
    export = TOLD["chatgpt_export"]
    path = write(tmp_path / "wrapped.json", {"conversations": export.records})
    plain = tmp_path / export.name
    plain.write_bytes(export.write(export.records))
    assert texts(rows_in(str(path), store)) == texts(rows_in(str(plain), store)) != []


def test_what_other_tools_write_of_our_rows(store, tmp_path):
    """Columns in another order, nullable, or left out: the facts that are there stay."""
    one = row("a", "b", part=3)._replace(language="en", meta='{"x": 1}')
    table = pa.Table.from_batches([to_batch([one])])
    loose = pa.schema([pa.field(each.name, each.type) for each in reversed(table.schema)])
    pq.write_table(table.select(loose.names).cast(loose), tmp_path / "loose.parquet")
    pq.write_table(table.drop_columns(["meta", "id"]), tmp_path / "fewer.parquet")
    Dataset.from_parquet(str(tmp_path / "loose.parquet")).to_parquet(tmp_path / "again.parquet")
    for name in ("loose", "again"):
        assert list(rows_in(str(tmp_path / f"{name}.parquet"), store)) == [("", one)]
    ((_, fewer),) = rows_in(str(tmp_path / "fewer.parquet"), store)
    assert fewer == one._replace(meta="{}")


def test_a_null_where_none_may_stand_is_an_error(store, tmp_path):
    rows = {"messages": [None], "source": ["s"], "origin": ["o"], "part": [0]}
    pq.write_table(pa.table(rows), tmp_path / "null.parquet")
    with pytest.raises(SourceError, match=r"null.parquet: not readable as rows of this project"):
        list(rows_in(str(tmp_path / "null.parquet"), store))


def test_a_path_is_no_name(tmp_path, monkeypatch):
    """What stands in the working folder is never taken for a folder beside the store."""
    here = tmp_path / "in" / "deep"
    version = tmp_path / "store" / "talks" / "v1.0.0"
    (version / "data").mkdir(parents=True)
    (version / "manifest.json").write_text("{}")
    batch = to_batch([row("stored", "b")])
    pq.write_table(pa.Table.from_batches([batch]), version / "data" / "train-00000.parquet")
    write(here.parent / "talks" / "x.jsonl", CHAT)
    write(here / "talks", CHAT)
    write(here / "talks@x.jsonl", {**CHAT, "id": "at"})
    monkeypatch.chdir(here)
    store = Store(tmp_path / "store")
    assert store.versions("../store/talks") == store.versions("..") == store.versions(".") == []
    assert texts(rows_in("talks", store)) == [["stored", "b"]]
    for reference in ("../talks", "./talks", "./talks@x.jsonl", "talks@x.jsonl"):
        assert texts(rows_in(reference, store)) == [["a", "b"]]
    for reference in ("../../store/talks", str(version), "../../store/talks/v1.0.0"):
        assert texts(rows_in(reference, store)) == [["stored", "b"]]


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("nothing", "no dataset 'nothing' in the store .*, which is not there"),
        ("data/train.jsonl", "data/train.jsonl: no such file or folder"),
        ("./x", "./x: no such file or folder"),
        ("~/no-such-file", "~/no-such-file: no such file or folder"),
        ("/no/such/file", "/no/such/file: no such file or folder"),
        ("a/b@", "a/b@: no such file or folder"),
        ("x.parquet", "x.parquet: no such file or folder"),
        ("", "no dataset ''"),
    ],
)
def test_what_is_not_there_is_said_where_it_was_looked_for(reference, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match=says):
        open_input(reference, Store(tmp_path / "store"))


def test_a_pipe_is_not_waited_for(store, tmp_path):
    os.mkfifo(tmp_path / "a.jsonl")
    write(tmp_path / "b.jsonl", CHAT)
    assert texts(rows_in(str(tmp_path), store)) == [["a", "b"]]
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        open_input(str(tmp_path / "a.jsonl"), store)


def test_a_dataset_of_the_hub(tmp_path):
    """`org/name@revision`, from a server on loopback, through the command line."""
    files = {"README.md": b"# x", "data/train.jsonl": json.dumps(CHAT).encode()}
    with Hub(tmp_path / "hub") as hub:
        hub.push("alice/ds", files)
        hub.tag("alice/ds", "v1.0.0")
        environment = os.environ | hub.environment(tmp_path / "home", token="")
        for reference in ("alice/ds", "alice/ds@v1.0.0"):
            command = [sys.executable, "-m", "imitation_data", "sample", reference, "--json"]
            done = subprocess.run(
                command, capture_output=True, text=True, env=environment, check=True, cwd=tmp_path
            )
            answer = json.loads(done.stdout)
            assert answer["rows"][0]["source"] == "alice/ds"
            assert (answer["read"], answer["kept"]) == (1, 1)


@pytest.mark.parametrize("count", [0, 1, 5, 9, 10, 11])
def test_a_sample_is_seeded_and_in_order(count):
    rows = [("", row(str(n), "b")) for n in range(10)]
    drawn, total = sample(iter(rows), count, 1)
    assert total == 10
    assert len(drawn) == min(count, 10)
    assert drawn == [one for one in rows if one in drawn]
    assert sample(iter(rows), count, 1) == (drawn, total)


def test_a_sample_favours_no_row():
    """Each of ten rows is drawn by about three of ten seeds."""
    rows = [("", row(str(n), "b")) for n in range(10)]
    seen = [one for seed in range(1000) for one in sample(iter(rows), 3, seed)[0]]
    counts = [seen.count(one) for one in rows]
    assert min(counts) > 250
    assert max(counts) < 350
