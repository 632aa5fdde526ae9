"""What `imitation-data dedup --out` writes: each input again, exactly, without the rows that go."""

import json
import shutil

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from imitation_data.dedup import Index, NearOptions
from imitation_data.deduplicate import Asked, deduplicate
from imitation_data.errors import StoreError
from imitation_data.file_rows import Wanted
from imitation_data.growing_index import Growing
from imitation_data.versions.store import Store
from tests.test_deduplicate import SEA, run


def first(folder):
    (path,) = (folder / "kept").iterdir()
    return path


def test_records_over_several_lines_keep_every_digit(tmp_path):
    """Pretty-printed arrays: large and long numbers, escapes and surrogates stay as they were."""
    rows = ['{"prompt": "a", "n": 12345678901234567890123}', '{"prompt": "b", "n": 1e400}']
    rows += [f'{{"prompt": "c", "n": 0.10000000000000000555, "s": "{chr(92)}ud83d"}}']
    path = tmp_path / "rows.json"
    path.write_text("[" + ",".join(row.replace(", ", ",\r\n  ") for row in rows) + "]")
    run(path, "--on", "column:prompt", "--out", tmp_path / "out")
    lines = first(tmp_path / "out").read_text().splitlines()
    assert [line.replace(",    ", ", ") for line in lines] == rows


def as_views(folder):
    pl.DataFrame({"text": [SEA, f"{SEA}!", "x"], "l": [["a"], ["b"], []]}).write_ipc(
        folder / "rows.arrow"
    )
    return folder / "rows.arrow"


def as_loud(folder):
    pq.write_table(pa.table({"text": [SEA, f"{SEA}!", "x"]}), folder / "ROWS.PARQUET")
    return folder / "ROWS.PARQUET"


def as_nameless(folder):
    (folder / "rows").write_text("\n".join(json.dumps({"text": t}) for t in (SEA, f"{SEA}!", "x")))
    return folder / "rows"


@pytest.mark.parametrize("form", [as_views, as_loud, as_nameless])
def test_unusual_files(form, tmp_path):
    """Columns of string views, suffixes in capitals, files without one, very long names."""
    path = form(tmp_path)
    long = tmp_path / ("deep" * 30) / ("n" * 200 + path.suffix)
    long.parent.mkdir()
    shutil.copy(path, long)
    for place, some in enumerate((path, long)):
        out = tmp_path / f"out{place}"
        run(some, "--on", "text", "--out", out, "--quiet")
        kept = first(out)
        table = pl.read_parquet(kept) if kept.suffix == ".parquet" else pl.read_ndjson(kept)
        assert table["text"].to_list() == [f"{SEA}!", "x"]


def test_a_column_that_parquet_cannot_hold_is_named(tmp_path):
    """Arrow knows types that Parquet does not; nothing is written then."""
    table = pa.table({"text": ["a b"], "odd": pa.array([{}], pa.struct([]))})
    with pa.ipc.new_file(str(tmp_path / "rows.arrow"), table.schema) as writer:
        writer.write_table(table)
    done = run(tmp_path / "rows.arrow", "--on", "text", "--out", tmp_path / "out", code=1)
    assert "rows.arrow: cannot be written as Parquet" in done.stderr
    assert not (tmp_path / "out").exists()


def hc3(folder):
    path = folder / "hc3.jsonl"
    rows = [
        {"question": SEA, "human_answers": [], "chatgpt_answers": ["One.", "Two and more.", ""]},
        {"question": "Why?", "human_answers": [], "chatgpt_answers": ["Because."]},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_records_of_several_rows_come_out_as_rows(tmp_path):
    """An answer that goes is gone, a second pass finds nothing, and the books balance."""
    out = tmp_path / "out"
    told = json.loads(run(hc3(tmp_path), "--on", "prompt", "--out", out, "--json").stdout)
    assert (told["read"], told["kept"]) == (4, 2)
    assert told["dropped"] == {"empty_answer": 1, "near_duplicate": 1}
    gone = pl.read_parquet(out / "duplicates.parquet").row(0, named=True)
    assert (gone["file"], gone["row"], gone["part"]) == ("hc3.jsonl", 1, 0)
    assert (gone["kept_row"], gone["kept_part"]) == (1, 1)
    left = pl.read_parquet(out / "reader_drops.parquet").row(0, named=True)
    assert (left["file"], left["row"], left["reason"]) == ("hc3.jsonl", 1, "empty_answer")
    again = json.loads(run(out / "kept", "--on", "prompt", "--json").stdout)
    assert (again["read"], again["kept"]) == (2, 2)


def test_what_was_asked_stands_in_the_report(tmp_path):
    """Inputs, settings and the program's version, for whoever finds the folder later."""
    out = tmp_path / "out"
    run(hc3(tmp_path), "--on", "prompt", "--threshold", "0.8", "--out", out, "--quiet")
    asked = json.loads((out / "report.json").read_text())["asked"]
    assert (asked["on"], asked["threshold"], asked["keep"]) == ("prompt", 0.8, "longest")
    assert asked["inputs"] == [str(tmp_path / "hc3.jsonl")]
    assert {"ngram", "permutations", "seed", "scheme", "version"} <= set(asked)


def test_short_rows_that_are_alike_are_listed(tmp_path):
    """They stay, and stand beside what they are like."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "Hello there friend"}\n{"text": "Hello there friends"}')
    run(path, "--on", "text", "--out", tmp_path / "out", "--quiet")
    (row,) = pl.read_parquet(tmp_path / "out" / "alike.parquet").rows(named=True)
    assert (row["kind"], row["row"], row["like_row"]) == ("short_alike", 1, 2)
    assert row["similarity"] > 0.7


def test_files_of_one_name_grow_one_index(tmp_path):
    """Rows without ids are told apart by what they say; ids that clash by a prefix."""
    index = tmp_path / "index"
    for name, text, number in (("one", SEA, 0), ("two", "Explain how tides work to a child", 0)):
        (tmp_path / name).mkdir()
        for file, row in (("data", {"text": text}), ("ids", {"text": f"{name} {text}", "id": 0})):
            (tmp_path / name / f"{file}.jsonl").write_text(json.dumps(row))
        run(tmp_path / name / "data.jsonl", "--on", "text", "--against", index, "--add")
        del number
    ids = [tmp_path / name / "ids.jsonl" for name in ("one", "two")]
    for path, code in zip(ids, (0, 1), strict=True):
        words = [path, "--on", "text", "--threshold", "1", "--against", index, "--add"]
        done = run(*words, code=code)
    assert "it is there already; --prefix TEXT puts something before the ids" in done.stderr
    run(*words, "--prefix", "two-")


def test_an_index_that_cannot_grow_is_refused_first(tmp_path):
    """A dataset is no index, and an output does not lie in one; nothing is written."""
    path = hc3(tmp_path)
    out = tmp_path / "out"
    done = run(path, "--on", "prompt", "--against", path, "--add", "--out", out, code=1)
    assert "is no index, it has no index.json" in done.stderr
    assert not out.exists()
    inside = tmp_path / "index" / "out"
    words = ["--on", "prompt", "--against", tmp_path / "index", "--add", "--out", inside]
    assert "lies in the index" in run(path, *words, code=1).stderr
    assert "needs --against" in run(path, "--against-on", "x", code=2).stderr
    assert "names nothing to compare" in run(path, "--on", "column:", code=2).stderr


def test_known_rows_need_no_ids_and_no_values(tmp_path):
    """What is held against stays anyway, so columns for ids and order are the new rows'."""
    new, known = tmp_path / "new.jsonl", tmp_path / "known.jsonl"
    rows = [{"uid": 1, "score": 2, "text": SEA}, {"uid": 2, "score": 3, "text": "Bye"}]
    new.write_text("\n".join(map(json.dumps, rows)))
    known.write_text(json.dumps({"text": f"{SEA} tonight"}))
    words = ["--on", "text", "--id", "uid", "--keep", "best", "--by", "score", "--against", known]
    assert "1 (new.jsonl:1) lost to known.jsonl:1" in run(new, *words).stdout


def test_dates_of_tables_are_dates(tmp_path):
    """A column of dates or moments is what the earliest go by."""
    days = pa.array([20_000, 10_000], pa.date32())
    moments = pa.array([2_000_000, 1_000_000], pa.timestamp("us"))
    table = pa.table({"text": [SEA, f"{SEA}!"], "day": days, "when": moments})
    pq.write_table(table, tmp_path / "rows.parquet")
    for by in ("day", "when"):
        words = ["--on", "text", "--keep", "earliest", "--by", by]
        done = run(tmp_path / "rows.parquet", *words)
        assert "rows.parquet:1 lost to rows.parquet:2" in done.stdout


def test_messages_name_what_was_meant(tmp_path):
    """Roles and paths that are misspelt; nothing is looked for on the Hub in silence."""
    path = hc3(tmp_path)
    assert "Did you mean prompt?" in run(path, "--on", "promt", code=1).stderr
    assert "is no file or folder" in run("nope", code=1).stderr


def test_the_folder_one_is_in_is_refused(tmp_path, monkeypatch):
    """`--out .` would put a new folder in place of this one."""
    path = hc3(tmp_path)
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert "is the folder you are in" in run(path, "--on", "prompt", "--out", ".", code=1).stderr


def test_an_empty_folder_behind_a_link_is_filled(tmp_path):
    """The link stays, and what it names is written."""
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    run(hc3(tmp_path), "--on", "prompt", "--out", link, "--quiet")
    assert link.is_symlink()
    assert (real / "report.json").is_file()


def test_an_input_of_which_nothing_stays(tmp_path):
    """A second pass can read what was written, also where one of several files is gone."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"id": name, "text": SEA}))
    both = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    run(*both, "--on", "text", "--out", tmp_path / "out", "--quiet")
    again = json.loads(run(tmp_path / "out" / "kept", "--on", "text", "--json").stdout)
    assert (again["read"], again["kept"]) == (1, 1)


def test_dictionaries_in_structs_over_several_row_groups(tmp_path):
    """What came from Parquet goes to Parquet."""
    letters = pa.array(list("abcabcabcab")).dictionary_encode()
    nested = pa.StructArray.from_arrays([letters], ["q"])
    table = pa.table({"text": [f"{SEA} {n}" if n else SEA for n in range(11)], "s": nested})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=4)
    run(tmp_path / "rows.parquet", "--on", "text", "--out", tmp_path / "out", "--quiet")
    assert pq.read_table(first(tmp_path / "out"))["s"].type == nested.type


def test_a_name_that_is_not_utf8(tmp_path):
    """It is made visible in the report, and nothing fails."""
    path = tmp_path / "k\udcff.jsonl"
    path.write_text(json.dumps({"text": SEA}))
    asked = json.loads(run(path, "--on", "text", "--json").stdout)["asked"]
    assert asked["inputs"] == [str(tmp_path / "k\ufffd.jsonl")]


def test_outputs_that_would_be_known_next_time_are_refused(tmp_path):
    """Not in what rows are held against, and not where a link leads nowhere."""
    known = tmp_path / "known"
    known.mkdir()
    shutil.copy(hc3(tmp_path), known)
    words = [tmp_path / "hc3.jsonl", "--on", "prompt", "--against", known, "--out", known / "out"]
    assert "lies in" in run(*words, code=1).stderr
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    words = [tmp_path / "hc3.jsonl", "--on", "prompt", "--out", loop]
    assert "leads nowhere" in run(*words, code=1).stderr


@pytest.mark.parametrize("before", [False, True])
def test_an_index_that_changes_meanwhile_is_not_added_to(before, tmp_path):
    """Rows are added only to the index they were held against."""
    index = tmp_path / "index"
    files = {}
    for name in ("old", "one", "two"):
        files[name] = tmp_path / f"{name}.jsonl"
        files[name].write_text(json.dumps({"text": f"{SEA} {name}"}))
    asked, store = Asked(Wanted("text"), NearOptions(1.0)), Store(tmp_path)
    if before:
        run(files["old"], "--on", "text", "--against", index, "--add")
    started = Growing.begin(index)
    done = deduplicate([str(files["one"])], asked, store, str(index) if before else "")
    run(files["two"], "--on", "text", "--threshold", "1", "--against", index, "--add")
    for step in (started.refuse_ids, started.add):
        with pytest.raises(StoreError, match=r"meanwhile; run again|is there already"):
            step(done)
    assert Index.open(index).check() == []
    assert len(Index.open(index)) == 1 + before
