"""The Batch API: the same rows at half the price, whatever fails or dies on the way."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from sqlite3 import connect

import pytest

from imitation_data.errors import TeacherError
from imitation_data.generate.budget import Ceiling, Price
from imitation_data.generate.journal import Journal
from imitation_data.generation import Orders, estimate, generate
from imitation_data.recipe import load_recipe
from imitation_data.versions.store import Store
from tests.generate.conftest import ROOT
from tests.servers.teacher import Faults, Teacher, TeacherSettings

MANY = Ceiling(requests=100_000)
PRICED = {"input": 1.0, "output": 4.0}
SCRIPT = """
import sys
from pathlib import Path
from imitation_data.generate.budget import Ceiling
from imitation_data.generation import Orders, generate
from imitation_data.recipe import load_recipe
from imitation_data.versions.store import Store
recipe = load_recipe(sys.argv[1], endpoint=sys.argv[2])
ceiling = Ceiling(requests=10**6)
orders = Orders(ceiling=ceiling, limit=int(sys.argv[4]), batch=True)
generate(recipe, Store(Path(sys.argv[3])), orders)
"""


def candidates(folder):
    (path,) = folder.rglob("candidates.jsonl")
    return path.read_bytes()


def priced(recipe):
    """The recipe with a price, so that there is a cost."""
    teacher = recipe.sources[0].settings.teacher
    object.__setattr__(teacher, "price", Price(**PRICED))
    return recipe


@pytest.mark.parametrize("name", ["nq-synthetic", "self-instruct"])
def test_a_batch_makes_the_same_rows_at_half_the_price(name, card, tmp_path):
    """Also where requests expire, fail or change their order; a live run goes on from there."""
    limit = 60 if name == "nq-synthetic" else 12
    faults = Faults(truncated=0.03, refused=0.03, filtered=0.02, wrong_model=0.02)
    settings = TeacherSettings(batch_expires=0.1, batch_fail=0.1, batch_cuts=1)
    with Teacher(1, faults) as teacher:
        recipe = priced(card(name, teacher.url))
        live = generate(recipe, Store(tmp_path / "live"), Orders(ceiling=MANY, limit=limit))[name]
    with Teacher(1, faults, settings=settings) as teacher:
        recipe = priced(card(name, teacher.url))
        told: list[str] = []
        orders = Orders(ceiling=MANY, limit=limit, batch=True, say=told.append)
        found = generate(recipe, Store(tmp_path / "batch"), orders)[name]
        stats = teacher.stats(bodies=False)
        assert stats["charged"] == stats["batch_charged"] == found["requests"] == found["batched"]
        more = generate(recipe, Store(tmp_path / "batch"), Orders(ceiling=MANY, limit=limit + 20))
        assert more[name]["requests"] > more[name]["batched"] == found["batched"]
        assert teacher.stats(bodies=False)["charged"] == more[name]["requests"]
    assert any("handed in" in words for words in told)
    assert found["usd"] == pytest.approx(live["usd"] / 2)
    batch = [path.read_bytes() for path in (tmp_path / "batch").rglob("candidates.jsonl")]
    assert _without_keys(candidates(tmp_path / "live")) in map(_without_keys, batch)


def _without_keys(content):
    """Candidates without what follows from the endpoint's port: keys of requests and rejects."""
    return re.sub(rb'"[0-9a-f]{16}(?:[0-9a-f]{16})?"', b'""', content)


@pytest.mark.parametrize(
    "kills", [4, pytest.param(25, marks=pytest.mark.full)], ids=["short", "whole"]
)
def test_killed_runs_find_their_batches(kills, tmp_path):
    """SIGKILL at any moment: nothing is paid for twice, and the rows are the same."""
    card, draw = str(ROOT / "cards" / "nq-synthetic"), random.Random(kills)
    rows = "400" if kills == 4 else "6000"
    settings = TeacherSettings(batch_seconds=0.4, batch_fail=0.1, batch_cuts=2)
    with Teacher(5, Faults(truncated=0.02), settings=settings) as teacher:
        command = [sys.executable, "-c", SCRIPT, card, teacher.url, str(tmp_path / "k"), rows]
        for _ in range(kills):
            child = subprocess.Popen(command, cwd=ROOT)
            known = len(teacher.store.files)
            began = time.monotonic()
            while len(teacher.store.files) == known and child.poll() is None:
                if time.monotonic() - began > 20:
                    break
                time.sleep(0.001)
            time.sleep(draw.choice([0, 0.002, 0.01, 0.05, 0.3, 0.6]))
            child.send_signal(signal.SIGKILL)
            child.wait()
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
        charged = teacher.stats(bodies=False)["batch_charged"]
        recipe = load_recipe(card, endpoint=teacher.url)
        whole = generate(recipe, Store(tmp_path / "once"), Orders(ceiling=MANY, limit=int(rows)))
    with Journal(tmp_path / "k" / "journal.sqlite") as journal:
        assert len(journal) == charged
    assert whole["nq-synthetic"]["complete"]
    assert candidates(tmp_path / "k") == candidates(tmp_path / "once")


@pytest.mark.parametrize("tokens", [15_000, 60_000])
def test_a_ceiling_holds_for_batches(tokens, card, tmp_path):
    """What the teacher counts stays below; a run hands in one batch, the next what it left."""
    told: list[str] = []
    used = [0]
    with Teacher(4, settings=TeacherSettings(batch_seconds=0.02)) as teacher:
        recipe = card("nq-synthetic", teacher.url)
        orders = Orders(ceiling=Ceiling(tokens=tokens), batch=True, say=told.append)
        while len(used) == 1 or used[-1] > used[-2]:
            batches = len(teacher.store.batches)
            found = generate(recipe, Store(tmp_path), orders)
            stats = teacher.stats(bodies=False)
            used.append(stats["input_tokens"] + stats["output_tokens"])
            if tokens == 15_000:
                assert len(teacher.store.batches) <= batches + 1
    assert tokens * 0.9 < used[-1] <= tokens or tokens - used[-1] < 2500
    assert any("leaves room for" in words for words in told)
    assert not found["nq-synthetic"]["complete"]


def test_an_account_that_takes_small_batches(card, tmp_path):
    """Too many requests waiting: the batch is made smaller until it is taken."""
    settings = TeacherSettings(batch_requests=9, batch_seconds=0.05)
    with Teacher(4, settings=settings) as teacher:
        orders = Orders(ceiling=MANY, limit=200, batch=True)
        found = generate(card("nq-synthetic", teacher.url), Store(tmp_path), orders)
        assert found["nq-synthetic"]["complete"]
        assert teacher.stats(bodies=False)["charged"] == found["nq-synthetic"]["requests"]


def test_a_live_run_pays_for_nothing_that_is_under_way(card, tmp_path):
    """Ctrl-C leaves the batch; a live run is refused until it has ended, then takes it along."""
    settings = TeacherSettings(batch_seconds=3)
    with Teacher(4, settings=settings) as teacher:
        recipe = card("nq-synthetic", teacher.url)
        threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            generate(recipe, Store(tmp_path), Orders(ceiling=MANY, limit=40, batch=True))
        with pytest.raises(TeacherError, match="--batch"):
            generate(recipe, Store(tmp_path), Orders(ceiling=MANY, limit=40))
        while not all(one["status"] == "completed" for one in teacher.store.batches.values()):
            time.sleep(0.05)
        found = generate(recipe, Store(tmp_path), Orders(ceiling=MANY, limit=40))["nq-synthetic"]
        assert found["complete"]
        assert found["batched"] == teacher.stats(bodies=False)["batch_charged"] > 0
        assert teacher.stats(bodies=False)["charged"] == found["requests"]


def test_a_cancelled_batch_ends_the_run(card, tmp_path):
    """What it has answered is kept; the next run sends the rest."""
    settings = TeacherSettings(batch_seconds=2)
    with Teacher(4, settings=settings) as teacher:
        recipe = card("nq-synthetic", teacher.url)

        def cancel():
            while not teacher.store.batches:
                time.sleep(0.01)
            time.sleep(0.3)
            (batch,) = teacher.store.batches.values()
            batch["status"] = "cancelling"

        threading.Thread(target=cancel).start()
        orders = Orders(ceiling=MANY, limit=800, batch=True)
        with pytest.raises(TeacherError, match="was cancelled"):
            generate(recipe, Store(tmp_path), orders)
        settings.batch_seconds = 0.1
        found = generate(recipe, Store(tmp_path), orders)["nq-synthetic"]
        assert found["complete"]
        assert teacher.stats(bodies=False)["charged"] == found["requests"]


def test_an_endpoint_without_batches(card, tmp_path):
    """The run says so, nothing counts as spent, and a live run goes on."""
    with Teacher(4, settings=TeacherSettings(batches=False)) as teacher:
        recipe = card("nq-synthetic", teacher.url)
        with pytest.raises(TeacherError, match="Batch API"):
            generate(recipe, Store(tmp_path), Orders(ceiling=MANY, limit=30, batch=True))
        with Journal(tmp_path / "journal.sqlite") as journal:
            assert journal.spent("nq-synthetic").requests == 0
        assert generate(recipe, Store(tmp_path), Orders(ceiling=MANY, limit=30))


def test_a_batch_that_is_gone_can_be_given_up(card, tmp_path):
    """The run names the way out; what was in the batch counts as paid, and is sent again."""
    with Teacher(4, settings=TeacherSettings(batch_seconds=60)) as teacher:
        recipe = card("nq-synthetic", teacher.url)
        orders = Orders(ceiling=MANY, limit=30, batch=True)
        threading.Timer(1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            generate(recipe, Store(tmp_path), orders)
        ((name, batch),) = teacher.store.batches.items()
        count = teacher.store.contents[batch["input_file_id"]].count(b"\n")
        teacher.store.batches.clear()
        with pytest.raises(TeacherError, match=f"journal forget .* {name}"):
            generate(recipe, Store(tmp_path), orders)
        words = [sys.executable, "-m", "imitation_data", "journal", "forget"]
        words += [str(tmp_path / "journal.sqlite")]
        wrong = subprocess.run([*words, "other"], capture_output=True, text=True, check=False)
        assert wrong.returncode == 1
        assert name in wrong.stderr
        subprocess.run([*words, name], capture_output=True, check=True)
        teacher.settings.batch_seconds = 0.1
        assert generate(recipe, Store(tmp_path), orders)["nq-synthetic"]["complete"]
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert journal.spent("nq-synthetic").lost == count > 0


def test_a_batch_is_estimated_at_half(card, tmp_path):
    recipe = priced(card("nq-synthetic", "http://127.0.0.1:9/v1"))
    object.__setattr__(recipe.sources[0].settings.teacher, "encoding", "bytes")
    live, batch = (estimate(recipe, Store(tmp_path), Orders(batch=one))[0] for one in (False, True))
    assert batch.usd == pytest.approx(live.usd / 2)
    assert batch.usd_most == pytest.approx(live.usd_most / 2)


def test_a_journal_of_the_first_format_is_taken_over(card, tmp_path):
    """Its answers are still there, and nothing is sent again."""
    path = tmp_path / "journal.sqlite"
    with Teacher(4) as teacher:
        recipe = card("nq-synthetic", teacher.url)
        generate(recipe, Store(tmp_path), Orders(ceiling=MANY, limit=30))
        charged = teacher.stats(bodies=False)["charged"]
        with closing(connect(path)) as old:
            old.executescript(
                "ALTER TABLE answers DROP COLUMN batch; DROP TABLE batches; DROP TABLE batched;"
                "PRAGMA user_version=1;"
            )
        generate(recipe, Store(tmp_path / "again"), Orders(path, limit=30))
        assert teacher.stats(bodies=False)["charged"] == charged
