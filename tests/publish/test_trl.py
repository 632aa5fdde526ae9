"""TRL itself loads each form as its snippet says, and trains on the assistant's words exactly."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from imitation_data.inputs import own_rows
from imitation_data.publish.export import export
from imitation_data.publish.forms import FORMS, how_to_load
from imitation_data.readers import SourceFile

PYTHON = Path(os.environ.get("TRL_PYTHON") or Path(sys.prefix) / "readers" / "trl" / "bin/python")
HOW = (
    f"{PYTHON} is not there. TRL has an environment of its own: make it with `python3 -m venv "
    f"{PYTHON.parents[1]}`, `{PYTHON} -m pip install torch==2.13.0` and `{PYTHON} -m pip install "
    "trl==1.16.0`, or name one in TRL_PYTHON"
)
END = "<|im_end|>"


@pytest.mark.full
def test_trl_trains_on_the_rows_as_they_are(stored, tmp_path):
    """Out of each form, SFTTrainer prepares the same tokens, and loss on nothing but answers."""
    assert PYTHON.exists(), HOW
    snippets = {}
    for name, form in FORMS.items():
        files = export(stored, form, tmp_path / name, ["train"], file_bytes=10_000)
        how = how_to_load(form, str(tmp_path / name), "train", len(files))
        snippets[name] = how["TRL"]
    (tmp_path / "snippets.json").write_text(json.dumps(snippets))
    script = Path(__file__).with_name("trl_run.py")
    done = subprocess.run(
        [PYTHON, script, tmp_path / "snippets.json", tmp_path / "found.json"],
        env={**os.environ, "HF_HOME": str(tmp_path / "hf"), "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "found.json").read_text())
    expected = sorted((whole(row), answers(row)) for row in rows_of_split(stored, "train"))
    for name in FORMS:
        assert sorted((one["all"], one["loss"]) for one in found[name]) == expected, name


def rows_of_split(stored, split):
    for path in stored.data_files()[split]:
        yield from (row.messages for _, row in own_rows(SourceFile(path, path.name)))


def whole(messages):
    return "".join(f"<|im_start|>{role}\n{text}{END}\n" for role, text in messages)


def answers(messages):
    return "".join(text + END for role, text in messages if role == "assistant")
