"""Builds: every row accounted for, equal bytes whatever the workers, and whole after any kill."""

import json
import multiprocessing
import os
import subprocess
import sys
from collections import Counter
from itertools import chain

import polars as pl
import pyarrow.parquet as pq
import pytest

from imitation_data import build, explain, load
from imitation_data.errors import BuildError, CheckError, SourceError, StepError, StoreError
from imitation_data.versions.store import Store
from tests.conftest import contents, conversations, sharegpt


def assert_balanced(stored) -> None:
    """Books of every step, ledger entries and rows on disk agree with one another."""
    manifest = stored.manifest
    ledger = pl.read_parquet(stored.ledger_files())
    rows = sum(
        pq.read_metadata(path).num_rows for paths in stored.data_files().values() for path in paths
    )
    before = None
    for step in manifest["steps"]:
        assert step["rows_in"] + step["created"] == step["rows_out"] + step["dropped"]
        assert before is None or step["rows_in"] == before
        before = step["rows_out"]
        mine = ledger.filter(pl.col("step") == step["step"])
        drops = mine.filter(pl.col("action").is_in(["drop", "bad_record"]))
        assert Counter(drops["reason"].to_list()) == step["drops"]
        assert mine.filter(pl.col("action") == "create").height == step["created"]
        edits = (
            mine.filter(pl.col("action") == "edit").group_by("reason").agg(pl.col("count").sum())
        )
        assert dict(edits.iter_rows()) == step["edits"]
    assert rows == before == manifest["rows"]
    keys = ledger.filter(pl.col("action") == "drop").select("source", "origin", "part")
    assert keys.is_duplicated().sum() == 0


def test_the_books_balance(recipe, tmp_path):
    built = build(recipe, store=tmp_path / "store", workers=1)
    assert built.read == 1200
    assert built.read == built.kept + sum(built.dropped.values())
    assert set(built.dropped) >= {"duplicate_first_user", "identity", "too_long_chars"}
    assert_balanced(built.stored)


def test_workers_do_not_change_a_byte(recipe, tmp_path):
    one = build(recipe, store=tmp_path / "one", workers=1)
    two = build(recipe, store=tmp_path / "two", workers=2)
    assert contents(one.stored.path) == contents(two.stored.path)


def test_hash_seed_and_folder_do_not_change_a_byte(recipe, tmp_path):
    """Another process with another hash seed, another working folder and another store path."""
    folders = []
    for seed in ("1", "2"):
        store = tmp_path / f"elsewhere-{seed}"
        store.mkdir()
        command = [
            sys.executable,
            "-m",
            "imitation_data",
            "build",
            str(recipe),
            "--store",
            "s",
        ]
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([*command, "--quiet"], cwd=store, env=environment, check=True)
        folders.append(store / "s" / "trial" / "v1.0.0")
    first, second = map(contents, folders)
    assert "manifest.json" in first
    assert first == second


def test_a_rebuild_without_change_writes_nothing(recipe, tmp_path):
    first = build(recipe, store=tmp_path / "store", workers=1)
    again = build(recipe, store=tmp_path / "store", workers=1)
    assert (first.new, again.new) == (True, False)
    assert again.stored == first.stored
    assert again.read == first.read
    assert again.dropped == first.dropped
    assert [str(one.version) for one in Store(tmp_path / "store").versions("trial")] == ["1.0.0"]


def test_versions_follow_the_rows(write_recipe, tmp_path):
    """More rows is minor, fewer is major, other words on the card only is patch."""
    store = tmp_path / "store"
    texts = conversations(60, "one")

    def version(count, **keys):
        some = dict(list(texts.items())[:count])
        path = write_recipe({"one": sharegpt(some)}, **keys)
        return str(build(path, store=store, workers=1).stored.version)

    assert version(50) == "1.0.0"
    assert version(60) == "1.1.0"
    assert version(60, description="Words") == "1.1.1"
    assert version(60, description="Words", license="CC0-1.0") == "1.1.2"
    assert version(40) == "2.0.0"


def test_repeated_origins_are_numbered(write_recipe, tmp_path):
    """Two records under one id are two records; dropped ones too, in every shard and file."""
    first = sharegpt({"same": ["one", "1"]})
    text = json.dumps(json.loads(first) * 3 + json.loads(sharegpt({"same": ["two", "2"]})))
    stored = build(write_recipe({"one": text}), store=tmp_path / "store", workers=1).stored
    rows = load("trial", tmp_path / "store")["train"]
    assert rows["origin"] == ["same", "same#1", "same#2", "same#3"]
    assert_balanced(stored)


def test_a_failed_check_writes_no_version(write_recipe, tmp_path):
    path = write_recipe(
        {"one": sharegpt(conversations(60, "one"))},
        checks=[
            {"type": "min_rows", "rows": 1000},
            {"type": "roles_alternate"},
            {"type": "licenses", "allowed": ["CC0-1.0"]},
        ],
    )
    with pytest.raises(CheckError) as caught:
        build(path, store=tmp_path / "store", workers=1)
    message = str(caught.value)
    assert "min_rows: found 60 rows; expected at least 1,000" in message
    assert "roles_alternate: found 14 rows break it" in message
    assert "licenses" not in message
    assert len(message.split("    rows: ")[1].split(", ")) == 14  # ids of the failing rows
    assert Store(tmp_path / "store").versions("trial") == []


def test_bad_records_stop_or_are_counted(write_recipe, tmp_path):
    broken = sharegpt(conversations(20, "one")).replace('"from": "gpt"', '"from": 7', 1)
    sources = [{"name": "one", "reader": "sharegpt", "path": "one.json"}]
    with pytest.raises(SourceError, match=r"one\.json, record \d+.*expected") as caught:
        build(write_recipe({"one": broken}), store=tmp_path / "store", workers=1)
    assert "bad_records: drop" in str(caught.value)
    path = write_recipe({"one": broken}, sources=[{**sources[0], "bad_records": "drop"}])
    built = build(path, store=tmp_path / "store", workers=1)
    assert (built.read, built.dropped["bad_record"]) == (20, 1)
    assert_balanced(built.stored)


def test_an_empty_source_and_an_empty_split_are_said(write_recipe, tmp_path):
    """A source without records and a split without rows build, load, and are warned of."""
    path = write_recipe(
        {"one": sharegpt({"a": ["hi", "ho"]}), "two": "[]"},
        steps=[{"type": "split", "shares": {"train": 0.5, "test": 0.5}}],
    )
    built = build(path, store=tmp_path / "store", workers=1)
    assert_balanced(built.stored)
    assert len(built.warnings) == 2
    assert "no row of source 'two' is left" in built.warnings
    (split,) = load("trial", tmp_path / "store")
    assert f"split {'test' if split == 'train' else 'train'!r} has no rows" in built.warnings
    assert len(list((built.stored.path / "data").iterdir())) == 1


def pairs_recipe(write_recipe, lines, **keys):
    """A recipe over `{"p": prompt, "a": answer, "k": key}` lines."""
    options = {"prompt": "p", "answer": "a", "origin": "k"}
    source = {"name": "one", "reader": "columns", "path": "one.jsonl", "options": options}
    path = write_recipe({}, sources=[{**source, **keys.pop("source", {})}], **keys)
    text = "\n".join(json.dumps(line) for line in lines)
    (path.parent / "one.jsonl").write_text(text, encoding="utf-8")
    return path


def test_an_origin_that_looks_numbered_is_no_repeat(write_recipe, tmp_path):
    """`x`, `x` again and a record that calls itself `x#1` are three keys."""
    lines = [{"p": f"q{n}", "a": "a", "k": key} for n, key in enumerate(["x", "x", "x#1", "x#1"])]
    built = build(pairs_recipe(write_recipe, lines), store=tmp_path / "store", workers=1)
    origins = load("trial", tmp_path / "store")["train"]["origin"]
    assert origins == ["x", "x#1", "x#1#0", "x#1#0#1"]
    assert_balanced(built.stored)


def test_a_dropped_part_has_a_number_of_its_own(write_recipe, tmp_path):
    """An empty first answer is part 0, dropped; the second is part 1, kept."""
    path = write_recipe({}, sources=[{"name": "one", "reader": "hc3", "path": "one.jsonl"}])
    record = {"id": "q1", "question": "why", "chatgpt_answers": ["", "b", ""], "human_answers": []}
    (path.parent / "one.jsonl").write_text(json.dumps(record))
    stored = build(path, store=tmp_path / "store", workers=1).stored
    assert_balanced(stored)
    (story,) = explain("q1", store=tmp_path / "store")
    assert [row.part for _, row in story.rows] == [1]
    assert [entry.part for entry in story.entries if entry.action == "drop"] == [0, 2]


def test_the_order_of_shares_decides_nothing(write_recipe, tmp_path):
    lines = [{"p": f"question {n} of many", "a": "a", "k": str(n)} for n in range(200)]

    def shares(**named):
        steps = [{"type": "split", "shares": named}]
        return build(
            pairs_recipe(write_recipe, lines, steps=steps), store=tmp_path / "store", workers=1
        )

    first = shares(train=0.9, test=0.1)
    again = shares(test=0.1, train=0.9)
    assert (again.new, again.stored) == (False, first.stored)
    assert first.stored.manifest["splits"]["train"] > 150


def test_new_drops_are_a_patch(write_recipe, tmp_path):
    """Records that are read and dropped change the ledger, so they make a version."""
    lines = [{"p": "question", "a": "long enough", "k": "1"}]
    steps = [{"type": "length", "min_chars": 10}]
    store = tmp_path / "store"
    build(pairs_recipe(write_recipe, lines, steps=steps), store=store, workers=1)
    lines.append({"p": "?", "a": "!", "k": "2"})
    built = build(pairs_recipe(write_recipe, lines, steps=steps), store=store, workers=1)
    assert str(built.stored.version) == "1.0.1"
    assert_balanced(built.stored)


def test_evidence_is_masked_before_it_is_cut(write_recipe, tmp_path):
    """Half an address or card number must not reach the ledger either."""
    secrets = ["alexander.hamilton@longdomainname.org", "4111 1111 1111 1111"]
    lines = [
        {"p": f"ChatGPT: {'x' * pad} {secret} and so on", "a": "a", "k": f"{pad} {n}"}
        for pad in range(45)
        for n, secret in enumerate(secrets)
    ] + [{"p": "keep this one", "a": "a", "k": "kept"}]
    path = pairs_recipe(write_recipe, lines, steps=[{"type": "keywords"}])
    stored = build(path, store=tmp_path / "store", workers=1).stored
    evidence = pl.read_parquet(stored.ledger_files())["evidence"].to_list()
    assert len(evidence) == 90
    assert not [one for one in evidence if "hamilton" in one or "4111" in one]
    assert any("[EMAIL]" in one for one in evidence)


def test_a_store_with_brackets_in_its_name(recipe, tmp_path):
    store = tmp_path / "st[1]*"
    build(recipe, store=store, workers=1)
    assert explain("two-1", store=store)


def test_a_damaged_done_file_is_made_again(recipe, tmp_path):
    """An empty marker, as after a power cut, costs a shard's work and not the build."""
    first = build(recipe, store=tmp_path / "store", workers=1)
    before = contents(first.stored.path)
    for path in (tmp_path / "store" / ".build").rglob("*.done"):
        path.write_bytes(b"")
    assert not build(recipe, store=tmp_path / "store", workers=1).new
    assert contents(first.stored.path) == before


def test_nothing_left_is_said(write_recipe, tmp_path):
    path = write_recipe(
        {"one": sharegpt({"a": ["hi", "ho"]})}, steps=[{"type": "length", "min_chars": 1000}]
    )
    with pytest.raises(
        StepError, match=r"(?s)no row is left.*step 1 length dropped 1 of 1: too_short_chars"
    ):
        build(path, store=tmp_path / "store", workers=1)


def test_two_builds_of_one_name_do_not_mix(recipe, tmp_path):
    store = Store(tmp_path / "store")
    with (
        store.locked("trial"),
        pytest.raises(StoreError, match="another process builds or generates trial"),
    ):
        build(recipe, store=store.root, workers=1)


def test_explain_tells_the_story_of_kept_and_dropped(recipe, tmp_path):
    store = tmp_path / "store"
    build(recipe, store=store, workers=1)
    rows = load("trial@1.0.0", store)["train"]
    (kept,) = explain(rows[0]["id"], store=store)
    assert [one.id for _, one in kept.rows] == [rows[0]["id"]]
    ledger = pl.read_parquet(Store(store).find("trial").ledger_files())
    gone = ledger.filter(pl.col("reason") == "duplicate_first_user").row(0, named=True)
    (story,) = explain(f"{gone['source']}/{gone['origin']}:{gone['part']}", "trial", store)
    assert story.entries[-1].other == gone["other"]
    assert story.dropped[-1][0] == 5  # the dropped text is still in the build folder
    (winner,) = explain(gone["other"], store=store)
    assert {text for _, one in winner.rows for text in one.texts("user")}
    (by_id,) = explain(story.dropped[-1][1].id, store=store)
    assert by_id.origin == story.origin
    with pytest.raises(StoreError, match="no record or row 'nobody'"):
        explain("nobody", store=store)


def test_dropped_text_and_personal_data_stay_out_of_the_version(recipe, tmp_path):
    """What was dropped or masked is in no file of the version."""
    stored = build(recipe, store=tmp_path / "store", workers=1).stored
    whole = b"".join(contents(stored.path).values())
    tables = [
        pq.read_table(path)
        for path in [*stored.ledger_files(), *chain(*stored.data_files().values())]
    ]
    whole += repr([table.to_pylist() for table in tables]).encode()
    assert b"mail.example-shop.com" not in whole
    assert b"The hidden tail" not in whole


def test_a_process_that_may_start_none_is_told_so(recipe, tmp_path):
    """A worker of `multiprocessing.Pool` is daemonic; with one worker the build runs in it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        for workers in (2, 1):
            options = {"store": str(tmp_path / "store"), "workers": workers}
            result = pool.apply_async(build, (str(recipe),), options)
            if workers == 1:
                assert result.get().new
            else:
                with pytest.raises(BuildError, match="use workers=1"):
                    result.get()
