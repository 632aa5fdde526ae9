"""Sources of a recipe that a teacher makes, read from their tables."""

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from imitation_data.errors import SourceError
from imitation_data.generate import GENERATORS, TAKES_ROWS, Generator
from imitation_data.generate.budget import Price
from imitation_data.generate.candidates import Candidates
from imitation_data.generate.teacher import Teacher
from imitation_data.options import make, nearest
from imitation_data.readers import READERS, Reader, find_files
from imitation_data.readers.columns import Columns
from imitation_data.recipe_parts import NAME, BoundSource, Source

_KEYS = {"api_key", "apikey", "api-key", "token", "secret", "password", "authorization"}
_NOWHERE = Teacher("none", key="")  # stands in for a teacher whose table is wrong
_AS_A_TABLE = "expected a table, as in teacher: {model: gpt-4o-mini, key: OPENAI_API_KEY}"


def bound_generated(
    table: Mapping[str, object], folder: Path
) -> tuple[BoundSource | None, list[str]]:
    """Read the table of a source with `generate`.

    Args:
        table: of the source.
        folder: of the recipe.

    Returns:
        The source, or None, and everything that is wrong with it, each a sentence.
    """
    told, teacher, problems = table.get("teacher"), None, list[str]()
    if isinstance(told, dict):
        teacher, found = teacher_of(told)
        problems += [f"teacher: {problem}" for problem in found]
    else:
        what = "nothing" if told is None else "no table"
        problems.append(f"teacher: found {what}; {_AS_A_TABLE}")
    settings, found = make(Source, {**table, "teacher": teacher or _NOWHERE})
    problems += found
    if settings is None:
        return None, problems
    name = settings.generate
    if name not in GENERATORS:
        problems.append(f"unknown procedure {name!r}{nearest(name, list(GENERATORS))}")
        return None, problems
    procedure, found = make(GENERATORS[name], dict(settings.options or {}))
    problems += [f"options: {problem}{_place(problem, settings)}" for problem in found]
    given, found = _given(settings, folder)
    problems += found
    if procedure is None or problems:
        return None, problems
    return _bound(settings, procedure, given, folder), problems


def _bound(
    settings: Source, procedure: Generator, given: Reader | None, folder: Path
) -> BoundSource:
    return BoundSource(settings, Candidates(), folder / settings.path, procedure, given)


def teacher_of(table: Mapping[str, object]) -> tuple[Teacher | None, list[str]]:
    """Read the table that says whom to ask.

    Nothing that stands under `key` or `endpoint`, or under a name that is not known, is repeated.

    Returns:
        The teacher, or None, and everything that is wrong with it, each a sentence.
    """
    problems = [
        f"unknown key {name!r}; write key: NAME_OF_AN_ENVIRONMENT_VARIABLE, and take the key "
        "itself out of this file"
        for name in table
        if str(name).lower() in _KEYS
    ]
    rest = {name: value for name, value in table.items() if str(name).lower() not in _KEYS}
    for name, what in (("key", "the name of an environment variable"), ("endpoint", "a URL")):
        if name in rest and not isinstance(rest[name], str):
            problems.append(f"{name}: expected {what}")
            rest[name] = "NAME" if name == "key" else "http://127.0.0.1/v1"
    price = rest.get("price")
    if isinstance(price, dict):
        rest["price"], found = make(Price, price)
        problems += [f"price: {problem}" for problem in found]
    elif price is not None:
        problems.append("price: expected {input: …, output: …}, US dollars for a million tokens")
        del rest["price"]
    teacher, found = make(Teacher, rest)
    problems += found
    return (None if problems else teacher), problems


def _place(problem: str, settings: Source) -> str:
    """A hint for an option that is one of the reader's."""
    named = re.match(r"unknown key '(\w+)'", problem)
    if named is None or settings.generate not in GENERATORS:
        return ""
    kind = READERS.get(settings.reader, Columns)
    takes = issubclass(GENERATORS[settings.generate], TAKES_ROWS)
    reads = takes and any(field.name == named[1] for field in fields(kind))  # type: ignore[arg-type]
    return f"; {named[1]!r} is an option of a reader: put it into reader_options" if reads else ""


def _given(settings: Source, folder: Path) -> tuple[Reader | None, list[str]]:
    """The reader of what a procedure is given, and what is wrong with where that lies."""
    path = folder / settings.path
    if not issubclass(GENERATORS[settings.generate], TAKES_ROWS):
        problems = []
        if settings.reader:
            words = "reads seeds itself and takes no reader; leave it out"
            problems.append(f"reader {settings.reader!r}: {settings.generate} {words}")
        if settings.hub or settings.files:
            problems.append(f"hub, files: {settings.generate} takes a file with seeds as its path")
        elif not path.is_file():
            problems.append(f"path: {path}: no such file; expected the seeds")
        return None, problems
    if not settings.reader:
        found = ["files: needs a reader, or hub"] if settings.files and not settings.hub else []
        return None, found + _missing(settings, path)
    if settings.reader not in READERS:
        return None, [f"unknown reader {settings.reader!r}{nearest(settings.reader, [*READERS])}"]
    given, found = make(READERS[settings.reader], dict(settings.reader_options or {}))
    problems = [f"reader_options: {problem}" for problem in found]
    if given is not None and settings.path:
        try:
            find_files(path, given.SUFFIXES, settings.files)
        except SourceError as error:
            problems.append(f"path: {error}")
    return given, problems


def _missing(settings: Source, path: Path) -> list[str]:
    """What is wrong with a path whose form is told from the files."""
    named = NAME.fullmatch(settings.path.partition("@")[0])
    as_a_file = path.suffix.lower() in {*Columns.SUFFIXES, ".gz", ".zst", ".zip"}
    if settings.hub or path.exists() or (named and not as_a_file):
        return []  # a version is looked for when the store is known
    return [f"path: {path}: no such file or folder, and no NAME@VERSION of a store"]
