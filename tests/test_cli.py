"""The command line: what users type, what they get, and the exit codes they can rely on."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from tests.conftest import sharegpt

TALKS = {f"talk-{n}": [f"What is the number {n}?", f"It is {n}."] for n in range(20)}
HOSTILE = "\x1b[31mred\x07 \u202eesrever [bold]markup[/bold] <script>alert(1)</script>"


def run(*words: object, code: int = 0) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "imitation_data", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    texts = {**TALKS, "hostile": [HOSTILE, HOSTILE], "again": TALKS["talk-3"]}
    (folder / "one.json").write_text(sharegpt(texts))
    recipe = (
        "name: trial\nsources:\n- {name: one, reader: sharegpt, path: one.json, license: CC0-1.0}\n"
        "steps:\n- type: exact_dedup\n- {type: split, shares: {train: 0.5, test: 0.5}}\n"
    )
    (folder / "recipe.yaml").write_text(recipe)
    run("build", folder, "--store", folder / "store", "--workers", 1)
    return folder / "store"


def test_build_prints_one_json_object(store):
    """`--json` is one object on standard output, progress or not."""
    answer = json.loads(run("build", store.parent, "--store", store, "--json").stdout)
    assert (answer["read"], answer["kept"]) == (22, 21)
    assert answer["dropped"] == {"duplicate_conversation": 1}
    assert answer["new"] is False


def test_progress_is_plain_lines_when_nobody_watches(store, tmp_path):
    done = run("build", store.parent, "--store", tmp_path, "--workers", 1)
    assert "read: 22 rows\n" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout
    assert "trial@1.0.0 written: 22 read = 21 kept + 1 dropped" in done.stdout
    assert run("build", store.parent, "--store", tmp_path, "--quiet").stderr == ""


def test_progress_is_bars_on_a_terminal(store, tmp_path):
    """One bar a stage, drawn on the terminal behind standard error; standard output stays plain."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "imitation_data", "build", str(store.parent), "--workers", "1"]
    process = subprocess.Popen(
        [*command, "--store", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how Linux says that the other end is closed
        pass
    out, _ = process.communicate()
    os.close(ours)
    assert process.returncode == 0
    text = shown.decode()
    assert "\x1b[" in text
    for label in ("read", "exact_dedup", "split", "check"):
        assert label in text
    assert "1/1" in text
    assert "read: 22 rows" not in text
    assert b"\x1b" not in out
    assert b"trial@1.0.0 written" in out


def test_show_and_its_json(store):
    text = run("show", "trial", "--store", store).stdout
    assert "drop duplicate_conversation: 1" in text
    plain = json.loads(run("show", "trial@1.0.0", "--store", store, "--json").stdout)
    assert (plain["read"], plain["kept"], plain["dropped"]) == (
        22,
        21,
        {"duplicate_conversation": 1},
    )
    assert plain["splits"]["train"] + plain["splits"]["test"] == 21


def test_sample_is_seeded_and_escaped(store):
    """Equal seeds draw equal rows; nothing a chat holds reaches the terminal raw."""
    words = ("sample", "trial", "--store", store)
    assert run(*words, "--seed", 1).stdout == run(*words, "--seed", 1).stdout
    everything = run(*words, "-n", 100).stdout
    assert everything.count("── ") == 21
    assert "[bold]markup[/bold]" in everything
    assert not set(everything) & set("\x1b\x07\u202e")
    rows = json.loads(run(*words, "-n", 100, "--json").stdout)["rows"]
    assert HOSTILE in {message["content"] for one in rows for message in one["messages"]}


def test_explain_by_id(store):
    """The ids that `sample` prints, in a process of its own."""
    row = json.loads(run("sample", "trial", "--store", store, "--json", "-n", 1).stdout)["rows"][0]
    assert row["origin"] in run("explain", row["id"], "--store", store).stdout
    by_record = run("explain", f"one/{row['origin']}", "--store", store).stdout
    assert row["id"] in by_record


def test_explain(store):
    text = run("explain", "one/again:0", "--store", store).stdout
    texts = text + run("explain", "talk-3", "--store", store, "--in", "trial").stdout
    assert "dropped: duplicate_conversation" in texts
    assert "lost to one/" in texts
    assert "is in the version" in texts
    plain = json.loads(run("explain", "again", "--store", store, "--json").stdout)
    assert plain["records"][0]["origin"] == "again"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["show", "trail"], 1, "did you mean 'trial'?"),
        (["show", "trial@9.0.0"], 1, "has no version '9.0.0'; it has 1.0.0"),
        (["explain", "nothing"], 1, "no record or row 'nothing'"),
        (["sample", "nowhere.parquet"], 1, "nowhere.parquet: no such file or folder"),
        (["build", "nowhere"], 1, "no such file"),
        (["build", "nowhere", "--source", "one"], 2, "expected NAME=PATH"),
        (["bild"], 2, "No such command 'bild'"),
        (["sample", "trial", "-n", "0"], 2, "--count"),
    ],
)
def test_mistakes_have_exit_codes_and_sentences(store, words, code, message):
    done = run(
        *words, *([] if code == 2 else ["--store", store] * (words[0] != "check")), code=code
    )
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_a_dataset_is_found_before_a_folder_of_its_name(store, tmp_path):
    """A folder `trial/data` in the working folder does not hide the stored dataset."""
    (tmp_path / "trial" / "data").mkdir(parents=True)
    command = [sys.executable, "-m", "imitation_data", "sample", "trial", "--store", str(store)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "── " in done.stdout
    (tmp_path / "broken.parquet").write_text("no parquet")
    assert "not readable as Parquet" in run("sample", tmp_path / "broken.parquet", code=1).stderr


@pytest.mark.parametrize("redirect", ["/dev/full", "closed"])
@pytest.mark.parametrize("words", [("sample", "{broken}", "--json"), ("show", "trial")])
def test_an_output_that_cannot_be_written_is_no_traceback(store, tmp_path, words, redirect):
    (tmp_path / "broken.json").write_text('{"a": 1}')
    words = [word.format(broken=tmp_path / "broken.json") for word in words]
    command = [sys.executable, "-m", "imitation_data", *words, "--store", str(store)]
    reader, writer = os.pipe()
    os.close(reader)
    out = os.open(redirect, os.O_WRONLY) if redirect != "closed" else writer
    done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if words[0] == "show":
        assert ("standard output cannot be written" in done.stderr) == (redirect == "/dev/full")


@pytest.mark.parametrize(
    ("sent", "moment"),
    [*((signal.SIGINT, one) for one in (0.1, 0.17, 0.3, 0.9)), (signal.SIGTERM, 0.3)],
)
def test_a_build_told_to_end_while_it_starts(store, tmp_path, sent, moment):
    """Ctrl-C, also twice, as people do: 130, no traceback, and it ends."""
    command = [sys.executable, "-m", "imitation_data", "build", str(store.parent), "--workers", "4"]
    process = subprocess.Popen(
        [*command, "--store", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    time.sleep(moment)
    os.killpg(process.pid, sent)
    time.sleep(0.1)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + sent, errors
    assert "Traceback" not in errors


WHILE_A_CLASS_IS_MADE = """
import os, signal
from imitation_data.cli import app

class Told:
    def __set_name__(self, owner, name):
        os.kill(os.getpid(), signal.SIGINT)
        sum(range(9))

app.app = lambda: type("Made", (), {"field": Told()})
app.main()
"""


def test_an_interruption_that_comes_back_as_another_error():
    """Up to Python 3.11 a RuntimeError is made of it while a class is; it is still Ctrl-C."""
    command = [sys.executable, "-c", WHILE_A_CLASS_IS_MADE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "interrupted; run the same command again\n")


def test_check_lists_all_problems(tmp_path):
    (tmp_path / "recipe.yaml").write_text("name: x\nsources: []\nsteps:\n- type: blnak\n")
    done = run("check", tmp_path, code=1)
    assert "2 problems" in done.stderr
    assert "did you mean 'blank'?" in done.stderr
    plain = json.loads(run("check", tmp_path, "--json", code=1).stdout)
    assert len(plain["problems"]) == 2


def test_a_refused_check_exits_with_3(store, tmp_path):
    text = (
        (store.parent / "recipe.yaml")
        .read_text()
        .replace("one.json", str(store.parent / "one.json"))
    )
    (tmp_path / "recipe.yaml").write_text(text + "checks:\n- {type: min_rows, rows: 100}\n")
    done = run("build", tmp_path, "--store", tmp_path / "s", "--quiet", code=3)
    assert "expected at least 100" in done.stderr


def test_a_store_that_cannot_be_written(tmp_path, store):
    (tmp_path / "file").write_text("")
    done = run("build", store.parent, "--store", tmp_path / "file", code=1)
    assert "cannot be written" in done.stderr


def test_ctrl_c_says_how_to_go_on(tmp_path):
    """Interrupted builds exit with 130, print no traceback, and resume."""
    (tmp_path / "one.json").write_text(
        sharegpt({f"t{n}": [f"q {n}", "a " * 500] for n in range(30_000)})
    )
    (tmp_path / "recipe.yaml").write_text(
        "name: trial\nsources:\n- {name: one, reader: sharegpt, path: one.json}\n"
        "steps:\n- type: pii\n"
    )
    words = ["build", str(tmp_path), "--store", str(tmp_path / "s"), "--workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "imitation_data", *words],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not list(tmp_path.glob("s/.build/trial/*/*.arrow")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert "run the same command again to resume" in errors
    assert "Traceback" not in errors
    assert json.loads(run(*words, "--json").stdout)["kept"] == 30_000
