"""A reader or step whose output changes must say so: REVISION is part of what stages are keyed by.

`tests/golden/revisions.json` holds, for every case, the REVISION and a digest of what it makes of
fixed input. After a change on purpose, raise the REVISION and run

    python -m tests.contract.test_revisions --write
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import pytest

from imitation_data.dataset_step import DatasetStep, apply_dataset_step
from imitation_data.dedup.exact import ExactDedup
from imitation_data.dedup.near_step import NearDedup
from imitation_data.diversity.step import MeasureDiversity
from imitation_data.leakage.step import CheckLeakage
from imitation_data.ledger import Drop, Kept, Outcome
from imitation_data.readers import READERS, BadRecord, Record, read
from imitation_data.recipe import DATASET_STEPS
from imitation_data.rows import ROW_STEPS, RowStep, apply
from imitation_data.sampling import Mix, Sample
from imitation_data.splits import Split
from tests.contract import reader_samples
from tests.contract.corpus import CORPUS
from tests.contract.step_cases import CASES

Subject = RowStep | DatasetStep | reader_samples.Sample
GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "revisions.json"
WRITE = "python -m tests.contract.test_revisions --write"
SOURCES = ("one", "two")  # the corpus dealt to two sources, for mixing and priority
DATASET_CASES: dict[str, DatasetStep] = {
    "exact_dedup": ExactDedup(),
    "exact_dedup first_user": ExactDedup("first_user", priority=("two",)),
    "exact_dedup any_query": ExactDedup("any_query", keep="smallest_id"),
    "near_dedup": NearDedup(threshold=0.5),
    "near_dedup prompt": NearDedup("prompt", 0.4, 2, priority=("two",), scheme="xxh32"),
    "leakage": CheckLeakage(("vicuna", "koala")),
    "diversity": MeasureDiversity(),
    "diversity sample": MeasureDiversity("conversation", "char", "both", limit=30, sample=20),
    "sample": Sample(share=0.5),
    "mix": Mix({"one": 0.5, "two": 0.5}),
    "split": Split({"train": 0.5, "test": 0.5}, link="first_user"),
}


def digest(subject: Subject) -> str:
    """32 hex digits over all that a case makes of its fixed input, in order, as JSON."""
    return blake2b(json.dumps(made(subject)).encode(), digest_size=16).hexdigest()


def made(subject: Subject) -> list[object]:
    if isinstance(subject, reader_samples.Sample):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / subject.name
            path.write_bytes(subject.write(list(subject.records)))
            return [read_as_json(record) for record in read(path, subject.reader)]
    if isinstance(subject, DatasetStep):
        deal = [row._replace(source=SOURCES[place % 2]) for place, row in enumerate(CORPUS)]
        rows = deal + [row._replace(origin=f"again {row.origin}") for row in deal[::3]]
        decision = apply_dataset_step(subject, rows, "7")[2]
        places = [] if decision.split is None else decision.split.tolist()
        split = [decision.splits[place] for place in places]
        measured = [decision.note] if isinstance(subject, MeasureDiversity | CheckLeakage) else []
        return [decision.drop.tolist(), decision.other.tolist(), split, *measured]
    return [as_json(outcome) for outcome in apply(subject, CORPUS)]


def read_as_json(record: Record | BadRecord) -> list[object]:
    if isinstance(record, BadRecord):
        return ["bad", record.where, record.found, record.expected]
    drops = [as_json(drop) for drop in record.drops]
    return [record.origin, *as_json(Kept(record.rows, record.edits)), drops]


def revision(subject: Subject) -> int:
    return (
        subject.reader.REVISION if isinstance(subject, reader_samples.Sample) else subject.REVISION
    )


def named(subject: Subject) -> str:
    kind = subject.reader if isinstance(subject, reader_samples.Sample) else subject
    return type(kind).__name__


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
        name: {"revision": revision(subject), "digest": digest(subject)}
        for name, subject in SUBJECTS.items()
    }


def complain(name: str, subject: Subject, golden: Mapping[str, Mapping[str, int | str]]) -> str:
    """Say what is wrong with a case against the golden file; empty if nothing is."""
    if name not in golden:
        return f"{name} has no golden digest yet: run {WRITE}"
    then, now = golden[name], revision(subject)
    same = digest(subject) == then["digest"]
    if same and then["revision"] == now:
        return ""
    if same:
        return f"{name}: REVISION is {now}, was {then['revision']}, and nothing changed"
    if then["revision"] == now:
        return (
            f"{name}: the output over the corpus changed and REVISION is still {now}, so "
            f"resumed builds would mix old and new rows. If the change is meant, raise "
            f"{named(subject)}.REVISION and run {WRITE}; if a library did it, see LIBRARIES"
        )
    return f"{name}: REVISION {now} is new: run {WRITE} and commit the file"


SUBJECTS: dict[str, Subject] = {
    **{f"step {name}": step for name, step in CASES.items()},
    **{f"dataset step {name}": step for name, step in DATASET_CASES.items()},
    **{f"reader {name}": sample for name, sample in reader_samples.SAMPLES.items()},
}


def test_everything_a_recipe_may_name_has_a_case():
    """A reader or step without a case would change unseen."""
    readers = {type(sample.reader) for sample in reader_samples.SAMPLES.values()}
    assert set(READERS.values()) == readers
    steps = {type(step) for step in [*CASES.values(), *DATASET_CASES.values()]}
    assert steps >= {*ROW_STEPS.values(), *DATASET_STEPS.values()}


@pytest.mark.parametrize("name", SUBJECTS)
def test_output_changes_only_with_the_revision(name):
    """The digest and the REVISION change together or not at all."""
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert set(golden) == set(SUBJECTS), f"cases came or went: run {WRITE}"
    assert not complain(name, SUBJECTS[name], golden)


def test_a_change_is_seen():
    """Another option, a raised REVISION and an unknown case are each complained about."""
    golden = current()
    keywords = SUBJECTS["step keywords"]
    assert "still 1" in complain("step keywords", replace(keywords, words=("sea",)), golden)
    golden["step keywords"]["revision"] = 0
    assert "nothing changed" in complain("step keywords", keywords, golden)
    golden["step keywords"]["digest"] = "0" * 32
    assert "is new" in complain("step keywords", keywords, golden)
    assert "no golden" in complain("other", keywords, golden)


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit(f"usage: {WRITE}")
    GOLDEN.write_text(json.dumps(current(), indent=2) + "\n", encoding="utf-8")
    print(f"wrote {GOLDEN}")
