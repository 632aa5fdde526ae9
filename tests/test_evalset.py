"""`imitation-data evalset`: held-out prompts, every other one with the reason why it went."""

import json

import polars as pl
import pytest
from typer.testing import CliRunner

from imitation_data.cli.app import app
from tests.bleu import oracle

TRAINED = [
    {"id": "t1", "prompt": "Write a short poem about the sea at night", "answer": "x"},
    {"id": "t2", "prompt": "Name three rivers that flow through Vienna", "answer": "y"},
]
POOL = [
    {
        "id": "new1",
        "prompt": "Which instruments did people play at weddings long ago?",
        "answer": "a",
    },
    {
        "id": "new2",
        "prompt": "Tell my grandmother how a refrigerator keeps milk cold",
        "answer": "b",
    },
    {"id": "like", "prompt": "Write a short poem about the moon at night", "answer": "c"},
    {
        "id": "german",
        "prompt": "Welche Instrumente spielte man früher auf Hochzeiten?",
        "answer": "d",
    },
    {
        "id": "code",
        "prompt": "Write a Python function that sorts a list\n```python\ndef f(x):\n```",
        "answer": "",
    },
    {
        "id": "copy",
        "prompt": "Which instruments did people play at weddings, long ago",
        "answer": "e",
    },
    {"id": "empty", "prompt": "  ", "answer": "f"},
    {"id": "new3", "prompt": "Why do cats sit down on letters that somebody reads?", "answer": "g"},
]


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def files(tmp_path):
    return lines(tmp_path / "pool.jsonl", POOL), lines(tmp_path / "trained.jsonl", TRAINED)


def run(files, out, *words, code=0):
    pool, trained = files
    command = ["evalset", str(pool), "--against", str(trained), "--on", "column:prompt"]
    done = CliRunner().invoke(
        app, [*command, "--out", str(out), *map(str, words)], catch_exceptions=code != 0
    )
    assert done.exit_code == code, done.output
    return done.output


def test_every_prompt_stays_or_says_why_not(files, tmp_path):
    """The books balance, and each reason names what was found and what it lost to."""
    facts = json.loads(run(files, tmp_path / "out", "--json"))
    reasons = {"code": 1, "duplicate": 1, "language": 1, "like_training": 1, "no_text": 1}
    assert (facts["read"], facts["kept"], facts["dropped"]) == (8, 3, reasons)
    kept = [json.loads(line) for line in (tmp_path / "out" / "prompts.jsonl").open()]
    assert {"new2", "new3"} < {one["id"] for one in kept}
    assert len({one["id"] for one in kept} & {"new1", "copy"}) == 1
    ledger = {
        row["id"]: row for row in pl.read_parquet(tmp_path / "out" / "ledger.parquet").to_dicts()
    }
    score = max(
        oracle.score(POOL[2]["prompt"], TRAINED[0]["prompt"]),
        oracle.score(TRAINED[0]["prompt"], POOL[2]["prompt"]),
    )
    assert ledger["like"]["found"] == f"BLEU {score:.1f}"
    assert ledger["like"]["other"] == "t1"
    assert ledger["german"]["found"].startswith("de")
    (copy,) = {"new1", "copy"} & set(ledger)
    assert ledger[copy]["other"] in {"new1", "copy"}


def test_a_draw_is_the_same_for_the_same_seed_and_any_order(files, tmp_path):
    """Those that are not drawn are in the ledger; order and workers change nothing."""
    _, trained = files
    drawn = []
    for number, rows in enumerate((POOL, POOL[::-1])):
        path = lines(tmp_path / f"p{number}.jsonl", rows)
        words = ("--count", 2, "--seed", 5, "--workers", number + 1, "--json")
        facts = json.loads(run((path, trained), tmp_path / f"o{number}", *words))
        assert facts["dropped"]["not_drawn"] == 1
        text = (tmp_path / f"o{number}" / "prompts.jsonl").read_text()
        drawn.append(sorted(json.loads(line)["id"] for line in text.splitlines()))
    assert drawn[0] == drawn[1]


def test_limits_can_be_moved(files, tmp_path):
    """Any language, code, and a higher BLEU."""
    words = ("--language", "any", "--code", "--bleu", 90, "--count", 0, "--json")
    facts = json.loads(run(files, tmp_path / "out", *words))
    assert facts["dropped"] == {"duplicate": 1, "no_text": 1}


def test_words_for_a_person(files, tmp_path):
    """Counts, and that fewer are left than were wanted."""
    text = run(files, tmp_path / "out")
    assert "8 prompts read = 3 kept + 5 dropped" in text
    assert "fewer than the 255 that were wanted are left" in text


@pytest.mark.parametrize("words", [("--bleu", 101), ("--language", "english"), ("--threshold", 2)])
def test_what_cannot_be_is_refused(files, tmp_path, words):
    """Nothing is written then."""
    run(files, tmp_path / "out", *words, code=1)
    assert not (tmp_path / "out").exists()
