"""`imitation-data leakage` and the step of the same name."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from imitation_data import build
from imitation_data.cli.app import app
from imitation_data.cli.leakage import _COMMA
from imitation_data.conversation import Message
from imitation_data.errors import RecipeError
from imitation_data.leakage.benchmarks import load
from imitation_data.leakage.checked import Check
from imitation_data.leakage.find import Leakage
from imitation_data.leakage.step import CheckLeakage
from imitation_data.recipe import parse_recipe
from imitation_data.text.compared import replaced
from tests.test_runner import assert_balanced

VICUNA = load("vicuna").items
ITEMS = [
    {
        "id": "q1",
        "question": "who wrote the opera about a barber from a southern city",
        "answer": "R",
    },
    {
        "id": "q2",
        "question": "when was the last bridge over the upper river opened",
        "answer": "1871",
    },
]
ROWS = [
    {"id": "a", "prompt": "Tell me about tides", "answer": "The moon pulls at the sea."},
    {"id": "b", "prompt": VICUNA[0].question, "answer": "Make lists."},
    {"id": "c", "prompt": ITEMS[0]["question"].upper() + "?", "answer": "R wrote it."},
    {"id": "d", "prompt": "Ask me something", "answer": ITEMS[1]["question"] + "\u202e\x1b[31m"},
]


def run(*words, code=0):
    done = CliRunner().invoke(app, ["leakage", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def data(tmp_path):
    return lines(tmp_path / "rows.jsonl", ROWS)


@pytest.fixture
def mine(tmp_path):
    return lines(tmp_path / "mine.jsonl", ITEMS)


def test_json_has_the_figures(data, mine):
    """Counts as every command gives them, and what each benchmark came to."""
    facts = json.loads(run(data, "--against", f"vicuna,mine={mine}", "--json"))
    assert (facts["read"], facts["kept"], facts["dropped"]) == (4, 1, {"leakage": 3})
    one, two = facts["benchmarks"]["vicuna"], facts["benchmarks"]["mine"]
    assert (one["items"], one["unseeable"], one["touched_items"], one["flagged_rows"]) == (
        80,
        0,
        1,
        1,
    )
    assert (two["items"], two["unseeable"], two["touched_items"], two["flagged_rows"]) == (
        2,
        0,
        2,
        2,
    )
    assert two["roles"] == {"system": 0, "user": 1, "assistant": 1}
    assert one["certificate"]["recall"]["verbatim"] == 1
    assert one["certificate"]["planted_into"] == 1
    assert (
        "certificate"
        not in json.loads(run(data, "--against", "vicuna", "--json", "--no-certificate"))[
            "benchmarks"
        ]["vicuna"]
    )


def test_words_and_files(data, mine, tmp_path):
    """The finds are shown safely; the folder has what stays, what leaks, and the touched ids."""
    text = run(data, "--against", "vicuna", "--against", f"mine={mine}", "--out", tmp_path / "out")
    for words in (
        "4 rows read = 1 kept + 3 dropped",
        "vicuna: 1 of 80 items stand in 1 rows; 0 items cannot be seen",
        "b: vicuna/1 word for word",
        "flagged for another item: 0.00 of 100, among 80",
    ):
        assert words in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    out = tmp_path / "out"
    (kept,) = (out / "kept").rglob("*.jsonl")
    assert [json.loads(line)["id"] for line in kept.read_text().splitlines()] == ["a"]
    leaks = pl.read_parquet(out / "leaks.parquet")
    assert leaks.select("id", "benchmark", "item", "role").rows() == [
        ("b", "vicuna", "1", "user"),
        ("c", "mine", "q1", "user"),
        ("d", "mine", "q2", "assistant"),
    ]
    assert leaks["found"][2] == ITEMS[1]["question"] + "\u202e\x1b[31m"
    touched = json.loads((out / "leakage.json").read_text())["benchmarks"]
    assert touched["mine"]["touched"] == ["q1", "q2"]
    assert touched["vicuna"]["checksum"] == load("vicuna").checksum


def test_bleu_flags_what_coverage_does_not(tmp_path):
    """A prompt of much the same words in another order; only when asked for."""
    prompt = "over the upper river, when was the last bridge opened"
    data = lines(tmp_path / "rows.jsonl", [{"prompt": prompt, "answer": "x"}])
    mine = lines(tmp_path / "mine.jsonl", ITEMS)
    quiet = ("--against", f"mine={mine}", "--json", "--no-certificate")
    assert json.loads(run(data, *quiet))["kept"] == 1
    facts = json.loads(run(data, *quiet, "--bleu", 20))
    assert facts["kept"] == 0
    assert facts["benchmarks"]["mine"]["bleu_rows"] == 1
    assert facts["benchmarks"]["mine"]["touched_items"] == 1


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--against", "nope"), 1, "known are gsm8k, human_eval"),
        (("--against", " , "), 2, "names no benchmark"),
        (("--against", "koala", "--bleu", "200"), 1, "bleu is 200; expected 0"),
        (("--against", "koala", "--bleu", "nan"), 1, "bleu is nan; expected 0"),
        (("--against", "koala", "--columns", "koala"), 2, "expected NAME:question=Q"),
        (("--against", "mine=nothing.jsonl"), 1, "nothing.jsonl"),
        (("--against", "koala", "--on", ""), 2, "names nothing"),
        ((), 2, "--against"),
    ],
)
def test_what_cannot_be_is_told(data, words, code, told):
    """Exit code and words; no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "imitation_data", "leakage", str(data), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_commas_part_references_and_not_paths():
    """A path with a comma in it stays whole where no name follows."""
    assert _COMMA.split("koala, vicuna") == ["koala", "vicuna"]
    assert _COMMA.split("nq_open=a b.jsonl,mmlu@v1,koala") == [
        "nq_open=a b.jsonl",
        "mmlu@v1",
        "koala",
    ]
    assert _COMMA.split("mine=/x/a, b c.jsonl") == ["mine=/x/a, b c.jsonl"]


def recipe_of(tmp_path, data, **options):
    columns = {"prompt": "prompt", "answer": "answer", "origin": "id"}
    source = {"name": "rows", "reader": "columns", "path": str(data), "options": columns}
    step = {"type": "leakage", "against": ["vicuna", "mine=mine.jsonl"], **options}
    return parse_recipe({"name": "some", "sources": [source], "steps": [step]}, tmp_path)


@pytest.mark.usefixtures("mine")
def test_the_step_drops_with_evidence_and_certifies(data, tmp_path):
    """The ledger names the item and holds the span; the card has the certificate."""
    recipe = recipe_of(tmp_path, data)
    built = build(recipe, store=tmp_path / "store", workers=1)
    assert_balanced(built.stored)
    assert (built.kept, built.dropped) == (1, {"leakage": 3})
    ledger = pl.read_parquet(built.stored.path / "ledger" / "*.parquet")
    drops = ledger.filter(pl.col("action") == "drop").sort("origin")
    assert drops["found"].to_list()[0] == "vicuna/1 word for word"
    assert drops["evidence"].to_list()[1] == ROWS[2]["prompt"]
    touched = json.loads((built.stored.path / "leakage.json").read_text())["benchmarks"]["mine"]
    assert (touched["touched"], touched["removed"]) == ([], ["q1", "q2"])
    assert "leakage.json" in built.stored.manifest["files"]
    card = (built.stored.path / "README.md").read_text()
    assert "Certificate: recall of items planted into these rows" in card
    assert "Overlap with benchmarks was not looked for" not in card
    assert str(tmp_path) not in (built.stored.path / "recipe.yaml").read_text()
    other = build(recipe, store=tmp_path / "again", workers=2)
    for name in ("manifest.json", "leakage.json", "README.md", "report.html"):
        one, two = ((each.stored.path / name).read_bytes() for each in (built, other))
        assert one == two


@pytest.mark.usefixtures("mine")
def test_reported_rows_stay_and_are_listed(data, tmp_path):
    """Rows of some benchmarks are kept; `leakage.json` says which items they touch."""
    recipe = recipe_of(tmp_path, data, actions={"mine": "report"}, certificate=False)
    built = build(recipe, store=tmp_path / "store", workers=1)
    assert (built.kept, built.dropped) == (3, {"leakage": 1})
    touched = json.loads((built.stored.path / "leakage.json").read_text())["benchmarks"]
    assert touched["mine"]["touched"] == ["q1", "q2"]
    assert touched["vicuna"]["removed"] == ["1"]
    tables = built.stored.manifest["steps"][1]["tables"]
    shown = next(one for one in tables if one["title"].startswith("Items that stand"))
    assert [row[2] for row in shown["rows"]] == [
        "mine/q1 word for word, answer beside it",
        "mine/q2 word for word",
    ]
    nothing = recipe_of(tmp_path, data, action="report", certificate=False)
    assert build(nothing, store=tmp_path / "other", workers=1).kept == 4


def test_another_benchmark_file_is_another_stage(data, mine, tmp_path):
    """A build notices that a benchmark changed, though its name did not."""
    recipe = recipe_of(tmp_path, data, certificate=False)
    assert build(recipe, store=tmp_path / "store", workers=1).kept == 1
    lines(mine, ITEMS[:1])
    again = recipe_of(tmp_path, data, certificate=False)
    assert build(again, store=tmp_path / "store", workers=1).kept == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"against": ()}, "expected benchmarks, each once"),
        ({"against": ("koala", "koala=x")}, "expected benchmarks, each once"),
        ({"against": ("koala",), "actions": {"mmlu": "drop"}}, "actions names 'mmlu'; expected"),
        ({"against": ("koala",), "actions": {"koala": "burn"}}, "actions has 'burn'"),
        ({"against": ("koala",), "action": "mask", "bleu": 20}, "bleu cannot be masked"),
        ({"against": ("koala",), "bleu": 100}, "bleu is 100; expected 0"),
        ({"against": ("koala",), "action": "burn"}, "action is 'burn'"),
    ],
)
def test_options_that_cannot_be_are_named(options, words):
    """The message says what was found and what was expected."""
    with pytest.raises(ValueError, match=words):
        CheckLeakage(**options)


def test_the_paper_direction_of_bleu_looks_at_prompts_only():
    """The first user turn is compared, not what the assistant says."""
    leakage = Leakage([load("vicuna")])
    column = pa.array([f"\x02Hello{chr(3)}{VICUNA[0].question}", f"\x01s\x02{VICUNA[0].question}"])
    checked = Check(bleu=90, certificate=False).run(leakage, column, np.arange(2, dtype=np.uint64))
    assert checked.bleu[0].tolist() == [1]


def test_items_of_the_package_say_where_they_are_from():
    """Licences travel with the items."""
    notice = Path(load.__code__.co_filename).with_name("items") / "NOTICE.txt"
    assert all(name in notice.read_text() for name in ("koala", "vicuna", "human_eval"))


def test_masked_rows_stay_without_what_was_found(data, tmp_path, mine):
    """Only the spans go; the row has a new identity and tokens, and the ledger an edit."""
    columns = {"prompt": "prompt", "answer": "answer", "origin": "id"}
    source = {"name": "rows", "reader": "columns", "path": str(data), "options": columns}
    recipe = parse_recipe(
        {
            "name": "some",
            "tokens": "bytes",
            "sources": [source],
            "steps": [
                {
                    "type": "leakage",
                    "against": ["vicuna", f"mine={mine}"],
                    "action": "mask",
                    "actions": {"vicuna": "drop"},
                    "certificate": False,
                }
            ],
        },
        tmp_path,
    )
    built = build(recipe, store=tmp_path / "store", workers=1)
    assert_balanced(built.stored)
    assert (built.kept, built.dropped) == (3, {"leakage": 1})
    rows = pl.read_parquet(built.stored.path / "data" / "*.parquet").sort("origin").to_dicts()
    said = {row["origin"]: [turn["content"] for turn in row["messages"]] for row in rows}
    assert said["a"] == [ROWS[0]["prompt"], ROWS[0]["answer"]]
    assert said["c"] == ["[removed]", "R wrote it."]
    assert said["d"][0] == ROWS[3]["prompt"]
    assert said["d"][1].startswith("[removed]")
    assert ITEMS[1]["question"] not in said["d"][1]
    assert all(
        row["tokens"] == sum(len(text.encode()) for text in said[row["origin"]]) for row in rows
    )
    ledger = pl.read_parquet(built.stored.path / "ledger" / "*.parquet")
    edits = ledger.filter(pl.col("reason") == "leakage_masked").sort("origin")
    assert edits["origin"].to_list() == ["c", "d"]
    assert edits["evidence"][0] == ROWS[2]["prompt"]
    assert str(tmp_path) not in (built.stored.path / "recipe.yaml").read_text()
    touched = json.loads((built.stored.path / "leakage.json").read_text())["benchmarks"]["mine"]
    assert (touched["touched"], touched["removed"]) == ([], ["q1", "q2"])
    again = build(recipe, store=tmp_path / "again", workers=2)
    one, two = ((each.stored.path / "manifest.json").read_bytes() for each in (built, again))
    assert one == two


@pytest.mark.parametrize(
    ("on", "spans", "expected"),
    [
        ("conversation", [(0, 3), (4, 9)], ["-c", "-hij"]),  # each turn begins with a mark
        ("conversation", [(2, 6)], ["a-", "-efghij"]),
        ("prompt", [(0, 1), (2, 9)], ["abc", "-e-"]),
        ("user", [(1, 2)], ["abc", "-efghij"]),
    ],
)
def test_spans_are_replaced_in_the_turns_they_lie_in(on, spans, expected):
    """Characters of the compared text are those of the turns, behind their marks."""
    turns = (Message("system", "abc"), Message("user", "defghij"))
    assert [turn.content for turn in replaced(turns, on, spans, "-")] == expected


def test_bleu_counts_every_item_above_the_limit(tmp_path):
    """Not only the nearest one, nor the nearest benchmark."""
    data = lines(tmp_path / "rows.jsonl", [{"prompt": ITEMS[0]["question"], "answer": "x"}])
    files = [lines(tmp_path / f"{name}.jsonl", ITEMS[:1]) for name in ("m", "n")]
    against = ",".join(f"{path.stem}={path}" for path in files)
    words = (data, "--against", against, "--bleu", 20, "--json", "--no-certificate")
    found = json.loads(run(*words))["benchmarks"]
    assert [found[name]["bleu_rows"] for name in "mn"] == [1, 1]


def test_columns_can_be_named_on_the_command_line_and_in_a_recipe(data, tmp_path):
    """The fields of your own file."""
    odd = tmp_path / "odd.jsonl"
    odd.write_text(json.dumps({"Frage": ITEMS[0]["question"], "Loesung": "R"}))
    words = ("--against", f"odd={odd}", "--columns", "odd:question=Frage,answers=Loesung")
    facts = json.loads(run(data, *words, "--json", "--no-certificate"))
    assert facts["benchmarks"]["odd"]["touched_items"] == 1
    columns = {"odd": {"question": "Frage", "answers": ["Loesung"]}}
    recipe = recipe_of(
        tmp_path, data, against=["odd=odd.jsonl"], columns=columns, certificate=False
    )
    assert build(recipe, store=tmp_path / "store", workers=1).dropped == {"leakage": 1}


def test_a_recipe_says_which_benchmarks_are_not_there(data, tmp_path):
    """All at once, before any data is read."""
    with pytest.raises(RecipeError) as caught:
        recipe_of(tmp_path, data, against=["vicunna", "own=nope.jsonl"])
    told = " ".join(caught.value.problems)
    assert "did you mean 'vicuna'" in told
    assert "own=nope.jsonl: there is nothing at" in told


def test_a_step_for_some_sources_says_so(data, mine, tmp_path):
    """`leakage.json` names the sources it is about."""
    columns = {"prompt": "prompt", "answer": "answer", "origin": "id"}
    sources = [
        {"name": name, "reader": "columns", "path": str(data), "options": columns}
        for name in ("one", "two")
    ]
    step = {
        "type": "leakage",
        "against": [f"mine={mine}"],
        "sources": ["two"],
        "certificate": False,
    }
    recipe = parse_recipe({"name": "some", "sources": sources, "steps": [step]}, tmp_path)
    built = build(recipe, store=tmp_path / "store", workers=1)
    assert built.dropped == {"leakage": 2}
    assert json.loads((built.stored.path / "leakage.json").read_text())["sources"] == ["two"]
