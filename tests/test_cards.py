"""Shipped recipes: each resolves to its golden, and builds into rows that stay the same."""

import json
from pathlib import Path

import pytest
import yaml

from imitation_data import build, load_recipe
from imitation_data.recipe import parse_recipe
from tests.conftest import SHARED
from tests.test_runner import assert_balanced

ROOT = Path(__file__).resolve().parents[1]
RECIPES = sorted((ROOT / "cards").glob("*/recipe.yaml"))
assert RECIPES, "no recipes found: the tests below would pass on nothing"
GOLDEN = ROOT / "tests" / "golden"
DATA = SHARED / "data"

PAIR = {"prompt": "question", "answer": "answer"}
SMILE = {"messages": "dialog", "roles": {"client": "user", "counselor": "assistant"}}
P3 = {"prompt": "prompt", "answer": "completion", "strip_suffix": "<|endoftext|>"}
JUDGE = {"prompt": "question_id", "answer": "text", "teacher": "model_id"}
REAL = [  # file, reader, its options
    ("alpaca/alpaca_data.json", "alpaca", {}),
    ("gpteacher/codegen-instruct.json", "alpaca", {}),
    ("gpteacher/roleplay-simple-deduped-roleplay-instruct.json", "alpaca", {}),
    ("gpteacher/toolformer-dedupe-only-dataset.json", "alpaca", {}),
    ("gpteacher/toolformer-similarity-0.9-dataset.json", "alpaca", {}),
    ("self_instruct/seed_tasks.jsonl", "alpaca", {}),
    ("sharegpt/dummy_conversation.json", "sharegpt", {}),
    ("oasst/en_100_tree.jsonl", "oasst", {"branches": "all"}),
    ("oasst/en_100_message.jsonl", "oasst", {}),
    ("p3.jsonl", "columns", P3),
    ("smile_zh.jsonl", "columns", SMILE),
    ("judge/answer_gpt35.jsonl", "columns", JUDGE),
    ("judge/answer_llama-13b.jsonl", "columns", JUDGE),
    ("judge/answer_vicuna-13b.jsonl", "columns", JUDGE),
    ("eval/gsm8k/test.jsonl", "columns", PAIR),
    (
        "eval/human_eval/HumanEval.jsonl.gz",
        "columns",
        {"prompt": "prompt", "answer": "canonical_solution", "origin": "task_id"},
    ),
]
SHORT = {
    "sharegpt/dummy_conversation.json",
    "oasst/en_100_tree.jsonl",
    "self_instruct/seed_tasks.jsonl",
}
STEPS = [
    {"type": "roles"},
    {"type": "blank"},
    {"type": "language"},
    {"type": "pii"},
    {"type": "divide", "max_tokens": 4000, "encoding": "bytes"},
    {"type": "exact_dedup", "level": "first_user"},
    {"type": "split", "shares": {"train": 0.9, "test": 0.1}, "link": "first_user"},
]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name)
def test_recipe_resolves_to_its_golden(path, tmp_path):
    """A default that changes, changes what a recipe builds: it shows here first."""
    plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    absent = {}
    for source in plain["sources"]:
        if not (path.parent / source["path"]).exists():  # not shipped: the user names it
            (tmp_path / source["path"]).write_text("[]")
            absent[source["name"]] = str(tmp_path / source["path"])
    text = load_recipe(path, absent).yaml()
    assert text == (GOLDEN / f"{path.parent.name}.yaml").read_text(encoding="utf-8")


def test_the_mix_builds_the_rows_it_always_did(tmp_path):
    """Fingerprint and drops of the shipped sample; a change must be meant, and is a new golden."""
    built = build(ROOT / "cards" / "sharegpt-mix", store=tmp_path, workers=1)
    assert_balanced(built.stored)
    found = {
        "fingerprint": built.stored.manifest["fingerprint"],
        "read": built.read,
        "kept": built.kept,
        "dropped": built.dropped,
    }
    assert found == json.loads((GOLDEN / "sharegpt-mix.json").read_text())


@pytest.mark.parametrize(
    ("file", "reader", "options"),
    [
        pytest.param(*case, id=case[0], marks=[] if case[0] in SHORT else [pytest.mark.full])
        for case in REAL
    ],
)
def test_real_files_build_and_balance(file, reader, options, tmp_path):
    """Every real file that a reader covers becomes a version whose ledger balances to the row."""
    path = DATA / file
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    source = {"name": "real", "reader": reader, "path": str(path), "options": options}
    recipe = parse_recipe({"name": "real", "sources": [source], "steps": STEPS}, tmp_path)
    built = build(recipe, store=tmp_path / "store", workers=1)
    assert_balanced(built.stored)
    assert built.read == records_in(path)
    assert built.kept > 0


def records_in(path: Path) -> int:
    """How many records the raw file holds, counted without our readers."""
    import gzip  # noqa: PLC0415

    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    text = raw.decode("utf-8")
    return len(json.loads(text)) if text.startswith("[") else len(text.strip().split("\n"))


def test_the_sample_is_what_the_script_makes(tmp_path, monkeypatch):
    """The shipped sample can be made again from the licensed text, byte for byte."""
    from tests import make_sample  # noqa: PLC0415

    if not make_sample.SHARED.is_dir():
        pytest.skip(f"{make_sample.SHARED} is not there")
    shipped = make_sample.SAMPLE
    monkeypatch.setattr(make_sample, "SAMPLE", tmp_path)
    make_sample.main()
    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.json*")}
    assert made == {
        path.relative_to(shipped): path.read_bytes() for path in shipped.rglob("*.json*")
    }


def test_golden_recipes_are_recipes():
    assert yaml.safe_load((GOLDEN / "alpaca.yaml").read_text())["name"] == "alpaca"
