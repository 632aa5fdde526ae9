"""A step whose output changes must say so: REVISION is part of what stored stages are keyed by.

`tests/golden/steps.json` holds, for every case, the REVISION and a digest of all outcomes over the
corpus. After a change on purpose, raise the REVISION of the step and run

    python -m tests.contract.test_revisions --write
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import pytest

from imitation_data.conversation import Conversation
from imitation_data.ledger import Drop, Outcome
from imitation_data.rows import RowStep, apply
from tests.contract.corpus import CORPUS
from tests.contract.step_cases import CASES

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "steps.json"
WRITE = "python -m tests.contract.test_revisions --write"


def digest(step: RowStep, rows: Sequence[Conversation] = CORPUS) -> str:
    """32 hex digits over every outcome, in order, as JSON."""
    plain = [as_json(outcome) for outcome in apply(step, rows)]
    return blake2b(json.dumps(plain).encode(), digest_size=16).hexdigest()


def as_json(outcome: Outcome) -> list[object]:
    if isinstance(outcome, Drop):
        return ["drop", *(getattr(outcome, name) for name in Drop.__slots__)]
    rows = [
        [row.messages, row.key, row.teacher, row.language, row.license, row.tokens, row.meta]
        for row in outcome.rows
    ]
    return ["kept", rows, [[edit.kind, edit.count] for edit in outcome.edits]]


def current() -> dict[str, dict[str, int | str]]:
    return {
        name: {"revision": step.REVISION, "digest": digest(step)} for name, step in CASES.items()
    }


def complain(name: str, step: RowStep, golden: Mapping[str, Mapping[str, int | str]]) -> str:
    """Say what is wrong with a step against the golden file; empty if nothing is."""
    if name not in golden:
        return f"{name} has no golden digest yet: run {WRITE}"
    then = golden[name]
    same = digest(step) == then["digest"]
    if same and then["revision"] == step.REVISION:
        return ""
    if same:
        return f"{name}: REVISION is {step.REVISION}, was {then['revision']}, and nothing changed"
    if then["revision"] == step.REVISION:
        return (
            f"{name}: the output over the corpus changed and REVISION is still {step.REVISION}, so "
            f"resumed builds would mix old and new rows. If the change is meant, raise "
            f"{type(step).__name__}.REVISION and run {WRITE}; if a library did it, see LIBRARIES"
        )
    return f"{name}: REVISION {step.REVISION} is new: run {WRITE} and commit the file"


@pytest.mark.parametrize("name", CASES)
def test_output_changes_only_with_the_revision(name):
    """The digest and the REVISION change together or not at all."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert set(golden) == set(CASES), f"cases came or went: run {WRITE}"
    assert not complain(name, CASES[name], golden)


def test_a_change_is_seen():
    """Another option, a raised REVISION and an unknown case are each complained about."""
    golden = current()
    keywords = CASES["keywords"]
    assert "still 1" in complain("keywords", replace(keywords, words=("sea",)), golden)
    golden["keywords"]["revision"] = 0
    assert "nothing changed" in complain("keywords", keywords, golden)
    golden["keywords"]["digest"] = "0" * 32
    assert "is new" in complain("keywords", keywords, golden)
    assert "no golden" in complain("other", keywords, golden)


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(f"usage: {WRITE}")
    GOLDEN.write_text(json.dumps(current(), indent=2) + "\n", encoding="utf-8")
    print(f"wrote {GOLDEN}")
