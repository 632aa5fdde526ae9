"""A recipe: a frozen value read from YAML and checked whole before any data is read.

name: sharegpt-mix
description: Broad-coverage imitation mix
license: CC-BY-NC-4.0
seed: 7
tokens: cl100k_base          # or none
accepts: {terms: [openai]}   # what else stops a publish
sources:
  - name: sharegpt
    reader: sharegpt
    path: sample/sharegpt
    license: CC0-1.0
    options: {tools: drop}
steps:
  - type: markdown
    sources: [sharegpt]
  - type: language
    keep: [en]
  - type: exact_dedup
    level: first_user
  - type: split
    shares: {train: 0.98, test: 0.02}
checks:
  - type: min_rows
    rows: 100
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from imitation_data.checks import CHECKS, Check
from imitation_data.contradictions import contradictions
from imitation_data.dataset_step import DatasetStep
from imitation_data.dedup.exact import ExactDedup
from imitation_data.dedup.near_step import NearDedup
from imitation_data.diversity.step import MeasureDiversity
from imitation_data.errors import RecipeError, SourceError
from imitation_data.generate import GENERATORS
from imitation_data.generate.redact import plain_endpoint
from imitation_data.generate.teacher import Teacher
from imitation_data.leakage.step import CheckLeakage
from imitation_data.options import key_problems, make, nearest, plain_options
from imitation_data.readers import READERS, find_files
from imitation_data.readers.columns import Columns
from imitation_data.recipe_generated import bound_generated
from imitation_data.recipe_parts import NAME, Accepts, BoundSource, Source, StepUse
from imitation_data.report.card import TEMPLATE, card_problems
from imitation_data.rows import ROW_STEPS
from imitation_data.rows.tokens import Tokens
from imitation_data.sampling import Mix, Sample
from imitation_data.splits import Split
from imitation_data.yaml_file import dump_yaml, load_yaml

DATASET_STEPS: Mapping[str, type[DatasetStep]] = {
    "exact_dedup": ExactDedup,
    "near_dedup": NearDedup,
    "leakage": CheckLeakage,
    "diversity": MeasureDiversity,
    "sample": Sample,
    "mix": Mix,
    "split": Split,
}
NO_TOKENS = "none"
NOTHING_MORE = Accepts()


@dataclass(frozen=True)
class Recipe:
    """What to build; see the module for the YAML form."""

    name: str
    sources: tuple[BoundSource, ...]
    steps: tuple[StepUse, ...] = ()
    checks: tuple[tuple[str, Check], ...] = ()
    description: str = ""
    license: str = ""
    seed: int = 0
    tokens: str = NO_TOKENS
    accepts: Accepts = NOTHING_MORE
    folder: Path = Path()

    @property
    def encoding(self) -> str | None:
        """The encoding that `tokens` counts under, or None."""
        return None if self.tokens == NO_TOKENS else self.tokens

    def resolved(self) -> dict[str, object]:
        """The recipe as plain values with every default filled in, and no path of this machine."""
        return {
            "name": self.name,
            "description": self.description,
            "license": self.license,
            "seed": self.seed,
            "tokens": self.tokens,
            **({} if self.accepts == NOTHING_MORE else {"accepts": plain_options(self.accepts)}),
            "sources": [
                _without_empty(plain_options(source.settings))
                | {
                    "path": _portable(source.settings.path),
                    "options": plain_options(source.procedure or source.reader),
                }
                | _told(source)
                | ({"reader_options": plain_options(source.given)} if source.given else {})
                for source in self.sources
            ],
            "steps": [
                {"type": use.type}
                | ({"sources": list(use.sources)} if use.sources else {})
                | use.options
                for use in self.steps
            ],
            "checks": [{"type": name} | plain_options(check) for name, check in self.checks],
        }

    def yaml(self) -> str:
        """The resolved recipe as YAML."""
        return dump_yaml(self.resolved())


def _told(source: BoundSource) -> dict[str, object]:
    teacher = source.settings.teacher
    return {"teacher": teacher.plain()} if isinstance(teacher, Teacher) else {}


def _portable(path: str) -> str:
    return Path(path).name if Path(path).is_absolute() else path


def _without_empty(table: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in table.items() if value not in ("", None, [])}


@dataclass
class _Reading:
    """One pass over the tables of a recipe; collects problems instead of stopping at the first."""

    folder: Path
    problems: list[str]

    def table(self, value: object, where: str) -> dict[str, object] | None:
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return value
        self.problems.append(f"{where}: expected a table of keys and values, found {_kind(value)}")
        return None

    def tables(self, value: object, where: str) -> list[tuple[str, dict[str, object]]]:
        if value is None:
            return []
        if not isinstance(value, list):
            self.problems.append(f"{where}: expected a list, found {_kind(value)}")
            return []
        places = ((f"{where}[{number}]", item) for number, item in enumerate(value, start=1))
        read = ((place, self.table(item, place)) for place, item in places)
        return [(place, table) for place, table in read if table is not None]

    def add(self, where: str, problems: list[str]) -> None:
        self.problems += [f"{where}: {problem}" for problem in problems]

    def source(self, table: dict[str, object], where: str) -> BoundSource | None:
        if isinstance(table.get("name"), str):
            where = f"{where} {table['name']!r}"
        if table.get("generate"):
            bound, problems = bound_generated(table, self.folder)
            self.add(where, problems)
            return bound
        if isinstance(table.get("teacher"), dict):
            words = "found a table; a source with a reader names the model that wrote the answers"
            self.add(where, [f"teacher: {words}, and one with `generate` has a table"])
            table = {**table, "teacher": ""}
        settings, problems = make(Source, table)
        self.add(where, problems)
        name = table.get("reader")
        if isinstance(name, str) and name not in READERS:
            hint = nearest(name, list(READERS))
            if name in GENERATORS:
                hint = f"; it is a procedure: write generate: {name}"
            self.add(where, [f"unknown reader {name!r}{hint}"])
        if settings is None or settings.reader not in READERS:
            return None
        reader, problems = make(READERS[settings.reader], dict(settings.options or {}))
        self.add(f"{where} options", problems)
        path = self.folder / settings.path
        if settings.path and reader is not None:
            try:
                find_files(path, reader.SUFFIXES, settings.files)
            except SourceError as error:
                hint = f"; --source {settings.name}=PATH reads it from elsewhere"
                self.add(where, [f"path: {error}{hint}"])
        if isinstance(reader, Columns) and not reader.messages and not reader.answer:
            self.add(f"{where} options", ["answer is missing; only rows for a teacher have none"])
        return BoundSource(settings, reader, path) if reader is not None else None

    def step(self, table: dict[str, object], where: str, encoding: str | None) -> StepUse | None:
        kinds: dict[str, type[Any]] = {**ROW_STEPS, **DATASET_STEPS}
        rest = dict(table)
        name = rest.pop("type", None)
        only = rest.pop("sources", [])
        if not isinstance(name, str) or name not in kinds:
            known = nearest(str(name), list(kinds))
            self.add(
                where, ["missing key 'type'" if name is None else f"unknown step {name!r}{known}"]
            )
            return None
        if not isinstance(only, list) or not all(isinstance(item, str) for item in only):
            self.add(f"{where} {name}", [f"sources: expected a list of names, found {_kind(only)}"])
            only = []
        takes = {field.name for field in fields(kinds[name])}
        if "encoding" in takes and "encoding" not in rest and encoding:
            rest["encoding"] = encoding
        elif (
            "encoding" in takes and "encoding" not in rest and any("tokens" in key for key in rest)
        ):
            self.add(f"{where} {name}", ["counts tokens, but the recipe says tokens: none"])
            return None
        step, problems = make(kinds[name], rest)
        self.add(f"{where} {name}", problems)
        if isinstance(step, CheckLeakage):
            step = step.at(self.folder)
            self.add(f"{where} {name}", step.problems())
        number = int(where.removeprefix("steps[").removesuffix("]"))
        return StepUse(number, name, step, tuple(only)) if step is not None else None

    def accepts(self, value: object, names: list[str]) -> Accepts:
        table = self.table(value, "accepts") if value is not None else {}
        found, problems = make(Accepts, table or {})
        self.add("accepts", problems)
        for name in found.unlicensed if found else ():
            if name not in names:
                words = f"no source is called {name!r}{nearest(name, names)}"
                self.add("accepts", [f"unlicensed: {words}"])
        return found or NOTHING_MORE

    def check(self, table: dict[str, object], where: str) -> tuple[str, Check] | None:
        rest = dict(table)
        name = rest.pop("type", None)
        if not isinstance(name, str) or name not in CHECKS:
            known = nearest(str(name), list(CHECKS))
            self.add(
                where, ["missing key 'type'" if name is None else f"unknown check {name!r}{known}"]
            )
            return None
        check, problems = make(CHECKS[name], rest)
        self.add(f"{where} {name}", problems)
        return (name, check) if check is not None else None


@dataclass(frozen=True)
class _Head:
    """The keys of a recipe beside its lists."""

    name: str
    description: str = ""
    license: str = ""
    seed: int = 0
    tokens: str = NO_TOKENS

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(
                f"name is {self.name!r}; expected lower-case letters, digits, '-', '_' and '.'"
            )


PARTS = ("accepts", "sources", "steps", "checks")


def parse_recipe(value: object, folder: Path, where: str = "recipe") -> Recipe:
    """Make a recipe from plain values, as YAML gives them.

    Args:
        value: the tables.
        folder: where relative paths start.
        where: what error messages call the recipe.

    Raises:
        RecipeError: with every problem there is, not only the first.
    """
    reading = _Reading(folder, [])
    table = reading.table(value, "recipe")
    if table is None:
        raise RecipeError(reading.problems, where)
    known = [field.name for field in fields(_Head)]
    reading.problems += key_problems(table, [*known, *PARTS], ["name", "sources"])
    head, problems = make(_Head, {key: table[key] for key in known if key in table})
    reading.problems += [problem for problem in problems if not problem.startswith("missing")]
    tokens = table.get("tokens", NO_TOKENS)
    encoding = tokens if isinstance(tokens, str) and tokens != NO_TOKENS else None
    sources = [
        reading.source(item, place)
        for place, item in reading.tables(table.get("sources"), "sources")
    ]
    steps = [
        reading.step(item, place, encoding)
        for place, item in reading.tables(table.get("steps"), "steps")
    ]
    checks = [
        reading.check(item, place) for place, item in reading.tables(table.get("checks"), "checks")
    ]
    names = [
        str(item.get("name")) for _, item in _Reading(folder, []).tables(table.get("sources"), "")
    ]
    accepts = reading.accepts(table.get("accepts"), names)
    uses = tuple(use for use in steps if use is not None)
    kept = tuple(filter(None, checks))
    if "sources" in table and not table["sources"]:
        reading.problems.append("sources: is empty; expected at least one")
    reading.problems += contradictions(names, uses, kept, encoding)
    template = folder / TEMPLATE
    if template.is_file():
        reading.problems += _card_problems(template)
    if reading.problems or head is None:
        raise RecipeError(reading.problems, where)
    uses = _numbered(list(uses), encoding)
    bound = tuple(source for source in sources if source is not None)
    return Recipe(
        head.name,
        bound,
        uses,
        kept,
        head.description,
        head.license,
        head.seed,
        head.tokens,
        accepts,
        folder,
    )


def _card_problems(template: Path) -> list[str]:
    try:
        text = template.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return [f"{TEMPLATE}: cannot be read as UTF-8 text ({error})"]
    return [f"{TEMPLATE}: {problem}" for problem in card_problems(text, TEMPLATE)]


def _numbered(uses: list[StepUse], encoding: str | None) -> tuple[StepUse, ...]:
    """Number the steps, after adding the count of tokens where texts no longer change."""
    if encoding is not None and not any(use.type == "tokens" for use in uses):
        last = max((place for place, use in enumerate(uses) if use.type in ROW_STEPS), default=-1)
        uses.insert(last + 1, StepUse(0, "tokens", Tokens(encoding)))
    return tuple(replace(use, number=number) for number, use in enumerate(uses, start=1))


def load_recipe(
    path: str | Path, paths: Mapping[str, str] | None = None, endpoint: str = "", model: str = ""
) -> Recipe:
    """Read a recipe file, or the `recipe.yaml` of a folder.

    Args:
        path: the file or folder.
        paths: other paths for some sources, by source name (relative to the working folder).
        endpoint: of another teacher, for all sources that are generated.
        model: the same.

    Raises:
        RecipeError: the file cannot be read, or is wrong: all its problems at once.
    """
    path = Path(path)
    file = path / "recipe.yaml" if path.is_dir() else path
    value = load_yaml(file)
    for name, other in (paths or {}).items():
        _redirect(value, name, str(Path(other).absolute()), str(file))
    try:
        _ = endpoint and plain_endpoint(endpoint)
    except ValueError as error:
        raise RecipeError([f"--endpoint: {error}"], str(file)) from error
    _with_teacher(value, {"endpoint": endpoint, "model": model})
    return parse_recipe(value, file.parent, str(file))


def _with_teacher(value: object, other: Mapping[str, str]) -> None:
    sources = value.get("sources") if isinstance(value, dict) else None
    for table in sources if isinstance(sources, list) else []:
        teacher = table.get("teacher") if isinstance(table, dict) else None
        if isinstance(teacher, dict):
            teacher.update({name: word for name, word in other.items() if word})


def _redirect(value: object, name: str, path: str, where: str) -> None:
    sources = value.get("sources") if isinstance(value, dict) else None
    tables = [item for item in sources or () if isinstance(item, dict)]
    for table in tables:
        if table.get("name") == name:
            table["path"] = path
            return
    known = [str(table.get("name")) for table in tables]
    raise RecipeError([f"no source is called {name!r}{nearest(name, known)}"], where)


def _kind(value: object) -> str:
    kinds = {dict: "a table", list: "a list", str: "text", type(None): "nothing"}
    return kinds.get(type(value), repr(value))
