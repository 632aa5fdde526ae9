"""Each row of a diff has one cause, told from what both versions wrote down."""

import json
import shutil
from dataclasses import replace

import polars as pl
import pytest

from imitation_data import build
from imitation_data.diff.compare import compare
from imitation_data.diff.sides import side_of
from imitation_data.errors import StoreError
from tests.conftest import sharegpt
from tests.diff.conftest import between, told

TALKS = {f"t{n}": [f"What is {n}?", f"It is {'very ' * n}{n}."] for n in range(6)}


def test_options_of_a_step_that_drops(built):
    """A stricter limit says before and after; read backwards it is the looser one."""
    strict = built({"web": TALKS}, {"type": "length", "max_chars": 40})
    loose = built({"web": TALKS}, {"type": "length", "max_chars": 45})
    assert told(between(loose, strict)) == [
        ("removed", "step_options", 1, "dropped by length; max_chars 45 → 40")
    ]
    assert told(between(strict, loose)) == [
        ("added", "step_options", 1, "no longer dropped by length; max_chars 40 → 45")
    ]


def test_a_step_that_is_new_or_gone(built):
    """Steps are compared by type and order: one put in before others moves no blame to them."""
    blank, length = {"type": "blank"}, {"type": "length", "max_chars": 40}
    without = built({"web": TALKS}, blank, {"type": "exact_dedup"})
    having = built({"web": TALKS}, {"type": "roles"}, blank, length, {"type": "exact_dedup"})
    assert told(between(without, having)) == [
        ("removed", "step_new", 1, "dropped by length; the step is new")
    ]
    assert told(between(having, without)) == [
        ("added", "step_gone", 1, "no longer dropped by length; the step is gone")
    ]


def test_a_row_that_lost_to_a_new_one(built):
    """The step is the same; what it lost to was not there before."""
    dedup = {"type": "exact_dedup", "level": "first_user", "keep": "longest"}
    old = built({"web": TALKS}, dedup)
    new = built(
        {"web": {**TALKS, "long": ["What is 3?", "It is three, and no more than that."]}}, dedup
    )
    assert told(between(old, new)) == [
        ("added", "source_files", 1, "the record was not yet in web (files: 1 changed)"),
        (
            "removed",
            "lost_to",
            1,
            "dropped by exact_dedup, lost to a row that the old version does not have",
        ),
    ]
    assert told(between(new, old)) == [
        (
            "added",
            "lost_to",
            1,
            "no longer dropped by exact_dedup, lost to a row that the new version does not have",
        ),
        ("removed", "source_files", 1, "the record is no longer in web (files: 1 changed)"),
    ]


def test_a_row_whose_luck_ended(built):
    """A sample of as many rows out of more."""
    sample = {"type": "sample", "rows": 4}
    old = built({"web": TALKS}, sample)
    more = {f"u{n}": [f"And {n}?", f"No {n}."] for n in range(20)}
    new = built({"web": TALKS, "more": more}, sample)
    diff = between(old, new)
    assert {cause.why for cause in diff.causes if cause.kind == "removed"} == {"other_rows"}
    assert {cause.why for cause in diff.causes if cause.kind == "added"} == {"source_new"}
    other = built({"web": TALKS}, sample, seed=5)
    assert ("removed", "step_options", 1, "dropped by sample; seed 0 → 5") in told(
        between(old, other)
    )


def test_edits(built):
    """The step that notes an edit and is new, or has other options; others had none in it."""
    talks = {**TALKS, "mail": ["Write to jane@mail-shop.com", "I have."]}
    plain = built({"web": talks}, {"type": "roles"})
    masked = built({"web": talks}, {"type": "pii"}, {"type": "roles"})
    other = built({"web": talks}, {"type": "pii", "mask": "<{kind}>"}, {"type": "roles"})
    assert told(between(plain, masked)) == [("changed", "edited", 1, "edited by pii is new")]
    assert told(between(masked, other)) == [
        ("changed", "edited", 1, "edited by pii: mask '[{kind}]' → <{kind}>")
    ]


def test_a_record_that_changed_in_the_source(built):
    """That can be told by exclusion alone, and so it says."""
    old = built({"web": TALKS})
    new = built({"web": {**TALKS, "t2": ["What is 2?", "It is two."]}})
    assert told(between(old, new)) == [
        (
            "changed",
            "source_files",
            1,
            "its text changed in web, as far as can be told (files: 1 changed)",
        )
    ]


def test_pieces(built):
    """One record cut otherwise: the first piece changed, others came."""
    talk = {"long": [f"{who} {n} says a few words" for n in range(4) for who in ("Ann", "Bob")]}
    whole = built({"web": talk}, {"type": "divide", "max_tokens": 400}, tokens="bytes")
    cut = built({"web": talk}, {"type": "divide", "max_tokens": 120}, tokens="bytes")
    diff = between(whole, cut)
    assert {(cause.kind, cause.why) for cause in diff.causes} == {
        ("changed", "edited"),
        ("added", "pieces"),
    }
    assert all("divide: max_tokens 400 → 120" in cause.words for cause in diff.causes)


def test_pieces_whose_record_was_dropped_whole(built):
    """A piece goes with what it would have been cut from."""
    talk = {"long": [f"{who} {n} says a few words" for n in range(4) for who in ("Ann", "Bob")]}
    divide = {"type": "divide", "max_tokens": 120}
    cut = built({"web": {**TALKS, **talk}}, divide, tokens="bytes")
    short = {"type": "length", "max_chars": 90}
    gone = built({"web": {**TALKS, **talk}}, short, divide, tokens="bytes")
    diff = between(cut, gone)
    assert diff.counts["removed"] > 1
    assert {(cause.why, cause.words) for cause in diff.causes} == {
        ("step_new", "dropped by length; the step is new")
    }


@pytest.mark.parametrize(
    ("step", "keys", "words"),
    [
        ({"shares": {"train": 0.5, "test": 0.5}}, {"seed": 9}, "split: seed 0 → 9"),
        (
            {"shares": {"train": 0.1, "test": 0.9}},
            {},
            "split: shares.train 0.5 → 0.1, shares.test 0.5 → 0.9",
        ),
        (None, {}, "split is gone"),
    ],
)
def test_rows_that_moved(built, step, keys, words):
    """The split's options, or the seed, or that there is none any more."""
    old = built({"web": TALKS}, {"type": "split", "shares": {"train": 0.5, "test": 0.5}})
    new = built({"web": TALKS}, *([{"type": "split", **step}] if step else []), **keys)
    diff = between(old, new)
    assert diff.counts["moved"]
    assert [(cause.kind, cause.why, cause.words) for cause in diff.causes] == [
        ("moved", "split", words)
    ]


def test_other_columns(built):
    """Which columns, and what the recipe says otherwise."""
    old = built({"web": TALKS}, tokens="bytes")
    new = built({"web": TALKS})
    assert told(between(old, new)) == [
        ("annotated", "columns", 6, "tokens; tokens is gone; tokens bytes → none")
    ]
    path = new.path.parents[2] / "recipe" / "recipe.yaml"
    text = path.read_text().replace("license: CC0-1.0", "license: MIT")
    path.write_text(text)
    other = build(path, store=new.path.parents[1], workers=1).stored
    assert told(between(new, other)) == [
        ("annotated", "columns", 6, "license; web: license CC0-1.0 → MIT")
    ]


def test_sources_that_come_and_go(built):
    """A source that only one recipe has is the cause for all its rows."""
    one = built({"web": TALKS})
    two = built({"web": TALKS, "more": {"m": ["Hello you", "Hello me"]}})
    assert told(between(one, two)) == [("added", "source_new", 1, "source more is new")]
    assert told(between(two, one)) == [("removed", "source_gone", 1, "source more is gone")]


def test_bad_records(write_recipe, tmp_path):
    """A record that can no longer be read, and one that can be again."""

    def make(text):
        path = write_recipe({"web": text})
        path.write_text(path.read_text().replace("  license", "  bad_records: drop\n  license"))
        return build(path, store=tmp_path / "store", workers=1).stored

    broken = json.loads(sharegpt(TALKS))
    broken[1]["conversations"] = "no turns"
    old, new = make(sharegpt(TALKS)), make(json.dumps(broken))
    words = "the record can no longer be read; web: files: 1 changed (6 → 6 records)"
    assert told(between(old, new)) == [("removed", "bad_record", 1, words)]
    words = "the record could not be read before; web: files: 1 changed (6 → 6 records)"
    assert told(between(new, old)) == [("added", "bad_record", 1, words)]


def test_another_copy_is_kept(built):
    """Equal content under another key is no addition and no removal."""
    sources = {"one": {"a": TALKS["t1"]}, "two": {"b": TALKS["t1"]}}
    old = built(sources, {"type": "exact_dedup", "priority": ["one", "two"]})
    new = built(sources, {"type": "exact_dedup", "priority": ["two", "one"]})
    diff = between(old, new)
    words = "dropped by exact_dedup; priority [one, two] → [two, one]"
    assert told(diff) == [("rekeyed", "step_options", 1, words)]
    assert diff.bump == "none"


def test_a_step_before_made_texts_equal(built):
    """The step that drops is the same; the one that made it drop is named."""
    talks = {"a": ["Ask jim@mail-shop.com now", "Yes."], "b": ["Ask joe@mail-shop.com now", "Yes."]}
    old = built({"web": talks}, {"type": "exact_dedup"})
    new = built({"web": talks}, {"type": "pii"}, {"type": "exact_dedup"})
    assert told(between(old, new)) == [
        ("removed", "steps", 1, "dropped by exact_dedup; steps before it changed: pii is new"),
        ("changed", "edited", 1, "edited by pii is new"),
    ]


def test_what_a_reader_is_told(write_recipe, tmp_path):
    """Options of a reader that makes fewer rows of a record."""
    record = {"question": "Why?", "human_answers": ["So."], "chatgpt_answers": ["Because it is."]}
    versions = []
    for answers in ("both", "chatgpt"):
        path = write_recipe({"qa": json.dumps(record)})
        text = path.read_text().replace("reader: sharegpt", "reader: hc3")
        path.write_text(
            f"{text}".replace("  license", f"  options: {{answers: {answers}}}\n  license")
        )
        versions.append(build(path, store=tmp_path / "store", workers=1).stored)
    diff = between(*versions)
    assert len(diff.causes) == 1
    assert "options.answers both → chatgpt" in diff.causes[0].words


def test_versions_that_tell_nothing(built):
    """Without recipe, ledger and facts there is a cause still: nothing is known."""
    old, new = built({"web": TALKS}), built({"web": {"t1": TALKS["t1"]}})
    for stored in (old, new):
        manifest = json.loads((stored.path / "manifest.json").read_bytes())
        for name in ("sources", "steps", "libraries", "facts", "fingerprint"):
            manifest[name] = 7
        (stored.path / "manifest.json").write_text(json.dumps(manifest))
        (stored.path / "recipe.yaml").write_text("- no recipe")
        shutil.rmtree(stored.path / "ledger")
    assert [(cause.kind, cause.why, cause.rows) for cause in between(old, new).causes] == [
        ("removed", "unknown", 5),
    ]


def test_a_ledger_that_cannot_be_read_is_told(built):
    """A broken ledger is an error that names the file, not a row without a cause."""
    old, new = built({"web": TALKS}), built({"web": {"t1": TALKS["t1"]}})
    (new.path / "ledger" / "ledger-00000.parquet").write_bytes(b"no ledger")
    with pytest.raises(StoreError, match="is not readable as a ledger"):
        compare(side_of(old), side_of(new))


def test_data_that_was_changed_behind_the_manifest_is_seen(built):
    """Ids are believed where the manifest vouches for the file, and computed where it does not."""
    old, new = built({"web": TALKS}), built({"web": TALKS}, {"type": "roles"})
    (file,) = new.data_files()["train"]
    frame = pl.read_parquet(file)
    turns = frame["messages"].to_list()
    turns[2][1]["content"] = "something else"
    frame.with_columns(pl.Series("messages", turns, frame.schema["messages"])).write_parquet(file)
    assert between(old, replace(new)).counts["changed"] == 1
