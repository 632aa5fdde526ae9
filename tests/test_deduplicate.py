"""`imitation-data dedup`: any files in, the same files without near-duplicates out."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset

from imitation_data.dedup import NearOptions, Shingling
from imitation_data.deduplicate import Asked, deduplicate
from imitation_data.errors import SourceError
from imitation_data.file_rows import Wanted
from imitation_data.text.spool import Spool
from imitation_data.versions.store import Store
from tests.conftest import conversations, sharegpt

COMMAND = Path(sys.executable).with_name("imitation-data")
SEA = "Write a short poem about the sea at night for a child who cannot sleep"
ROWS = [
    {"id": "a", "text": SEA, "score": 1, "day": "2024-05-01"},
    {"id": "b", "text": f"{SEA}.", "score": 3, "day": "2024-04-01"},
    {"id": "c", "text": "Hello", "score": 2, "day": "2024-01-01"},
    {"id": "d", "text": "HELLO", "score": None, "day": "2023-01-01"},
    {"id": "e", "text": "Help", "score": 9, "day": "2022-01-01"},
    {"id": "f", "text": None, "score": 9, "day": "2022-01-01"},
]


def run(*words, code=0):
    command = [COMMAND, "dedup", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def as_jsonl(folder):
    path = folder / "rows.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    return path


def as_gzip(folder):
    path = folder / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(as_jsonl(folder).read_bytes()))
    return path


def as_array(folder):
    path = folder / "rows.json"
    path.write_text(json.dumps(ROWS, indent=1))
    return path


def as_parquet(folder):
    path = folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


def as_saved(folder):
    Dataset.from_list(ROWS).save_to_disk(folder / "saved")
    return folder / "saved"


def kept(folder):
    (path,) = (folder / "kept").iterdir()
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("form", [as_jsonl, as_gzip, as_array, as_parquet, as_saved])
def test_any_form_in_the_same_rows_out(form, tmp_path):
    """A column of any file: what stays has all its columns, what goes has its evidence."""
    out = tmp_path / "out"
    told = json.loads(run(form(tmp_path), "--on", "text", "--out", out, "--json").stdout)
    assert (told["read"], told["kept"], told["without_text"]) == (6, 4, 1)
    assert told["dropped"] == {"equal_short_text": 1, "near_duplicate": 1}
    by = {row["id"]: row for row in kept(out)}
    assert min(by) == "b"  # longer by a full stop
    assert all(by[name] == row for row in ROWS for name in [row["id"]] if name in by)
    gone = pl.read_parquet(out / "duplicates.parquet")
    near = gone.row(by_predicate=pl.col("kind") == "near_duplicate", named=True)
    assert (near["id"], near["kept"], near["similarity"]) == ("a", "b", 1.0)
    assert near["difference"] == "… for a child who cannot [sleep|sleep.]"
    clusters = pl.read_parquet(out / "clusters.parquet")
    assert sorted(clusters["id"]) == ["a", "b", "c", "d"]
    report = json.loads((out / "report.json").read_text())
    assert report["curve"][-1] == [1.0, 1.0]


@pytest.mark.parametrize(
    ("options", "stays"),
    [
        ((), "bef"),
        (("--keep", "best", "--by", "score"), "bcef"),
        (("--keep", "earliest", "--by", "day"), "bdef"),
        (("--keep", "earliest", "--by", "score"), "acef"),
    ],
)
def test_who_stays(options, stays, tmp_path):
    """The longest, the best or the earliest; a row without a value loses."""
    run(as_jsonl(tmp_path), "--on", "text", *options, "--out", tmp_path / "out", "--quiet")
    assert set("".join(row["id"] for row in kept(tmp_path / "out"))) >= set(stays)


def test_a_column_may_have_the_name_of_a_role(tmp_path):
    """`column:prompt` is the column, where `prompt` is the first turn of a conversation."""
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"prompt": "{SEA}"}}\n{{"prompt": "{SEA}!"}}')
    told = json.loads(run(path, "--on", "column:prompt", "--json").stdout)
    assert told["dropped"] == {"near_duplicate": 1}


def test_rows_without_a_value_are_counted(tmp_path):
    """They come last, and the answer says how many there are."""
    done = run(as_jsonl(tmp_path), "--on", "text", "--keep", "best", "--by", "score")
    assert "1 rows have no number or date in score; they come last" in done.stdout


def test_evidence_says_which_file(tmp_path):
    """Equal ids, equal names of files: the evidence still leads to one record each."""
    for name, text in (("one", SEA), ("two", f"{SEA} tonight")):
        (tmp_path / name).mkdir()
        lines = [{"id": "x", "text": "first, and unlike"}, {"id": 1, "text": text}]
        (tmp_path / name / "rows.jsonl").write_text("\n\n".join(map(json.dumps, lines)))
    inputs = [tmp_path / "one" / "rows.jsonl", tmp_path / "two"]
    done = run(*inputs, "--on", "text", "--out", tmp_path / "out")
    assert "1 (two/rows.jsonl:3) lost to 1 (one/rows.jsonl:3)" in done.stdout
    rows = pl.read_parquet(tmp_path / "out" / "duplicates.parquet").sort("kind").rows(named=True)
    assert [row["kind"] for row in rows] == ["equal_short_text", "near_duplicate"]
    assert [(row["id"], row["file"], row["row"]) for row in rows] == [
        ("x", "two/rows.jsonl", 1),
        ("1", "two/rows.jsonl", 3),
    ]
    assert [(row["kept"], row["kept_file"], row["kept_row"]) for row in rows] == [
        ("x", "one/rows.jsonl", 1),
        ("1", "one/rows.jsonl", 3),
    ]
    clusters = pl.read_parquet(tmp_path / "out" / "clusters.parquet")
    assert set(clusters["cluster_file"]) == {"one/rows.jsonl"}
    assert len(clusters) == 4


def test_records_without_an_id_are_called_by_where_they_stand(tmp_path):
    """A table's row and a conversation, by file and line; the pieces of one record apart."""
    row = {"instruction": SEA, "input": "", "output": "Hush."}
    path = tmp_path / "alpaca.jsonl"
    path.write_text("\n".join([json.dumps(row), "", json.dumps(row | {"output": "Hush, you."})]))
    assert "alpaca.jsonl:1 lost to alpaca.jsonl:3" in run(path, "--on", "prompt").stdout
    talk = {"prompt": SEA, "human_answers": [], "chatgpt_answers": ["One.", "Two and more."]}
    path = tmp_path / "hc3.jsonl"
    path.write_text(json.dumps({"question": SEA} | talk))
    found = run(path, "--on", "prompt").stdout
    assert "hc3.jsonl:1 lost to hc3.jsonl:1:1" in found


def test_rows_that_begin_alike_are_listed(tmp_path):
    """They stay, and stand in a table of their own."""
    same = " ".join(f"word{n}" for n in range(40))
    ends = [" ".join(f"{n}{k}" for k in range(60)) for n in ("x", "y")]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"id": end[0], "text": f"{same} {end}"}) for end in ends))
    run(path, "--on", "text", "--out", tmp_path / "out", "--quiet")
    (row,) = pl.read_parquet(tmp_path / "out" / "alike.parquet").rows(named=True)
    assert {row["id"], row["like"]} == {"x", "y"}
    assert row["kind"] == "begins_alike"


def test_files_named_first_stay_first(tmp_path):
    """A short row of the first file wins over a long one of the second."""
    for name, text in (("one", SEA), ("two", f"{SEA} tonight, please")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": text}))
    for first, second in (("one", "two"), ("two", "one")):
        files = [tmp_path / f"{name}.jsonl" for name in (first, second)]
        assert f"{second}.jsonl:1 lost to {first}.jsonl:1" in run(*files, "--on", "text").stdout


def test_conversations_of_raw_dumps(tmp_path):
    """ShareGPT by prompt: records come out as they went in, ids are the user's own."""
    path = tmp_path / "talks.json"
    path.write_text(sharegpt(conversations(60, "talk")))
    out = tmp_path / "out"
    told = json.loads(run(path, "--on", "prompt", "--out", out, "--json").stdout)
    assert told["read"] == told["kept"] + sum(told["dropped"].values())
    records = {row["id"]: row for row in json.loads(path.read_text())}
    stays = kept(out)
    assert len(stays) == told["kept"]
    assert all(records[row["id"]] == row for row in stays)
    gone = pl.read_parquet(out / "duplicates.parquet")
    assert set(gone["id"]) | {row["id"] for row in stays} == set(records)


def test_order_and_workers_change_nothing(tmp_path):
    """The same rows in another order, by two threads: the same stay."""
    lines = [json.dumps({"id": str(n), "text": f"{SEA} {n // 3} {SEA} {n}"}) for n in range(300)]
    answers = set()
    for number, some in enumerate((lines, lines[::-1], lines[150:] + lines[:150])):
        path = tmp_path / f"{number}.jsonl"
        path.write_text("\n".join(some))
        for workers in ("1", "2"):
            out = tmp_path / f"out{number}{workers}"
            run(path, "--on", "text", "--out", out, "--workers", workers, "--quiet")
            answers.add(frozenset(row["id"] for row in kept(out)))
    assert len(answers) == 1


def test_against_a_file_and_an_index(tmp_path):
    """Rows that are known stay away from the answer; `--add` makes an index and grows it."""
    new = tmp_path / "new.jsonl"
    new.write_text(json.dumps({"id": "n", "text": SEA}) + "\n" + json.dumps({"text": "Bye"}))
    known, index = as_jsonl(tmp_path), tmp_path / "index"
    told = json.loads(run(new, "--on", "text", "--against", known, "--json").stdout)
    assert (told["read"], told["kept"], told["against"]) == (2, 1, 6)
    index.mkdir()  # an empty folder is as good as none
    run(known, "--on", "text", "--against", index, "--add", "--quiet")
    assert (
        "n (new.jsonl:1) lost to b (the index)"
        in run(new, "--on", "text", "--against", index, "--add").stdout
    )
    show = [COMMAND, "index", "show", index, "--json"]
    done = subprocess.run(show, capture_output=True, check=True)
    shown = json.loads(done.stdout)
    assert (shown["rows"], shown["on"], shown["segments"]) == (4, "text", 2)
    run(new, "--on", "text", "--against", index, "--add", "--quiet")  # nothing stays
    done = subprocess.run(show, capture_output=True, check=True)
    assert json.loads(done.stdout)["segments"] == 2
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"words": SEA}))
    refused = run(other, "--on", "words", "--against", index, code=1).stderr
    assert "holds texts of 'text', and 'words' is to be held against them" in refused
    told = run(other, "--on", "words", "--against", index, "--against-on", "text").stdout
    assert "other.jsonl:1 lost to b (the index)" in told
    both = run(other, "--on", "words", "--against", known, "--against-on", "text").stdout
    assert "other.jsonl:1 lost to b (rows.jsonl:2)" in both
    assert (
        "ngram 5, not 3"
        in run(new, "--on", "text", "--against", index, "--ngram", "3", code=1).stderr
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--on", "nothing"], "line 1: no column nothing; the row has"),
        (["--on", "score"], "score holds a number; expected text"),
        (["--on", "text", "--by", "day"], "longest takes none"),
        (["--on", "text", "--keep", "newest"], "expected longest, earliest or best"),
        (["--on", "text", "--threshold", "0"], "threshold is 0.0; expected above 0 and up to 1"),
        (["--on", "text", "--what-if", "0.5"], "what-if is 0.5; expected 0.7 to 1"),
        (["--on", "text", "--id", "name"], "no column name"),
        (["--on", "text", "--scheme", "md5"], "scheme is 'md5'"),
        (["--on", "prompt"], "the form can be told from one of"),
        (["--on", "prompt"], "`--on column:prompt` one that is called so"),
        (["--against", "nowhere", "--on", "text"], "To make an index there, say --add"),
        (["--on", "text", "--keep", "best", "--by", "text"], "in none of 6 rows"),
        (["--on", "text", "--threshold", "0.01"], "ask for more permutations or less recall"),
        (["--on", "text", "--permutations", "5000"], "permutations is 5000; expected 1 to 4096"),
    ],
)
def test_what_is_wrong_is_said(words, says, tmp_path):
    """Where, what was found, what was expected; exit code 1 and no traceback."""
    done = run(as_jsonl(tmp_path), *words, code=1)
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_other_thresholds_are_told(tmp_path):
    """`--what-if` counts what a higher threshold would drop, and needs no second run."""
    path = tmp_path / "rows.jsonl"
    texts = [SEA, SEA.replace("sleep", "dream"), f"{SEA} tonight"]
    path.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    told = json.loads(
        run(path, "--on", "text", "--json", "--what-if", "0.8", "--what-if", "1").stdout
    )
    assert told["dropped"] == {"near_duplicate": 2}
    assert told["what_if"] == {"0.8": 1, "1": 0}


def test_rows_without_a_prompt_stay(tmp_path):
    """Null, empty and blank text is no text: such rows are unlike each other, and counted."""
    prompts = [None, "", "  ", "\n", "!!!", "???", "Hello", "hello"]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"prompt": text, "answer": "x"}) for text in prompts))
    for column in ("prompt", "answer"):
        told = json.loads(run(path, "--on", column, "--json").stdout)
        assert told["read"] == told["kept"] + sum(told["dropped"].values())
    told = json.loads(run(path, "--on", "prompt", "--json").stdout)
    assert told["dropped"] == {"equal_short_text": 1}
    assert told["without_text"] == 4


def test_a_table_without_rows(tmp_path):
    """Nothing in, nothing out, with the columns it has."""
    path = tmp_path / "rows.parquet"
    pq.write_table(
        pa.table({"text": pa.array([], pa.string()), "n": pa.array([], pa.int8())}), path
    )
    told = json.loads(run(path, "--on", "text", "--out", tmp_path / "out", "--json").stdout)
    assert (told["read"], told["kept"], told["dropped"]) == (0, 0, {})
    (table,) = (tmp_path / "out" / "kept").iterdir()
    assert pq.read_schema(table).names == ["text", "n"]


def test_ids_are_checked_before_anything_is_written(tmp_path):
    """A repeated id leaves neither an output nor an index, and no half-written folder."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1, "text": "one"}\n{"id": 1, "text": "two"}')
    out, index = tmp_path / "out", tmp_path / "index"
    done = run(path, "--on", "text", "--against", index, "--add", "--out", out, code=1)
    assert "the id '1' of rows.jsonl:2 would stand in the index twice, it is rows.jsonl:1" in (
        done.stderr
    )
    assert [one.name for one in tmp_path.iterdir()] == ["rows.jsonl"]


def test_an_output_that_is_taken_is_refused(tmp_path):
    """Old and new files never mix; nothing is read before that is known."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.txt").write_text("mine")
    done = run(as_jsonl(tmp_path), "--on", "text", "--out", tmp_path / "out", code=1)
    assert "is not empty; name a new folder" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["old.txt"]
    rows, out = tmp_path / "rows.jsonl", tmp_path / "inner" / "out"
    assert "is a file" in run(rows, "--on", "text", "--out", rows, code=1).stderr
    assert "lies in" in run(tmp_path, "--on", "text", "--out", out, code=1).stderr


def test_a_record_that_is_broken_stops(tmp_path):
    """A line that is no JSON is named."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": \n')
    wanted = Wanted("text")
    with pytest.raises(SourceError, match=r"rows\.jsonl, line 2"):
        deduplicate([str(path)], Asked(wanted), Store(tmp_path))


def test_a_spool_may_be_larger_than_memory(tmp_path, monkeypatch):
    """Texts come back in order, from memory and from a file without a name, as often as wanted."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    texts = ["a", None, "", "中文", *(f"text {n}" for n in range(20_000))]
    for held in (0, 1 << 30):
        spool = Spool(held)
        for text in texts:
            spool.add(text)
        for _ in range(2):
            assert [text for piece in spool for text in piece.to_pylist()] == texts
        assert len(spool) == len(texts)
        assert not list(tmp_path.iterdir())  # nothing is left, however the process ends


def test_signatures_for_datasketch_give_the_same_decisions(tmp_path):
    """Both schemes verify what they propose, so they agree where pairs are clear."""
    path = as_jsonl(tmp_path)
    answers = []
    for scheme in ("poly64", "xxh32"):
        options = NearOptions(shingling=Shingling(scheme=scheme))
        done = deduplicate([str(path)], Asked(Wanted("text"), options), Store(tmp_path))
        answers.append(done.stays.tolist())
    assert answers[0] == answers[1]
