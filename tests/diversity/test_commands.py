"""`imitation-data diversity` and the step of the same name."""

import json
import subprocess
import sys

import polars as pl
import pytest
from typer.testing import CliRunner

from imitation_data import build
from imitation_data.cli.app import app
from imitation_data.conversation import Conversation, Message
from imitation_data.dataset_step import apply_dataset_step
from imitation_data.diversity.step import MeasureDiversity
from imitation_data.recipe import parse_recipe
from tests.bleu import oracle

ROWS = [
    {"id": "a", "prompt": "Write a short poem about the sea", "answer": "x"},
    {"id": "b", "prompt": "Write a short poem about the moon", "answer": "y"},
    {"id": "c", "prompt": "Explain how tides work\u202e\x1b[31m", "answer": "z"},
    {"id": "d", "prompt": "Write a short poem about the sea", "answer": "w"},
]


def run(*words, code=0):
    done = CliRunner().invoke(app, ["diversity", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def test_json_has_the_figures(data):
    """One object with counts, mean, median and pairs above the limit."""
    facts = json.loads(run(data, "--json"))
    score = oracle.score(ROWS[1]["prompt"], ROWS[0]["prompt"])
    assert (facts["read"], facts["kept"], facts["dropped"]) == (4, 4, {})
    assert facts["mean"] == pytest.approx((200 + score) / 4, abs=1e-4)
    assert facts["pairs_above"] == 6
    assert facts["most_similar"][0]["id"] == "b"
    assert facts["on"] == "prompt"


def test_words_for_a_person_are_safe_and_complete(data, tmp_path):
    """The figures, the distribution, openings and pairs; nothing that moves the cursor."""
    text = run(data, "--out", tmp_path / "out")
    for words in ("4 rows read", "mean BLEU of 4", "100, the same words", "write", "b and a"):
        assert words in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    table = pl.read_parquet(tmp_path / "out" / "nearest.parquet")
    assert table["id"].to_list() == ["a", "b", "c", "d"]
    assert table["other"].to_list() == ["d", "a", None, "a"]
    assert json.loads((tmp_path / "out" / "diversity.json").read_text())["read"] == 4
    assert run(data, "--quiet").count("\n") == 2


def test_a_column_of_any_table(tmp_path):
    """`--on COLUMN` takes rows of no known form; several files are sources."""
    for name, words in (("one", ["q r s", "q r s t"]), ("two", ["u v"])):
        rows = "".join(json.dumps({"text": word}) + "\n" for word in words)
        (tmp_path / f"{name}.jsonl").write_text(rows)
    facts = json.loads(run(tmp_path, "--on", "text", "--json"))
    assert [one["name"] for one in facts["within_source"]] == ["one.jsonl", "two.jsonl"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--sample", 1), 1, "sample is 1"),
        (("--tokenizer", "x"), 1, "expected 13a"),
        (("--on", ""), 2, "names nothing"),
        (("--on", "promt"), 1, "Did you mean prompt?"),
    ],
)
def test_what_cannot_be_is_told(data, words, code, told):
    """Exit code and words; no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "imitation_data", "diversity", str(data), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_step_drops_nothing_and_reports(data, tmp_path):
    """Books balance, the card has the distribution, workers change nothing."""
    recipe = parse_recipe(
        {
            "name": "some",
            "sources": [
                {
                    "name": "rows",
                    "reader": "columns",
                    "path": str(data),
                    "options": {"prompt": "prompt", "answer": "answer", "origin": "id"},
                }
            ],
            "steps": [{"type": "diversity", "limit": 30}],
        },
        tmp_path,
    )
    built = build(recipe, store=tmp_path / "store", workers=1)
    assert (built.read, built.kept, built.dropped) == (4, 4, {})
    step = built.stored.manifest["steps"][1]
    assert "mean BLEU of 4 with the most similar other prompt" in step["options"]
    titles = [table["title"] for table in step["tables"]]
    assert "BLEU of each prompt with the most similar other" in titles
    assert "Most similar pairs of different words" in titles
    card = (built.stored.path / "README.md").read_text()
    assert "BLEU of each prompt with the most similar other" in card
    other = build(recipe, store=tmp_path / "again", workers=2)
    assert (other.stored.path / "manifest.json").read_bytes() == (
        built.stored.path / "manifest.json"
    ).read_bytes()


def test_the_order_of_rows_changes_no_figure():
    """A sample follows who the rows are, not where they stand."""
    rows = [
        Conversation((Message("user", f"Tell me of number {n} and {n % 3}"),), "s", f"o{n}")
        for n in range(40)
    ]
    step = MeasureDiversity(sample=10)
    notes = {apply_dataset_step(step, some)[2].note for some in (rows, rows[::-1])}
    assert len(notes) == 1
