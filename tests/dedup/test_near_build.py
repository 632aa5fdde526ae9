"""`near_dedup` in whole builds: the same bytes whatever the workers, evidence in the ledger."""

import json
import re

import polars as pl
import yaml

from imitation_data import build, explain, load
from imitation_data.recipe import load_recipe
from tests.conftest import contents

NEAR = {"type": "near_dedup", "on": "conversation", "threshold": 0.6, "ngram": 3}


def with_near(recipe, **options):
    value = yaml.safe_load(recipe.read_text())
    value["steps"].insert(-1, {**NEAR, **options})
    recipe.write_text(yaml.safe_dump(value, sort_keys=False))
    return recipe


def near_entries(stored):
    ledger = pl.read_parquet(stored.ledger_files())
    return ledger.filter(pl.col("name") == "near_dedup")


def test_workers_change_no_byte(recipe, tmp_path):
    """One process and two write the same version, ledger and report."""
    with_near(recipe)
    one = build(recipe, store=tmp_path / "one", workers=1)
    two = build(recipe, store=tmp_path / "two", workers=2)
    assert one.dropped["near_duplicate_conversation"] > 10
    assert contents(one.stored.path) == contents(two.stored.path)


def test_the_ledger_names_the_row_that_stays(recipe, tmp_path):
    """Each drop says which row it lost to, how alike they are and where they differ."""
    built = build(with_near(recipe), store=tmp_path, workers=1)
    entries = near_entries(built.stored)
    assert len(entries) == built.dropped["near_duplicate_conversation"]
    gone = set(entries.select(pl.format("{}/{}:{}", "source", "origin", "part")).to_series())
    assert not gone & set(entries["other"])  # the winner is never a loser: nothing is chained
    for words in entries["found"]:
        found = re.fullmatch(r"similarity ([01]\.\d{3})|equal text", words)
        assert found
        assert found[1] is None or float(found[1]) >= 0.6
    assert entries["evidence"].str.contains(r"\[.*\|.*\]").any()
    (story, *_) = explain(entries.row(0, named=True)["origin"], store=tmp_path)
    assert story.others[entries.row(0, named=True)["other"]].messages


def test_the_report_shows_what_was_looked_for(recipe, tmp_path):
    """Detection curve, other thresholds and closest calls stand in report and manifest."""
    built = build(with_near(recipe, what_if=[0.9]), store=tmp_path, workers=1)
    (step,) = (one for one in built.stored.manifest["steps"] if one["name"] == "near_dedup")
    tables = {table["title"]: table["rows"] for table in step["tables"]}
    assert tables["Pairs that are found, by their similarity"][-1] == ["1.00", "100.0 %"]
    thresholds = tables["Rows dropped at other thresholds"]
    assert [row[0] for row in thresholds] == ["0.6", "0.9"]
    assert int(thresholds[0][1]) > int(thresholds[1][1])
    calls = tables["Closest calls: dropped, nearest the threshold"]
    alike = [float(row[2].removeprefix("similarity ")) for row in calls]
    assert alike == sorted(alike)
    page = (built.stored.path / "report.html").read_text()
    assert all(title in page for title in tables)


def test_limited_to_some_sources(recipe, tmp_path):
    """Rows of other sources are neither dropped nor compared with."""
    built = build(with_near(recipe, sources=["two"]), store=tmp_path, workers=2)
    entries = near_entries(built.stored)
    assert set(entries["source"]) == {"two"}
    assert all(key.startswith("two/") for key in entries["other"])


def test_a_second_build_of_what_is_left_drops_nothing(recipe, tmp_path):
    """The rows of a version are no near-duplicates of each other."""
    built = build(with_near(recipe), store=tmp_path / "store", workers=1)
    rows = [row for split in load("trial", store=tmp_path / "store").values() for row in split]
    again = tmp_path / "again"
    again.mkdir()
    path = again / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"messages": row["messages"]}) for row in rows))
    source = {"name": "rows", "reader": "messages", "path": "rows.jsonl", "license": "x"}
    value = {"name": "again", "sources": [source], "steps": [NEAR]}
    (again / "recipe.yaml").write_text(yaml.safe_dump(value))
    second = build(load_recipe(again), store=tmp_path / "store", workers=1)
    assert second.kept == len(rows) == built.kept
