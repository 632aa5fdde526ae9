"""Answers taken along: exported, imported, and asked for no more."""

import subprocess
import sys

import orjson
import pytest

from imitation_data.errors import StoreError
from imitation_data.generate.budget import Ceiling
from imitation_data.generate.journal import Journal
from imitation_data.generate.journal_lines import add_lines, lines_of
from imitation_data.generation import Orders, generate
from imitation_data.versions.store import Store
from tests.servers.teacher import Teacher


def test_answers_go_from_one_journal_to_another(card, tmp_path):
    """What was exported and imported is not asked again; the lines come back as they were."""
    with Teacher(1) as teacher:
        recipe = card("nq-synthetic", teacher.url)
        orders = Orders(ceiling=Ceiling(requests=1000), limit=60)
        generate(recipe, Store(tmp_path / "a"), orders)
        charged = teacher.stats(bodies=False)["charged"]
        words = [sys.executable, "-m", "imitation_data", "journal"]
        one, two = (str(tmp_path / name / "journal.sqlite") for name in "ab")
        done = subprocess.run([*words, "export", one], capture_output=True, check=True)
        (tmp_path / "lines.jsonl").write_bytes(done.stdout)
        for added in (charged, 0):
            more = ["import", two, str(tmp_path / "lines.jsonl"), "--json"]
            told = subprocess.run([*words, *more], capture_output=True, check=True).stdout
            assert orjson.loads(told)["kept"] == added
        generate(recipe, Store(tmp_path / "b"), Orders(limit=60))
        assert teacher.stats(bodies=False)["charged"] == charged
    with Journal(tmp_path / "b" / "journal.sqlite") as journal:
        assert b"".join(lines_of(journal)) == done.stdout


@pytest.mark.parametrize(
    "change", [{"text": 3}, {"sample": 7}, {"outcome": "fine"}, {"request": {"messages": []}}, None]
)
def test_changed_lines_are_refused(change, card, tmp_path):
    """With file and line; nothing of the file is added."""
    with Teacher(1) as teacher:
        orders = Orders(ceiling=Ceiling(requests=2))
        generate(card("nq-synthetic", teacher.url), Store(tmp_path), orders)
    with Journal(tmp_path / "journal.sqlite") as journal:
        first, second = lines_of(journal)
    bad = b"no JSON\n" if change is None else orjson.dumps(orjson.loads(second) | change)
    with Journal(tmp_path / "new.sqlite") as journal:
        with pytest.raises(StoreError, match="f, line 2"):
            add_lines(journal, [first, bad], "f")
        assert len(journal) == 0
