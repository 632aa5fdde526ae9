"""Existing rows sent to a teacher: answers and labels."""

from pathlib import Path

import orjson
import pytest

from imitation_data import build, load
from imitation_data.errors import RecipeError, SourceError
from imitation_data.generate.budget import Ceiling
from imitation_data.generate.given import Given
from imitation_data.generate.labels import Labels
from imitation_data.generate.teacher import Teacher as Asked
from imitation_data.generation import Orders, estimate
from imitation_data.readers import READERS
from imitation_data.recipe import parse_recipe
from imitation_data.versions.store import Store
from tests.generate.conftest import FIFTH
from tests.servers.teacher import Faults, Teacher, TeacherSettings
from tests.test_runner import assert_balanced

MANY = Orders(ceiling=Ceiling(requests=100_000))
TALK = [("user", "hi"), ("assistant", "hello"), ("user", "a poem?"), ("assistant", "no")]


def talk(*turns):
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


def write(path: Path, rows) -> None:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))


def recipe_of(folder, url, generate, options, rows="rows.jsonl", **more):
    told = {"model": "m", "endpoint": url, "key": "", **more.pop("teacher", {})}
    source = {"name": "made", "generate": generate, "path": rows, "teacher": told}
    return parse_recipe(
        {"name": "given", "sources": [source | {"options": options} | more]}, folder
    )


def rows_of(built, store):
    return list(load(f"given@{built.stored.version}", store=store)["train"])


def test_a_file_of_prompts_is_answered_and_no_prompt_twice(tmp_path):
    """Rows keep their order; equal prompts are asked once; a rebuild sends nothing."""
    prompts = [f"What is {number % 40}?" for number in range(120)]
    write(tmp_path / "rows.jsonl", [{"prompt": one, "id": n} for n, one in enumerate(prompts)])
    with Teacher(1, Faults(rate_limited=0.1, server_error=0.1)) as teacher:
        recipe = recipe_of(tmp_path, teacher.url, "answers", {"max_tokens": 400})
        built = build(recipe, store=tmp_path / "s", workers=1, orders=MANY)
        assert teacher.stats()["charged"] == 40
        again = build(recipe, store=tmp_path / "s", workers=1)
        assert not again.new
        assert teacher.stats()["charged"] == 40
    assert_balanced(built.stored)
    rows = rows_of(built, tmp_path / "s")
    assert [row["messages"][0]["content"] for row in rows] == prompts
    assert {row["messages"][-1]["role"] for row in rows} == {"assistant"}
    assert {row["teacher"] for row in rows} == {"m"}
    assert len({orjson.loads(row["meta"])["request"] for row in rows}) == 40


@pytest.mark.parametrize("turns", ["last", "every"])
def test_conversations(turns, tmp_path):
    """`last` keeps what was said; `every` hears the teacher's own answers, in two samples."""
    write(tmp_path / "rows.jsonl", [talk(("system", "old"), *TALK), talk(("assistant", "hi"))])
    with Teacher(1) as teacher:
        options = {"turns": turns, "system": "Be kind.", "samples": 2, "temperature": 1}
        recipe = recipe_of(tmp_path, teacher.url, "answers", options)
        built = build(recipe, store=tmp_path / "s", workers=1, orders=MANY)
        asked = 2 if turns == "last" else 4
        assert teacher.stats()["charged"] == asked
        assert_balanced(built.stored)
    rows = rows_of(built, tmp_path / "s")
    assert len(rows) == 2
    for row in rows:
        roles = [turn["role"] for turn in row["messages"]]
        assert roles == ["system", "user", "assistant", "user", "assistant"]
        said = [turn["content"] for turn in row["messages"]]
        assert said[0] == "Be kind."
        assert (said[2] == "hello") == (turns == "last")
        assert said[4] != "no"
        assert len(orjson.loads(row["meta"]).get("requests", [1])) == asked // 2
    assert rows[0]["messages"] != rows[1]["messages"]


def test_what_the_teacher_does_not_answer_is_in_the_ledger(tmp_path):
    """Prompts that are too long, refused or cut; bad records; hostile text gets through."""
    rows = [
        {"prompt": "x" * 200_000},
        *({"prompt": f"\u202e\x00 {number} 🙂 <b>"} for number in range(60)),
        {"prompt": "  "},
        {"other": 1},
    ]
    write(tmp_path / "rows.jsonl", rows)
    settings = TeacherSettings(context=20_000)
    with Teacher(1, FIFTH, settings=settings) as teacher:
        stopped = recipe_of(tmp_path, teacher.url, "answers", {})
        with pytest.raises(SourceError, match="line 63"):
            build(stopped, store=tmp_path / "s", workers=1, orders=MANY)
        assert teacher.stats()["requests"] == 0
        recipe = recipe_of(tmp_path, teacher.url, "answers", {}, bad_records="drop")
        built = build(recipe, store=tmp_path / "s", workers=1, orders=MANY)
    assert_balanced(built.stored)
    rejected = built.stored.manifest["generation"]["made"]["rejected"]
    assert {"prompt_too_long", "no_prompt", "bad_record"} <= rejected.keys()
    assert rejected["prompt_too_long"] == rejected["no_prompt"] == 1
    assert built.kept + sum(rejected.values()) == len(rows)


@pytest.mark.parametrize("structured", [False, True])
def test_labels_of_a_version(structured, tmp_path):
    """A version is labelled: the same messages, teacher and licence, and a label in `meta`."""
    write(
        tmp_path / "rows.jsonl", [talk(*TALK), talk(("user", "Sort a list"), ("assistant", "ok"))]
    )
    source = {"name": "old", "reader": "messages", "path": "rows.jsonl", "license": "MIT"}
    plain = parse_recipe({"name": "old", "sources": [source | {"teacher": "gpt-2"}]}, tmp_path)
    build(plain, store=tmp_path / "s", workers=1)
    names = {"coding": "programs", "C++": "", "chat": "small talk"}
    with Teacher(2) as teacher:
        recipe = recipe_of(
            tmp_path,
            teacher.url,
            "labels",
            {"categories": names, "name": "topic"},
            "old@1.0.0",
            teacher={"structured": structured},
        )
        built = build(recipe, store=tmp_path / "s", workers=1, orders=MANY)
    assert_balanced(built.stored)
    before = list(load("old@1.0.0", store=tmp_path / "s")["train"])
    for old, row in zip(before, rows_of(built, tmp_path / "s"), strict=True):
        assert row["messages"] == old["messages"]
        assert (row["teacher"], row["license"]) == ("gpt-2", "MIT")
        told = orjson.loads(row["meta"])["labels"]["topic"]
        assert told["label"] in names
        assert len(told["request"]) == 32


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("Coding", "coding"),
        ("**C++**.", "C++"),
        ("Category: General QA", "General QA"),
        ("The category is “coding”.", "coding"),
        ('```json\n{"label": "coding"}\n```', "coding"),
        ("I think so.\n\ncoding\n", "coding"),
        ("It is not coding", None),
        ("coding\nC++", None),
        ("coder", None),
        ("", None),
        ('{"label": null}', None),
    ],
)
def test_a_label_is_read_or_left_open(said, label):
    options = Labels({"coding": "", "C++": "", "General QA": ""})
    machine = options.start(Asked("m", "http://127.0.0.1:9/v1", key=""), Given(lambda: iter(())))
    assert machine.label_in(said) == label


def test_a_label_that_cannot_be_told(tmp_path):
    """The row stays, with null and the reason; or it is dropped, where the recipe says so."""
    write(tmp_path / "rows.jsonl", [talk(("user", f"q{n}"), ("assistant", "a")) for n in range(40)])
    names = {"yes": "", "no": ""}
    for unlabelled in ("keep", "drop"):
        with Teacher(3, Faults(refused=0.3)) as teacher:
            options = {"categories": names, "unlabelled": unlabelled}
            recipe = recipe_of(tmp_path, teacher.url, "labels", options)
            built = build(recipe, store=tmp_path / unlabelled, workers=1, orders=MANY)
        assert_balanced(built.stored)
        rows = rows_of(built, tmp_path / unlabelled)
        told = [orjson.loads(row["meta"])["labels"]["category"] for row in rows]
        open_ones = [one for one in told if one["label"] is None]
        if unlabelled == "keep":
            assert len(rows) == 40
            assert any(one["reason"] == "teacher_refused" for one in open_ones)
        else:
            assert len(rows) < 40
            assert not open_ones


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"options": {"categories": {"one": ""}}}, "at least two"),
        ({"options": {"categories": {"A": "", "a.": ""}}}, "differ"),
        ({"reader": "column"}, "unknown reader"),
        ({"reader": "columns", "reader_options": {"promt": "x"}}, "did you mean 'prompt'"),
        ({"reader_options": {"prompt": "x"}}, "reader_options needs reader"),
    ],
)
def test_mistakes_in_a_recipe(change, sentence, tmp_path):
    options = {"categories": {"a": "", "b": ""}}
    with pytest.raises(RecipeError, match=sentence):
        recipe_of(
            tmp_path, "http://127.0.0.1:9/v1", "labels", change.pop("options", options), **change
        )


def test_rows_without_answers_are_for_teachers_only(tmp_path):
    """A forgotten `answer` is found when the recipe is read."""
    write(tmp_path / "rows.jsonl", [{"prompt": "a"}])
    source = {
        "name": "a",
        "reader": "columns",
        "path": "rows.jsonl",
        "options": {"prompt": "prompt"},
    }
    with pytest.raises(RecipeError, match="answer is missing"):
        parse_recipe({"name": "given", "sources": [source]}, tmp_path)


def test_an_estimate_counts_the_rows(tmp_path):
    """Requests are those that will be sent; `count` and `--limit` hold."""
    write(tmp_path / "rows.jsonl", [talk(*TALK) for _ in range(30)])
    told = {"teacher": {"price": {"input": 1, "output": 2}, "encoding": "bytes"}}
    options = {"turns": "every", "samples": 2}
    recipe = recipe_of(tmp_path, "http://127.0.0.1:9/v1", "answers", options, **told)
    (found,) = estimate(recipe, Store(tmp_path / "s"), Orders())
    assert found.requests == 120
    assert found.usd_most == pytest.approx((found.input_tokens + 120 * 2048 * 2) / 1e6)
    (few,) = estimate(recipe, Store(tmp_path / "s"), Orders(limit=10))
    assert few.requests == 40


def test_another_revision_of_a_reader_makes_the_rows_anew(tmp_path, monkeypatch):
    """Candidates follow from what read the rows; the answers are still those of the journal."""
    write(tmp_path / "rows.jsonl", [{"prompt": "q"}])
    with Teacher(1) as teacher:
        recipe = recipe_of(tmp_path, teacher.url, "answers", {})
        build(recipe, store=tmp_path / "s", workers=1, orders=MANY)
        monkeypatch.setattr(READERS["columns"], "REVISION", 99)
        build(recipe, store=tmp_path / "s", workers=1)
        assert teacher.stats()["charged"] == 1
    assert len(list((tmp_path / "s").rglob("candidates.jsonl"))) == 2
