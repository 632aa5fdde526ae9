"""Ceilings hold, by the teacher's own count; and what is spent survives kills."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest

from imitation_data import build
from imitation_data.errors import TeacherError
from imitation_data.generate.budget import OPENAI, Ceiling, Price, known_price
from imitation_data.generate.journal import Journal
from imitation_data.generation import Orders, generate
from imitation_data.recipe import load_recipe
from imitation_data.versions.store import Store
from tests.generate.conftest import FIFTH, ROOT
from tests.servers.teacher import Teacher, TeacherSettings

SCRIPT = """
import sys
from pathlib import Path
from imitation_data.generate.budget import Ceiling
from imitation_data.generation import Orders, generate
from imitation_data.recipe import load_recipe
from imitation_data.versions.store import Store
recipe = load_recipe(sys.argv[1], endpoint=sys.argv[2])
orders = Orders(ceiling=Ceiling(requests=10**6), limit=int(sys.argv[4]), say=print)
generate(recipe, Store(Path(sys.argv[3])), orders)
"""


@pytest.mark.parametrize("tokens", [20_000, 60_000])
def test_a_ceiling_is_never_passed_and_nearly_used(tokens, card, tmp_path):
    """At 256 requests at once with lost answers, between 95 and 100 % of a ceiling is charged."""
    settings = TeacherSettings(latency=0.01)
    with Teacher(3, FIFTH, settings=settings) as teacher:
        recipe = card("nq-synthetic", teacher.url)
        found = generate(recipe, Store(tmp_path), Orders(ceiling=Ceiling(tokens=tokens)))
        stats = teacher.stats(bodies=False)
    charged = stats["input_tokens"] + stats["output_tokens"]
    assert charged <= tokens
    assert not found["nq-synthetic"]["complete"]
    assert found["nq-synthetic"]["rows"] > 0


def test_a_stop_at_the_ceiling_goes_on_with_more(card, tmp_path):
    """What was bought is not bought again, and the end is as if there had been no stop."""
    with Teacher(3) as teacher:
        recipe = card("nq-synthetic", teacher.url)
        first = generate(recipe, Store(tmp_path), Orders(ceiling=Ceiling(requests=10), limit=120))
        assert first["nq-synthetic"]["requests"] == 10
        assert teacher.stats(bodies=False)["charged"] == 10
        told: list[str] = []
        part = build(recipe, store=tmp_path, workers=1, orders=Orders(limit=120, say=told.append))
        assert part.kept == first["nq-synthetic"]["rows"]
        assert part.stored.manifest["generation"]["nq-synthetic"]["complete"] is False
        assert "stopped at its ceiling" in told[0]
        whole = generate(recipe, Store(tmp_path), Orders(ceiling=Ceiling(requests=500), limit=120))
        asked = whole["nq-synthetic"]["requests"]
        assert whole["nq-synthetic"]["complete"]
        assert teacher.stats(bodies=False)["charged"] == asked


@pytest.mark.parametrize(
    "kills", [3, pytest.param(30, marks=pytest.mark.full)], ids=["short", "whole"]
)
def test_killed_runs_lose_nothing(kills, tmp_path):
    """SIGKILL at many moments: no answer on disk is asked again, and the rows are the same."""
    rows, requests = (1200, 200) if kills == 3 else (30_000, 5_000)
    with Teacher(5, FIFTH, settings=TeacherSettings(latency=0.02)) as teacher:
        card = tmp_path / "nq-synthetic"  # asking for more rows than the one that is shipped
        shutil.copytree(ROOT / "cards" / "nq-synthetic", card)
        text = (card / "recipe.yaml").read_text(encoding="utf-8")
        assert "{count: 6000}" in text
        (card / "recipe.yaml").write_text(text.replace("{count: 6000}", f"{{count: {rows}}}"))
        words = [str(card), teacher.url, str(tmp_path / "k"), str(rows)]
        command = [sys.executable, "-c", SCRIPT, *words]
        told = 0
        for number in range(kills):
            before = teacher.stats(bodies=False)["charged"]
            child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            while teacher.stats(bodies=False)["charged"] < before + 15 + 7 * number:
                if child.poll() is not None:
                    break
                time.sleep(0.01)
            child.send_signal(signal.SIGKILL)
            told += told_lost(child.communicate()[0])
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        told += told_lost(done.stdout)
        stats = teacher.stats()
        again = sum(count - 1 for count in stats["bodies"].values() if count > 1)
        recipe = load_recipe(card, endpoint=teacher.url)
        many = Orders(ceiling=Ceiling(requests=10**6), limit=rows)
        found = generate(recipe, Store(tmp_path / "once"), many)
    assert again <= told
    assert found["nq-synthetic"]["requests"] >= requests
    (killed,) = (tmp_path / "k").rglob("candidates.jsonl")
    (once,) = (tmp_path / "once").rglob("candidates.jsonl")
    assert killed.read_bytes() == once.read_bytes()


def test_an_interrupt_waits_for_what_is_under_way(card, tmp_path):
    """After Ctrl-C nothing more is sent, and every answer that was paid for is in the journal."""
    with Teacher(1, settings=TeacherSettings(latency=0.3)) as teacher:
        recipe = card("nq-synthetic", teacher.url)
        threading.Timer(2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            generate(recipe, Store(tmp_path), Orders(ceiling=Ceiling(requests=5000)))
        charged = teacher.stats(bodies=False)["charged"]
    with Journal(tmp_path / "journal.sqlite") as journal:
        assert journal.settle_lost() == 0
        assert 0 < len(journal) == charged


def told_lost(output: str) -> int:
    lines = [line for line in output.splitlines() if "under way when" in line]
    return sum(int(line.split(" ", 1)[0].replace(",", "")) for line in lines)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (TeacherSettings(key="another"), "OPENAI_API_KEY is not accepted"),
        (TeacherSettings(models=("other",)), "no such model"),
        (TeacherSettings(quota=5), "no quota left"),
        (TeacherSettings(context=10), "refuses a request"),
    ],
    ids=["key", "model", "quota", "context"],
)
def test_what_no_retry_mends_stops_at_once(settings, words, card, tmp_path):
    """The reason is told, the key is not, and the teacher was hardly asked."""
    with Teacher(1, settings=settings) as teacher:
        recipe = card("nq-synthetic", teacher.url)
        with pytest.raises(TeacherError, match=words) as caught:
            generate(recipe, Store(tmp_path), Orders(ceiling=Ceiling(requests=1000)))
        assert teacher.stats()["requests"] <= 5 + 256
    assert "canary" not in str(caught.value)


def test_a_server_that_is_not_there_is_named(card, tmp_path):
    with pytest.raises(TeacherError, match="cannot be reached"):
        generate(
            card("nq-synthetic", "http://127.0.0.1:9/v1"),
            Store(tmp_path),
            Orders(ceiling=Ceiling(requests=1000)),
        )


def test_prices():
    """Costs are whole parts; a snapshot costs what its model does."""
    assert Price(0.15, 0.6).cost(1_000_000, 1_000_000) == 750_000_000_000
    assert Price(0, 0).free
    assert known_price(OPENAI, "gpt-4o-mini-2024-07-18") == known_price(OPENAI, "gpt-4o-mini")
    assert known_price(OPENAI, "gpt-4o-realtime") is None
    assert known_price("http://127.0.0.1:8000/v1", "gpt-4o-mini") is None


def test_one_process_sends_at_a_time(tmp_path):
    """A second is told, and refused where it does not want to wait."""
    path = tmp_path / "journal.sqlite"
    with Journal(path) as one, Journal(path) as two:
        one.hold(wait=True, waiting=print)
        with pytest.raises(Exception, match="in use by another run"):
            two.hold(wait=False, waiting=print)
