"""Code, for evaluation sets."""

import gzip
import json
from pathlib import Path

import pytest

from imitation_data.ledger import Drop, Kept
from imitation_data.rows.code import SIGNALS, Code, signals
from tests.contract.corpus import talk

EVAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "eval"

SIGNS = {
    "fenced_block": "```\nx\n```",
    "include": "  #include <stdio.h>",
    "python_def": "def add(a, b):",
    "python_import": "from os import path",
    "function_body": "function add(a, b) { }",
    "declaration": "public static void main",
    "sql": "SELECT name\nFROM users",
    "markup": "<div class='a'>",
    "shell": "$ ls",
    "statements": "a = 1;\n  b = 2;\n",
    "calls": "text.split(',')",
    "language_named": "in JavaScript, please",
    "thing_named": "the script",
    "computer_science": "a binary search tree",
    "request": "Write a short function that adds",
}


@pytest.mark.parametrize("name", SIGNALS)
def test_every_signal_is_found(name):
    assert name in signals([SIGNS[name]])[0]


@pytest.mark.parametrize(
    "text",
    [
        *("Which island is Java next to?", "A training program for beginners.", "Rust on my car."),
        *(
            "Select three items from the list.",
            "What is the function of the liver?",
            "5 < 6 and 7 > 3",
        ),
        *("He plays a script-writer; she wins;", "Tell me about pythons and other snakes."),
    ],
)
def test_prose_stays(text):
    row = talk("row", "ua", text, "Well.")
    assert Code()(row) == Kept((row,))


def test_keep_only_is_the_reverse():
    code = talk("code", "ua", "Write a Python script.", "print(1)")
    prose = talk("prose", "ua", "Write a poem.", "Roses are red.")
    assert [type(outcome) for outcome in Code().many([code, prose])] == [Drop, Kept]
    assert [type(outcome) for outcome in Code(keep="only").many([code, prose])] == [Kept, Drop]
    assert Code()(code).reason == "code"
    assert "language_named, thing_named" in Code()(code).found
    assert Code(keep="only")(prose) == Drop("not_code", "0 points: no sign of code", 2)


def test_threshold_and_roles():
    row = talk("row", "ua", "Is Haskell hard?", "```haskell\nmain = x\n```")
    assert isinstance(Code(threshold=1, roles=("user",))(row), Drop)
    assert isinstance(Code(threshold=2, roles=("user",))(row), Kept)
    assert isinstance(Code(threshold=2)(row), Drop)
    with pytest.raises(ValueError, match="found 0"):
        Code(threshold=0)


@pytest.mark.skipif(not EVAL.exists(), reason=f"{EVAL} is not there")
def test_coding_prompts_of_real_evaluation_sets():
    """All of HumanEval, and MT-Bench's and Vicuna's coding prompts but few others."""
    with gzip.open(EVAL / "human_eval" / "HumanEval.jsonl.gz", "rt") as lines:
        human_eval = [json.loads(line)["prompt"] for line in lines]
    prompts = [
        json.loads(line)
        for bench in ("mt_bench", "vicuna_bench")
        for line in next((EVAL / bench).iterdir()).read_text(encoding="utf-8").splitlines()
    ]
    coding = ["\n".join(each["turns"]) for each in prompts if each["category"] == "coding"]
    other = ["\n".join(each["turns"]) for each in prompts if each["category"] != "coding"]

    def dropped(texts):
        return sum(isinstance(o, Drop) for o in Code().many([talk("row", "u", t) for t in texts]))

    assert dropped(human_eval) == len(human_eval) == 164
    assert dropped(coding) == len(coding) == 17
    assert dropped(other) <= 2
