"""Benchmarks as values: their items, where these come from, and a checksum that was measured."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from imitation_data.display import terminal
from imitation_data.errors import SourceError
from imitation_data.leakage.known import KNOWN, Columns, Spec
from imitation_data.options import nearest
from imitation_data.readers.csv_rows import MAX_FIELD
from imitation_data.readers.csv_rows import SUFFIXES as CSV
from imitation_data.readers.files import SourceFile, find_files
from imitation_data.readers.hub import fetch
from imitation_data.readers.quoting import kind
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
        raise SourceError(unknown(name))
    elif not spec.repo:
        origin, files = "package", find_files(SHIPPED / f"{name}.jsonl.gz", SUFFIXES)
    else:
        folder, commit = fetch(spec.repo, revision, spec.files)
        origin = f"{spec.repo}@{commit}"
        files = find_files(folder, (*SUFFIXES, *CSV), spec.files)
    items = _distinct(list(_items(files, forms, name)))
    if not items:
        raise SourceError(f"{path or origin}: holds no item of {name}")
    return Benchmark(name, spec.title, spec.license, origin, items)


def unknown(name: str) -> str:
    """What to say of a benchmark that is not known and has no path."""
    if Path(name).suffix or "/" in name:
        return f"{name}: a path needs a name before it, as mine={name}"
    known = sorted(KNOWN)
    return (
        f"{name}: no such benchmark{nearest(name, known)}; known are {', '.join(known)}; for your "
        f"own files say {name}=PATH"
    )


def load_all(
    references: Sequence[str], columns: Mapping[str, Columns] | None = None
) -> list[Benchmark]:
    """Load benchmarks by `NAME`, `NAME@REVISION` or `NAME=PATH`.

    Args:
        references: each with a name of its own.
        columns: which fields hold what, by name; told from the records for the others.

    Raises:
        SourceError: one cannot be read, or is named twice.
    """
    found: dict[str, Benchmark] = {}
    for reference in references:
        name, path, revision = parse(reference)
        if not name:
            raise SourceError(f"{reference!r}: names no benchmark; expected NAME or NAME=PATH")
        if name in found:
            raise SourceError(f"{name}: is named twice; give each file a name of its own")
        found[name] = load(name, path, revision, (columns or {}).get(name))
    return list(found.values())


def parse(reference: str) -> tuple[str, str, str]:
    """Name, path and revision of a reference."""
    name, _, path = reference.partition("=")
    name, _, revision = name.partition("@")
    return name.strip(), path, revision or "main"


def _distinct(items: Sequence[tuple[str, Item]]) -> tuple[Item, ...]:
    """Items with ids that differ: behind their file's name, and numbered, where they do not."""
    seen = Counter(item.id for _, item in items)
    files = len({file for file, _ in items}) > 1
    found, again = [], Counter[str]()
    for file, item in items:
        called = item.id
        if seen[called] > 1:
            called = f"{file}:{called}" if files else called
            again[called] += 1
            called = f"{called}#{again[called]}" if again[called] > 1 else called
        found.append(replace(item, id=called))
    return tuple(found)


def _items(
    files: Sequence[SourceFile], forms: Sequence[Columns], name: str
) -> Iterator[tuple[str, Item]]:
    """Items, each with its file's name."""
    for file in files:
        label = PurePosixPath(file.name).name.partition(".")[0]
        several = f"{label}:" if len(files) > 1 else ""
        columns: Columns | None = None
        for number, (where, row) in enumerate(_records(file, forms), start=1):
            columns = columns or _columns_of(row, forms, name, where)
            yield label, _item(row, columns, f"{several}{number}", where)


def _records(file: SourceFile, forms: Sequence[Columns]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of a file, each with where it stands."""
    if file.suffix in CSV:
        yield from _table(file, forms)
        return
    for record in read_raw([file]):
        if isinstance(record, BadRecord):
            raise SourceError(str(record))
        if not isinstance(record.value, dict):
            found = kind(record.value)
            raise SourceError(f"{record.where}: found {found}; expected an object with fields")
        yield record.where, record.value


def _table(file: SourceFile, forms: Sequence[Columns]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of a table; columns of one without a header are called `1`, `2` and so on.

    Only benchmarks that are known to come without one are read so.
    """
    bare = any(form.question == "1" for form in forms)
    named = [{form.question, *form.choices, *form.answers} for form in forms]
    csv.field_size_limit(MAX_FIELD)
    tabs = file.suffix == ".tsv"
    with file.open() as stream:
        text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="")
        rows = csv.reader(text, csv.excel_tab, quoting=csv.QUOTE_NONE) if tabs else csv.reader(text)
        header: list[str] | None = None
        try:
            for number, row in enumerate(filter(None, rows), start=1):
                if number == 1 and (not bare or any(names <= set(row) for names in named)):
                    header = row
                    continue
                called = header or [str(place) for place in range(1, len(row) + 1)]
                yield f"{file.name}, row {number:,}", dict(zip(called, row, strict=False))
        except csv.Error as error:
            raise SourceError(f"{file.name}, line {rows.line_num:,}: {error}") from error


def _columns_of(row: Mapping[str, Any], forms: Iterable[Columns], name: str, where: str) -> Columns:
    """The form a record has."""
    for form in forms:
        if {form.question, *form.choices, *form.answers} - {""} <= row.keys():
            return form
    called = {str(name).casefold(): str(name) for name in row}
    asked, choices, answers, own = (
        [called[one] for one in names if one in called][:1]
        for names in (_QUESTION, _CHOICES, _ANSWERS, _ID)
    )
    if asked:
        return Columns(asked[0], tuple(choices), tuple(answers), own[0] if own else "")
    there = ", ".join(terminal(str(one), 40, line=True) for one in list(row)[:12])
    wanted = " or ".join(form.question for form in forms) or ", ".join(_QUESTION)
    raise SourceError(
        f"{where}: no column with a question of {name} (looked for {wanted}); the row has {there}. "
        f"Say which it is: --columns {name}:question=NAME,answers=NAME, or in a recipe "
        f"columns: {{{name}: {{question: NAME, answers: [NAME]}}}}"
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
        there = ", ".join(terminal(str(one), 40, line=True) for one in list(row)[:12])
        raise SourceError(f"{where}: no column {name}; the row has {there}")
    value = row[name]
    if value is None:
        return []
    if isinstance(value, dict) and isinstance(value.get("text"), list):  # ARC's choices
        value = value["text"]
    several = value if isinstance(value, list) else [value]
    if several and all(isinstance(one, dict) and "content" in one for one in several):
        several = [one["content"] for one in several if one.get("role", "user") == "user"]
    if odd := [one for one in several if not isinstance(one, str | int | float)]:
        raise SourceError(
            f"{where}: {name} holds {kind(odd[0])}; expected text, or a list of texts"
        )
    return [str(one) for one in several]


def _chosen(answer: str, choices: Sequence[str]) -> str:
    """The choice that a letter, or a number from 0, stands for."""
    place = LETTERS.find(answer) if len(answer) == 1 and answer.isupper() else -1
    if place < 0 and answer.isdecimal() and len(answer) <= len(str(len(choices))):
        place = int(answer)
    return choices[place] if 0 <= place < len(choices) else answer
