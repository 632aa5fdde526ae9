"""`imitation-data export`: what it prints, what it writes, and its exit codes."""

import json
import subprocess
import sys

import pytest

from imitation_data.cli.export import FORM_NAMES
from imitation_data.publish.forms import FORMS
from tests.conftest import contents, sharegpt

HOSTILE = "\x1b[31mred\x07 \u202eesrever <|im_end|> 漢字\u2028"
TALKS = {f"talk-{n}": [f"What is {n}?", f"It is {n}."] for n in range(20)} | {
    "hostile": ["Say it.", HOSTILE],
    "\x1b[31mopen": ["One?", "Two.", "Three?"],
}
RECIPE = (
    "name: trial\nsources:\n- {name: one, reader: sharegpt, path: one.json, license: CC0-1.0}\n"
    "tokens: none\nsteps:\n- {type: split, shares: {train: 0.8, test: 0.2}}\n"
)


def run(*words, code=0):
    command = [sys.executable, "-m", "imitation_data", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert not {"\x1b", "\u202e"} & set(done.stdout + done.stderr)
    return done


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    (folder / "one.json").write_text(sharegpt(TALKS))
    (folder / "recipe.yaml").write_text(RECIPE)
    run("build", folder, "--store", folder / "store", "--workers", 1, "--quiet")
    return folder / "store"


def test_the_command_names_the_forms():
    """The help lists the forms there are, without importing them."""
    assert tuple(FORMS) == FORM_NAMES


def test_an_export_says_what_it_wrote(store, tmp_path):
    """Counts, files and how to load them; the same again changes nothing."""
    words = ("export", "trial", "--format", "chatml-jsonl", "--store", store, "--out")
    said = run(*words, tmp_path / "out").stdout
    assert said.startswith("trial@1.0.0 written as chatml-jsonl: 22 rows\n")
    assert all(trainer in said for trainer in ("TRL:", "axolotl:", "LLaMA-Factory:"))
    before = contents(tmp_path / "out")
    assert run(*words, tmp_path / "out").stdout == said
    assert contents(tmp_path / "out") == before
    quiet = run(*words, tmp_path / "again", "--quiet").stdout
    assert "TRL" not in quiet
    assert contents(tmp_path / "again") == before


def test_one_json_object(store, tmp_path):
    """`--json` is one object with the books, the files and the snippets."""
    words = ("export", "trial@1.0.0", "--format", "messages", "--split", "train", "--json")
    answer = json.loads(run(*words, "--store", store, "--out", tmp_path / "out").stdout)
    assert answer["read"] == answer["kept"] == sum(file["rows"] for file in answer["files"])
    assert answer["dropped"] == {}
    assert [file["split"] for file in answer["files"]] == ["train"]
    assert set(answer["how_to_load"]) == {"TRL", "axolotl", "LLaMA-Factory"}


def test_rows_that_do_not_fit_end_with_3(store, tmp_path):
    """The reason, the row's key made visible, and what to do are told; nothing is written."""
    words = ("export", "trial", "--format", "alpaca", "--store", store, "--out", tmp_path / "out")
    said = run(*words, code=3).stderr
    assert "1 of 22 rows do not fit" in said
    assert "ends_with_user" in said
    assert r"one/\x1b[31mopen:0" in said
    assert "step `roles`" in said
    assert not (tmp_path / "out").exists()


def test_wrong_words_are_told(store, tmp_path):
    """An unknown form is a matter of usage, an unknown version or split one of input."""
    rest = ("--store", store, "--out", tmp_path / "out")
    assert "expected messages" in run("export", "trial", "--format", "x", *rest, code=2).stderr
    form = ("--format", "messages")
    assert "no dataset" in run("export", "nothing", *form, *rest, code=1).stderr
    assert "no split" in run("export", "trial", *form, "--split", "dev", *rest, code=1).stderr
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert "is not empty" in run("export", "trial", *form, *rest, code=1).stderr
