"""The README's first command, on a fresh clone, with nothing set up."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.full
def test_make_demo_sets_up_and_builds_without_torch(tmp_path):
    """It needs Python, the package registry and nothing else."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    command = ["make", "demo"]
    done = subprocess.run(
        command, cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "sharegpt-mix@1.0.0 written: 296 read" in done.stdout
    assert "splits: " in done.stdout
    freeze = [clone / ".venv" / "bin" / "python", "-m", "pip", "list", "--format=freeze"]
    installed = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout
    names = {line.partition("==")[0] for line in installed.splitlines()}
    assert "datasets" in names
    assert not names & {"torch", "transformers", "hypothesis"}
    again = subprocess.run(
        command, cwd=clone, env=environment, capture_output=True, text=True, check=True
    )
    assert "stands, nothing changed" in again.stdout
