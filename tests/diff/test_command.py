"""`imitation-data diff`: what is printed, as text, JSON and page."""

import json
import os
import subprocess
import sys

import polars as pl
import pytest
from selectolax.lexbor import LexborHTMLParser

from imitation_data import build
from imitation_data.conversation import SCHEMA
from tests.conftest import sharegpt
from tests.servers.hub import Hub
from tests.test_cli import run

TALKS = {f"t{n}": [f"What is {n}?", f"It is {n}, as we know it."] for n in range(12)}
HOSTILE = "\x1b[31mred\x07 \u202eesrever [bold] <script>alert(1)</script> </ins><img src=x>"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two versions of one dataset, of which the second has every kind of row but rekeyed ones."""
    folder = tmp_path_factory.mktemp("diff")
    texts = [{**TALKS, "mail": ["Write to jane@mail-shop.com", HOSTILE]}, dict(TALKS)]
    texts[1]["mail"] = ["Write to joe@mail-shop.com at once", f"{HOSTILE} again"]
    del texts[1]["t11"]
    texts[1]["new"] = [HOSTILE, HOSTILE]
    for number, talks in enumerate(texts):
        (folder / "one.json").write_text(sharegpt(talks))
        (folder / "recipe.yaml").write_text(
            "name: trial\nsources:\n"
            "- {name: one, reader: sharegpt, path: one.json, license: CC0-1.0}\n"
            f"seed: {number}\nsteps:\n- type: pii\n"
            "- {type: split, shares: {train: 0.5, test: 0.5}}\n"
        )
        build(folder, store=folder / "store", workers=1)
    return folder / "store"


@pytest.fixture(scope="module")
def plain(store):
    return json.loads(run("diff", "trial", "--store", store, "--json").stdout)


def test_one_name_is_compared_with_what_was_before(store):
    """The latest version against the release before it, with counts, causes, rows and words."""
    text = run("diff", "trial", "--store", store).stdout
    assert text.startswith("trial@1.0.0 → trial@2.0.0: 13 → 13 rows\nmajor: ")
    assert "1 row removed: the record is no longer in one (files: 1 changed)" in text
    assert "split: seed 0 → 1" in text
    assert "[-It is 11, as we know it.-]" in text
    assert "Write to [EMAIL]{+ at once+}" in text
    assert not set(text) & set("\x1b\x07\u202e")


def test_json_is_one_object_that_adds_up(plain):
    """Rows of the old version are kept or dropped; causes add up; texts are as they are."""
    assert plain["read"] == plain["kept"] + sum(plain["dropped"].values()) == 13
    assert plain["bump"] == "major"
    for kind, count in plain["counts"].items():
        assert count == sum(one["rows"] for one in plain["causes"] if one["kind"] == kind)
        assert count == sum(counts[kind] for counts in plain["by_source"].values())
    (changed,) = (row for row in plain["shown"] if row["kind"] == "changed")
    assert changed["new"]["messages"][1]["content"] == f"{HOSTILE} again"
    assert changed["old"]["messages"][1]["content"] == HOSTILE


def test_kinds_and_sources_choose_what_is_shown(store, plain):
    """Rows and causes of some kinds, rows of a source; counts of kinds stay."""
    words = ("--kind", "added", "--show", 1, "--source", "one")
    only = json.loads(run("diff", "trial", "--store", store, "--json", *words).stdout)
    assert [row["kind"] for row in only["shown"]] == ["added"]
    assert {cause["kind"] for cause in only["causes"]} == {"added"}
    assert only["counts"] == plain["counts"]


def test_the_page_is_safe_and_marks_words(store, tmp_path):
    """Nothing of a text becomes markup; what came and went stands in <ins> and <del>."""
    page = tmp_path / "diff.html"
    assert f"look at: {page}" in run("diff", "trial", "--store", store, "--html", page).stdout
    text = page.read_text(encoding="utf-8")
    tree = LexborHTMLParser(text)
    assert not tree.css("script, img, iframe, object")
    assert not set(text) & set("\x1b\x07\u202e")
    assert " at once" in {node.text() for node in tree.css("ins")}
    assert "It is 11, as we know it." in {node.text() for node in tree.css("del")}
    assert tree.css_first("title").text() == "trial@1.0.0 → trial@2.0.0"


def test_colours_are_for_terminals_alone(store):
    """On a terminal what came is green; a pipe gets no escape."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "imitation_data", "diff", "trial", "--store", str(store)]
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(command, stdout=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    assert b"\x1b[32m{+ at once+}\x1b[0m" in shown
    assert b"\x1b[31mred" not in shown


def test_files_of_any_form(tmp_path):
    """Two files of another form are matched by their records' own keys."""
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_text(sharegpt({"a": ["x", "y"], "b": ["x", "z"]}))
    two.write_text(sharegpt({"b": ["x", "z!"], "c": ["u", "v"], "a": ["x", "y"]}))
    plain = json.loads(run("diff", one, two, "--json").stdout)
    assert {kind: count for kind, count in plain["counts"].items() if kind != "annotated"} == {
        "added": 1,
        "removed": 0,
        "changed": 1,
        "moved": 0,
        "rekeyed": 0,
    }
    assert plain["causes"] is None
    assert list(plain["by_source"]) == [""]


def test_rows_that_another_tool_wrote(store, tmp_path):
    """Columns that it left out are blank; ids follow from the messages, whatever it says."""
    files = sorted((store / "trial" / "v1.0.0" / "data").glob("*.parquet"))
    for file in files:
        frame = pl.read_parquet(file).drop("id", "tokens", "meta")
        frame.write_parquet(tmp_path / file.name)
    plain = json.loads(run("diff", "trial@1.0.0", tmp_path, "--store", store, "--json").stdout)
    assert (plain["counts"]["annotated"], plain["bump"]) == (13, "none")
    assert sum(plain["counts"].values()) == 13
    assert plain["shown"][0]["columns"] == ["meta"]
    assert "meta" in SCHEMA.names


def test_a_version_on_the_hub(store, plain, tmp_path, monkeypatch):
    """A published version is compared as the stored one is, causes included."""
    folder = store / "trial" / "v2.0.0"
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    with Hub(tmp_path / "hub") as hub:
        hub.push("demo/trial", files)
        hub.tag("demo/trial", "v2.0.0")
        for name, value in hub.environment(tmp_path / "hf").items():
            monkeypatch.setenv(name, value)
        words = ("diff", "trial@1.0.0", "demo/trial@v2.0.0", "--store", store, "--json")
        there = json.loads(run(*words).stdout)
    assert there == plain
    assert not there["left_out"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["trail"], 1, "did you mean 'trial'?"),
        (["trial@1.0.0"], 1, "trial@1.0.0: there is no release before it"),
        (["trial", "nowhere.parquet"], 1, "nowhere.parquet: no such file or folder"),
        (["trial", "--kind", "add"], 2, "expected one of added, removed"),
        (["trial", "--source", "on"], 1, "did you mean 'one'?"),
        (["tests"], 2, "is one side; name the other, too"),
        (["trial", "--html", "/proc/x.html"], 1, "cannot be written"),
    ],
)
def test_mistakes_have_exit_codes_and_sentences(store, words, code, message):
    """What was found and what to do, and the exit code that scripts rely on."""
    done = run("diff", *words, "--store", store, code=code)
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_equal_sides_say_so(store):
    """A version against itself shows no row."""
    text = run("diff", "trial@1.0.0", "trial@1.0.0", "--store", store).stdout
    assert "none: the rows of trial@1.0.0, with the same content and splits" in text
    assert "──" not in text
