"""A build killed at any moment goes on where it was and ends in the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from imitation_data import build
from imitation_data.versions.store import Store
from tests.conftest import contents

ATTEMPTS = 20  # a stage of the small build lasts some milliseconds, and may end before the kill


def command(recipe: Path, store: Path) -> list[str]:
    words = ["build", str(recipe), "--store", str(store), "--workers", "2", "--quiet"]
    return [sys.executable, "-m", "imitation_data", *words]


def files_in(folder: Path) -> list[Path]:
    return [
        path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".part")
    ]


def kill_when(recipe: Path, store: Path, reached: Callable[[], bool]) -> None:
    """Start a build and kill it with its workers once it has got so far."""
    process = subprocess.Popen(command(recipe, store), start_new_session=True)
    while process.poll() is None and not reached():
        time.sleep(0.0005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def assert_ends_like(whole: Path, recipe: Path, store: Path) -> None:
    """Let the build end: the same version, and nothing half made beside it."""
    subprocess.run(command(recipe, store), check=True)
    version = Store(store).find("trial")
    assert contents(version.path) == contents(whole)
    assert [path.name for path in version.path.parent.iterdir()] == ["v1.0.0"]


def killed_at(recipe: Path, tmp_path: Path, fractions: list[float]) -> None:
    """Kill one build again and again, further along each time; then let it end."""
    whole = build(recipe, store=tmp_path / "whole", workers=1).stored
    total = len(files_in(tmp_path / "whole"))
    store = tmp_path / "killed"
    store.mkdir()
    for part in sorted(fractions):
        files = max(1, int(total * part))
        kill_when(recipe, store, lambda files=files: len(files_in(store)) >= files)
    assert_ends_like(whole.path, recipe, store)


def test_three_kills(recipe, tmp_path):
    killed_at(recipe, tmp_path, [0.2, 0.55, 0.85])


@pytest.mark.full
def test_twenty_kills(recipe, tmp_path):
    draw = random.Random(7)
    killed_at(recipe, tmp_path, [(n + draw.random()) / 20 for n in range(20)])


STAGES = ["read-00", "read-01", "01-rows", "05-exact_dedup", "06-rows", "08-split"]


def unfinished(store: Path, stage: str, tasks: int) -> bool:
    """Whether a stage has begun and is not at its end."""
    files = list((store / ".build" / "trial").glob(f"{stage}-*/*"))
    done = sum(path.suffix == ".done" for path in files)
    # The stage before leaves the narrow columns here.
    return any(not path.name.endswith(".narrow.npz") for path in files) and done < tasks


@pytest.mark.full
@pytest.mark.parametrize("stage", STAGES)
def test_a_kill_within_each_stage(recipe, tmp_path, stage):
    """Killed while some of the stage's files are there and others are not."""
    whole = build(recipe, store=tmp_path / "whole", workers=1).stored
    folder = tmp_path / "whole" / ".build" / "trial"
    tasks = len(list(folder.glob(f"{stage}-*/*.done")))
    assert tasks, f"the build has no stage {stage}: {[path.name for path in folder.iterdir()]}"
    for attempt in range(ATTEMPTS):
        store = tmp_path / f"killed-{attempt}"
        store.mkdir()
        kill_when(recipe, store, lambda store=store: unfinished(store, stage, tasks))
        if unfinished(store, stage, tasks):
            break
    else:
        pytest.fail(f"none of {ATTEMPTS} kills fell within {stage}")
    assert_ends_like(whole.path, recipe, store)


@pytest.mark.full
def test_a_kill_while_the_version_is_written(recipe, tmp_path):
    """Killed when the version's folder is there under a name that is not yet its own."""
    whole = build(recipe, store=tmp_path / "whole", workers=1).stored

    def writing() -> bool:
        folder = store / "trial"
        return folder.is_dir() and any(path.name != "v1.0.0" for path in folder.iterdir())

    for attempt in range(ATTEMPTS):
        store = tmp_path / f"killed-{attempt}"
        store.mkdir()
        kill_when(recipe, store, writing)
        if writing():
            break
    else:
        pytest.fail(f"none of {ATTEMPTS} kills fell into the writing")
    assert_ends_like(whole.path, recipe, store)
