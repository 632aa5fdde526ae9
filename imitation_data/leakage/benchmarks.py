"""Benchmarks as values: their items, where these come from, and a checksum that was measured."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from imitation_data.errors import SourceError
from imitation_data.readers.csv_rows import MAX_FIELD
from imitation_data.readers.csv_rows import SUFFIXES as CSV
from imitation_data.readers.files import SourceFile, find_files
from imitation_data.readers.hub import fetch
from imitation_data.readers.quoting import kind, names_of
from imitation_data.readers.raw import SUFFIXES, read_raw
from imitation_data.readers.record import BadRecord

SHIPPED = Path(__file__).with_name("items")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Item:
    """One item of a benchmark.

    Attributes:
        id: the benchmark's own, or its file and number.
        question: what is asked.
        choices: the options, in order; may be none.
        answers: all that count as right; may be none.
    """

    id: str
    question: str
    choices: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Columns:
    """Which fields of a record hold what.

    Attributes:
        question: of a list the first entry counts; in tables without a header, columns are called
            `1`, `2`, …
        choices: one field with a list, or one for each option.
        answers: fields with an answer or a list of them; where there are choices, its letter or
            its number from 0 will do.
        id: the item's own name.
    """

    question: str = "question"
    choices: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    id: str = ""


@dataclass(frozen=True)
class Spec:
    """A benchmark that is known by name.

    Attributes:
        title: its name in print.
        license: SPDX, of the items.
        forms: the columns of the forms it comes in, tried in order.
        repo: the dataset on the Hub; empty where the items come with the package.
        files: which of its files are meant.
    """

    title: str
    license: str
    forms: tuple[Columns, ...]
    repo: str = ""
    files: tuple[str, ...] = ()


_FOUR = ("2", "3", "4", "5")
KNOWN: Mapping[str, Spec] = {
    "mmlu": Spec(
        "MMLU",
        "MIT",
        (Columns("question", ("choices",), ("answer",)), Columns("1", _FOUR, ("6",))),
        "cais/mmlu",
        ("all/test-*.parquet",),
    ),
    "nq_open": Spec(
        "Natural Questions, open",
        "CC-BY-SA-3.0",
        (Columns("question", (), ("answer",)),),
        "google-research-datasets/nq_open",
        ("nq_open/validation-*.parquet",),
    ),
    "gsm8k": Spec(
        "GSM8K",
        "MIT",
        (Columns("question", (), ("answer",)),),
        "openai/gsm8k",
        ("main/test-*.parquet",),
    ),
    "mgsm": Spec(
        "MGSM",
        "CC-BY-SA-4.0",
        (Columns("question", (), ("answer_number",)), Columns("1", (), ("2",))),
        "juletxara/mgsm",
        ("mgsm_*.tsv",),
    ),
    "mt_bench": Spec(
        "MT-bench",
        "Apache-2.0",
        (Columns("turns", id="question_id"), Columns("prompt", id="prompt_id")),
        "HuggingFaceH4/mt_bench_prompts",
        ("data/*.parquet",),
    ),
    "truthful_qa": Spec(
        "TruthfulQA",
        "Apache-2.0",
        (
            Columns("question", (), ("best_answer", "correct_answers")),
            Columns("Question", (), ("Best Answer", "Correct Answers")),
        ),
        "truthfulqa/truthful_qa",
        ("generation/*.parquet",),
    ),
    "human_eval": Spec(
        "HumanEval", "MIT", (Columns("prompt", (), ("canonical_solution",), "task_id"),)
    ),
    "koala": Spec("Koala test set", "Apache-2.0", (Columns("prompt", id="id"),)),
    "vicuna": Spec("Vicuna benchmark", "Apache-2.0", (Columns("turns", id="question_id"),)),
}
PACKAGED = tuple(sorted(name for name, spec in KNOWN.items() if not spec.repo))
# What fields are mostly called in files that nobody described.
_QUESTION = ("question", "prompt", "instruction", "input", "query", "problem", "turns", "text")
_CHOICES = ("choices", "options")
_ANSWERS = ("answers", "answer", "output", "completion", "response", "canonical_solution")
_ID = ("id", "task_id", "question_id")


@dataclass(frozen=True)
class Benchmark:
    """A benchmark.

    Attributes:
        name: as it was asked for.
        title: its name in print.
        license: SPDX, or the benchmark's own words; empty where not known.
        origin: where the items come from: `package`, `org/name@commit`, or the file's name.
        items: in the order of the files.
    """

    name: str
    title: str
    license: str
    origin: str
    items: tuple[Item, ...] = field(repr=False)

    @cached_property
    def checksum(self) -> str:
        """BLAKE2b-128 over the items, 32 hex digits: equal for equal items in equal order."""
        digest = blake2b(digest_size=16)
        for item in self.items:
            digest.update(orjson.dumps([item.id, item.question, item.choices, item.answers]))
            digest.update(b"\n")
        return digest.hexdigest()


def load(
    name: str, path: str | Path = "", revision: str = "main", columns: Columns | None = None
) -> Benchmark:
    """Load a benchmark from files, from the package, or from the Hub.

    Args:
        name: one of `KNOWN`, or any other with a path.
        path: a file or folder; empty for the package's own items or the Hub.
        revision: of the dataset on the Hub.
        columns: which fields hold what; told from the records where not given.

    Raises:
        SourceError: there is no such benchmark, file or revision, or a record cannot be read.
    """
    spec = KNOWN.get(name, Spec(name, "", ()))
    forms = (columns,) if columns else spec.forms
    if path:
        origin, files = Path(path).name, find_files(Path(path), (*SUFFIXES, *CSV))
    elif name not in KNOWN:
        known = ", ".join(sorted(KNOWN))
        raise SourceError(f"{name}: no such benchmark; known are {known}; else say {name}=PATH")
    elif not spec.repo:
        origin, files = "package", find_files(SHIPPED / f"{name}.jsonl.gz", SUFFIXES)
    else:
        folder, commit = fetch(spec.repo, revision, spec.files)
        origin = f"{spec.repo}@{commit}"
        files = find_files(folder, (*SUFFIXES, *CSV), spec.files)
    items = tuple(_items(files, forms, name))
    if not items:
        raise SourceError(f"{path or origin}: holds no item of {name}")
    return Benchmark(name, spec.title, spec.license, origin, items)


def load_all(references: Sequence[str]) -> list[Benchmark]:
    """Load benchmarks by `NAME`, `NAME@REVISION` or `NAME=PATH`.

    Raises:
        SourceError: one cannot be read, or is named twice.
    """
    found: dict[str, Benchmark] = {}
    for reference in references:
        name, path, revision = parse(reference)
        if name in found:
            raise SourceError(f"{name}: is named twice; give each file a name of its own")
        found[name] = load(name, path, revision)
    return list(found.values())


def parse(reference: str) -> tuple[str, str, str]:
    """Name, path and revision of a reference."""
    name, _, path = reference.partition("=")
    name, _, revision = name.partition("@")
    return name.strip(), path, revision or "main"


def _items(files: Sequence[SourceFile], forms: Sequence[Columns], name: str) -> Iterator[Item]:
    for file in files:
        several = f"{PurePosixPath(file.name).name.partition('.')[0]}:" if len(files) > 1 else ""
        columns: Columns | None = None
        for number, (where, row) in enumerate(_records(file), start=1):
            columns = columns or _columns_of(row, forms, name, where)
            yield _item(row, columns, f"{several}{number}", where)


def _records(file: SourceFile) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of a file, each with where it stands."""
    if file.suffix in CSV:
        yield from _table(file)
        return
    for record in read_raw([file]):
        if isinstance(record, BadRecord):
            raise SourceError(str(record))
        if not isinstance(record.value, dict):
            found = kind(record.value)
            raise SourceError(f"{record.where}: found {found}; expected an object with fields")
        yield record.where, record.value


def _table(file: SourceFile) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of a table; columns of one without a header are called `1`, `2` and so on."""
    csv.field_size_limit(MAX_FIELD)
    tabs = file.suffix == ".tsv"
    with file.open() as stream:
        text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="")
        rows = csv.reader(text, csv.excel_tab, quoting=csv.QUOTE_NONE) if tabs else csv.reader(text)
        names: list[str] | None = None
        try:
            for number, row in enumerate(filter(None, rows), start=1):
                if number == 1 and {one.lower() for one in row} & {*_QUESTION, "best answer"}:
                    names = row
                    continue
                called = names or [str(place) for place in range(1, len(row) + 1)]
                yield f"{file.name}, row {number:,}", dict(zip(called, row, strict=False))
        except csv.Error as error:
            raise SourceError(f"{file.name}, line {rows.line_num:,}: {error}") from error


def _columns_of(row: Mapping[str, Any], forms: Iterable[Columns], name: str, where: str) -> Columns:
    """The form a record has."""
    for form in forms:
        if {form.question, *form.choices, *form.answers} - {""} <= row.keys():
            return form
    asked = [one for one in _QUESTION if one in row]
    if asked:
        choices = [one for one in _CHOICES if one in row][:1]
        answers = [one for one in _ANSWERS if one in row][:1]
        called = next((one for one in _ID if one in row), "")
        return Columns(asked[0], tuple(choices), tuple(answers), called)
    raise SourceError(
        f"{where}: no column with a question of {name}; the row has {names_of(row)}. "
        "A recipe can name it: columns: {question: NAME, answers: [NAME]}"
    )


def _item(row: Mapping[str, Any], columns: Columns, number: str, where: str) -> Item:
    question = _texts(row, columns.question, where)
    choices = [text for name in columns.choices for text in _texts(row, name, where)]
    answers = [text for name in columns.answers for text in _texts(row, name, where)]
    if choices:
        answers = [_chosen(answer, choices) for answer in answers]
    own = row.get(columns.id) if columns.id else None
    return Item(
        number if own is None else str(own),
        question[0] if question else "",
        tuple(choices),
        tuple(dict.fromkeys(answers)),
    )


def _texts(row: Mapping[str, Any], name: str, where: str) -> list[str]:
    if name not in row:
        raise SourceError(f"{where}: no column {name}; the row has {names_of(row)}")
    value = row[name]
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _chosen(answer: str, choices: Sequence[str]) -> str:
    """The choice that a letter, or a number from 0, stands for."""
    place = LETTERS.find(answer) if len(answer) == 1 and answer.isupper() else -1
    if place < 0 and answer.isdecimal():
        place = int(answer)
    return choices[place] if 0 <= place < len(choices) else answer
