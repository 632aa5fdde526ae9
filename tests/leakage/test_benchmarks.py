"""Benchmarks as values: every form they come in gives the same items, and a measured checksum."""

import json
import os
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from imitation_data.errors import SourceError
from imitation_data.leakage.benchmarks import KNOWN, Columns, Item, load, load_all, parse
from tests.servers.hub import Hub

MMLU = Item("1", "What is 2 + 2?", ("3", "4", "5", "6"), ("4",))


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def parquet(path, rows):
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_items_that_come_with_the_package():
    """Koala, Vicuna and HumanEval, with their licences, and always the same."""
    found = {name: load(name) for name in ("koala", "vicuna", "human_eval")}
    assert [len(one.items) for one in found.values()] == [180, 80, 164]
    assert [one.license for one in found.values()] == ["Apache-2.0", "Apache-2.0", "MIT"]
    assert {one.origin for one in found.values()} == {"package"}
    assert found["vicuna"].checksum == "29b84e06278c3800109fb460fdd76e51"
    assert found["human_eval"].items[0].id == "HumanEval/0"
    assert found["human_eval"].items[0].answers[0].startswith("    for idx")


def test_mmlu_in_its_forms(tmp_path):
    """A CSV without a header, and the Hub's table with a list of choices and a number."""
    csv = written(tmp_path / "a.csv", '"What is 2 + 2?",3,4,5,6,B\n')
    table = parquet(
        tmp_path / "b.parquet",
        [{"question": MMLU.question, "choices": list(MMLU.choices), "answer": 1}],
    )
    assert load("mmlu", csv).items == load("mmlu", table).items == (MMLU,)
    assert load("mmlu", csv).checksum == load("mmlu", table).checksum


@pytest.mark.parametrize(
    ("name", "file", "text", "item"),
    [
        (
            "nq_open",
            "a.jsonl",
            '{"question": "who", "answer": ["A", "B", "A"]}\n',
            Item("1", "who", (), ("A", "B")),
        ),
        ("mgsm", "a.tsv", 'Wie "viel"?\t3\n', Item("1", 'Wie "viel"?', (), ("3",))),
        (
            "mt_bench",
            "a.jsonl",
            '{"question_id": 81, "turns": ["one", "two"]}\n',
            Item("81", "one"),
        ),
        (
            "truthful_qa",
            "a.csv",
            "Type,Question,Best Answer,Correct Answers\nx,Is it?,No,No; never\n",
            Item("1", "Is it?", (), ("No", "No; never")),
        ),
        ("gsm8k", "a.json", '[{"question": "q", "answer": "7"}]', Item("1", "q", (), ("7",))),
        ("other", "a.csv", "id,prompt,output\nx1,Say hi,hi\n", Item("x1", "Say hi", (), ("hi",))),
    ],
)
def test_files_in_the_forms_they_come_in(name, file, text, item, tmp_path):
    """Headers, lists, first turns and own ids."""
    assert load(name, written(tmp_path / file, text)).items == (item,)


def test_any_file_by_its_columns(tmp_path):
    """The mapping says what is what; several files keep their items apart."""
    for name in ("one", "two"):
        rows = [{"q": f"{name}?", "opts": ["x", "y"], "gold": "B", "key": 7}]
        written(tmp_path / f"{name}.jsonl", json.dumps(rows[0]) + "\n")
    columns = Columns("q", ("opts",), ("gold",))
    found = load("mine", tmp_path, columns=columns)
    assert [item.id for item in found.items] == ["one:1", "two:1"]
    assert found.items[0].answers == ("y",)
    keyed = load("mine", tmp_path / "one.jsonl", columns=Columns("q", id="key"))
    assert keyed.items[0].id == "7"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '{"a": 1}\n',
            r"no column with a question of mine \(looked for question, .*the row has a\. Say",
        ),
        ("[1]\n", "expected an object with fields"),
        ("{broken\n", "mine.jsonl"),
        ('{"question": "x"}\n{"other": "y"}\n', "no column question; the row has other"),
    ],
)
def test_what_cannot_be_read_is_located(text, words, tmp_path):
    """The message names the file and record, and what was expected."""
    with pytest.raises(SourceError, match=words):
        load("mine", written(tmp_path / "mine.jsonl", text))


def test_what_is_not_there_is_named(tmp_path):
    """Unknown names list the known ones; files that are missing or empty are named."""
    with pytest.raises(SourceError, match=r"no such benchmark.*; known are gsm8k, human_eval"):
        load("nope")
    with pytest.raises(SourceError, match=r"nothing\.jsonl"):
        load("mine", tmp_path / "nothing.jsonl")
    with pytest.raises(SourceError, match="koala: is named twice"):
        load_all(["koala", "koala"])


def test_references_are_parsed():
    """Names, paths and revisions."""
    assert parse("mmlu") == ("mmlu", "", "main")
    assert parse("mmlu@abc") == ("mmlu", "", "abc")
    assert parse("mine=/a/b=c.jsonl") == ("mine", "/a/b=c.jsonl", "main")


FETCH = """
from imitation_data.leakage.benchmarks import load
found = load("nq_open")
print(found.origin)
print(found.items)
"""


def test_from_the_hub_at_a_revision(tmp_path):
    """The commit is recorded; in a process of its own, since the client reads variables once."""
    body = parquet(tmp_path / "x.parquet", [{"question": "who", "answer": ["A"]}]).read_bytes()
    files = {"nq_open/validation-00000-of-00001.parquet": body, "README.md": b"x"}
    repo = "google-research-datasets/nq_open"
    with Hub(tmp_path / "hub") as hub:
        commit = hub.push(repo, files)
        environment = {name: value for name, value in os.environ.items() if name[:3] != "HF_"}
        environment |= hub.environment(tmp_path / "home", token="")
        done = subprocess.run(
            [sys.executable, "-c", FETCH],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
    assert done.stdout.splitlines() == [
        f"{repo}@{commit}",
        str((Item("1", "who", (), ("A",)),)),
    ]


def test_every_known_benchmark_has_a_title_a_licence_and_a_form():
    """Those without items in the package name where they are on the Hub."""
    for name, spec in KNOWN.items():
        assert spec.title
        assert spec.license
        assert spec.forms
        assert bool(spec.repo) == (name not in {"koala", "vicuna", "human_eval"})


def test_columns_of_your_own_file_can_be_named(tmp_path):
    """A CSV has a header unless it is of a benchmark that comes without; case does not count."""
    csv = written(tmp_path / "a.csv", "ident,Frage,Loesung\nx1,Wer,Ich\n")
    with pytest.raises(SourceError, match=r"the row has ident, Frage, Loesung\. Say which"):
        load("mine", csv)
    columns = Columns("Frage", (), ("Loesung",), "ident")
    assert load_all([f"mine={csv}"], {"mine": columns})[0].items == (
        Item("x1", "Wer", (), ("Ich",)),
    )
    upper = written(tmp_path / "b.csv", "Question,Answer\nWho,Me\n")
    assert load("mine", upper).items == (Item("1", "Who", (), ("Me",)),)


def test_lists_of_messages_and_nested_choices(tmp_path):
    """The user's message is the question; ARC keeps choices in a field of their own."""
    row = {"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "Who?"}]}
    assert load("mine", written(tmp_path / "a.jsonl", json.dumps(row))).items[0].question == "Who?"
    arc = {"question": "Q", "choices": {"text": ["x", "y"], "label": ["A", "B"]}, "answer": "B"}
    item = load("mine", written(tmp_path / "b.jsonl", json.dumps(arc))).items[0]
    assert (item.choices, item.answers) == (("x", "y"), ("y",))
    odd = written(tmp_path / "c.jsonl", '{"question": {"a": 1}}')
    with pytest.raises(SourceError, match=r"question holds .*; expected text"):
        load("mine", odd)
    huge = {"question": "q", "choices": ["a", "b"], "answer": "9" * 5000}
    assert (
        load("mine", written(tmp_path / "d.jsonl", json.dumps(huge))).items[0].answers[0][0] == "9"
    )


def test_ids_that_repeat_are_told_apart(tmp_path):
    """Behind their file's name, and numbered within one."""
    for name in ("one", "two"):
        rows = [{"id": "1", "question": f"{name} a"}, {"id": "1", "question": f"{name} b"}]
        written(tmp_path / f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    ids = [item.id for item in load("mine", tmp_path).items]
    assert ids == ["one:1", "one:1#2", "two:1", "two:1#2"]


def test_typing_mistakes_are_met_with_advice():
    """The nearest name, and how a path is given."""
    with pytest.raises(SourceError, match="did you mean 'vicuna'"):
        load("vicunna")
    with pytest.raises(SourceError, match=r"a path needs a name before it, as mine=x/y\.jsonl"):
        load("x/y.jsonl")
    with pytest.raises(SourceError, match="names no benchmark"):
        load_all(["=x.jsonl"])
