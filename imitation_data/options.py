"""From a table of a recipe to a frozen dataclass of options, with every problem as a sentence."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from difflib import get_close_matches
from textwrap import shorten
from typing import Any, TypeVar, cast

Options = TypeVar("Options")


def nearest(word: str, known: list[str]) -> str:
    """Return `; did you mean 'near'?`, or the known words when none is near."""
    near = get_close_matches(word, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(known)}" if known else ""


def key_problems(table: Mapping[str, object], known: list[str], required: list[str]) -> list[str]:
    """List unknown and missing keys as sentences."""
    problems, suggested = [], set()
    for key in table:
        if key not in known:
            near = get_close_matches(str(key), known, n=1)
            suggested.update(near)
            problems.append(f"unknown key {key!r}{nearest(str(key), known)}")
    problems += [
        f"missing key {key!r}" for key in required if key not in table and key not in suggested
    ]
    return problems


def make(kind: type[Options], table: Mapping[str, object]) -> tuple[Options | None, list[str]]:
    """Make `kind`, a dataclass, from a table.

    Returns:
        The value and no problems, or None and all problems, each a sentence that names the key.
    """
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415  workers make no options

    if not is_dataclass(kind):
        raise TypeError(f"{kind.__name__} is not a dataclass")
    known = [field.name for field in fields(kind) if field.init]
    required = [
        field.name
        for field in fields(kind)
        if field.init and field.default is MISSING and field.default_factory is MISSING
    ]
    if problems := key_problems(table, known, required):
        return None, problems
    try:
        return cast("Options", TypeAdapter(kind).validate_python(dict(table))), []
    except ValidationError as error:
        return None, [_sentence(cast("dict[str, Any]", problem)) for problem in error.errors()]


def _sentence(problem: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in problem["loc"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{place}: {message}" if place else message
    found = shorten(repr(problem["input"]), 60, placeholder="…")
    if problem["type"] == "dict_type":
        message = "expected a table of names and values"
    return f"{place}: {message[0].lower()}{message[1:]}, found {found}"


def plain_options(value: object) -> dict[str, object]:
    """A frozen dataclass as plain lists, dicts, strings and numbers."""
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{value!r} is not a value with options")
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value) if field.init}


def brief_options(value: object) -> str:
    """The options that differ from their defaults, on one line, as YAML writes them."""
    import yaml  # noqa: PLC0415  workers write none

    kind = type(value)
    defaults = {field.name: field.default for field in fields(kind)} if is_dataclass(kind) else {}
    told = {
        name: option
        for name, option in plain_options(value).items()
        if option != _plain(defaults.get(name))
    }
    line = yaml.safe_dump(told, default_flow_style=True, sort_keys=False, width=10**6)
    return line.strip().removeprefix("{").removesuffix("}")


def _plain(value: object) -> object:
    if is_dataclass(value):
        return plain_options(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
