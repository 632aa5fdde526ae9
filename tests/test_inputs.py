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
from imitation_data.inputs import FORMS, rows_in
from imitation_data.readers import READERS
from imitation_data.stored import sample
from imitation_data.versions.store import Store
from tests.conftest import row
from tests.contract.reader_samples import SAMPLES
from tests.servers.hub import running

CHAT = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
TOLD = {name: one for name, one in SAMPLES.items() if name in READERS}


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
    assert {reader for _, reader, _ in FORMS} == set(READERS)
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
    for path, split in ((data.parent, "test"), (data, "test"), (next(data.iterdir()), "")):
        assert list(rows_in(str(path), store)) == [(split, one) for one in rows]


def test_what_cannot_be_told_or_read_is_an_error(store, tmp_path):
    def at(name, content):
        (tmp_path / name).write_text(content)
        return list(rows_in(str(tmp_path / name), store))

    with pytest.raises(SourceError, match=r"line 1: found the fields 'dialog'; expected one of"):
        at("a.jsonl", '{"dialog": 1}\n')
    with pytest.raises(SourceError, match=r"line 2: found .*; expected"):
        at("b.jsonl", json.dumps(CHAT) + '\n{"messages": 7}\n')
    with pytest.raises(SourceError, match="an empty file"):
        at("c.jsonl", "")
    with pytest.raises(SourceError, match="not readable as Parquet"):
        at("d.parquet", "no parquet")
    with pytest.raises(StoreError, match="no dataset 'nothing'"):
        list(rows_in("nothing", store))


def test_a_dataset_of_the_hub(tmp_path):
    """`org/name@revision`, from a server on loopback, through the command line."""
    files = {"README.md": b"# x", "data/train.jsonl": json.dumps(CHAT).encode()}
    with running({"alice/ds": {"main": files, "v1.0.0": files}}) as server:
        environment = os.environ | {
            "HF_ENDPOINT": server.endpoint,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_XET": "1",
        }
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
