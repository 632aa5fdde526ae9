"""YAML as recipes use it: safe, YAML 1.2 booleans, and a key that stands twice is an error."""

import re
from pathlib import Path

import yaml

from imitation_data.errors import RecipeError

MAX_VALUES = 100_000


class _Loader(yaml.SafeLoader):
    """`no` and `on` stay words (Norwegian is a language), duplicate keys are refused."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML reads this class attribute
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str | int | float | bool):
                if key in seen:
                    line = key_node.start_mark.line + 1
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key!r} stands twice (line {line})"
                    )
                seen.add(key)
        mapping: dict[object, object] = super().construct_mapping(node, deep)
        return mapping


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def load_yaml(path: Path) -> object:
    """Read a YAML file.

    Raises:
        RecipeError: the file is missing, is not UTF-8, or is not YAML; the message has the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RecipeError([f"no such file: {path}"], str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError([f"cannot be read as UTF-8 text ({error})"], str(path)) from error
    try:
        value = yaml.load(text, _Loader)  # noqa: S506 - _Loader is a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise RecipeError([f"{place}is not YAML: {problem}"], str(path)) from error
    except RecursionError as error:
        raise RecipeError(["is nested too deep"], str(path)) from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        problem = f"a value cannot be read as the type it claims ({error}); quote it if it is text"
        raise RecipeError([problem], str(path)) from error
    if problem := _unusable(value):
        raise RecipeError([problem], str(path))
    return value


def _unusable(value: object) -> str:
    """Say what in plain values no recipe holds: lone surrogates, or aliases without end."""
    waiting, seen = [value], 0
    while waiting:
        one = waiting.pop()
        seen += 1
        if seen > MAX_VALUES:
            return f"holds more than {MAX_VALUES:,} values (aliases counted each time)"
        if (
            isinstance(one, str)
            and not one.isascii()
            and any("\ud800" <= c <= "\udfff" for c in one)
        ):
            return f"the text {ascii(one)[:60]} holds half a surrogate pair; write the character"
        if isinstance(one, int) and abs(one) >= 1 << 63:
            return f"the number {str(one)[:30]}… does not fit into 64 bits"
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list):
            waiting += one
    return ""


def dump_yaml(value: object) -> str:
    """Write plain values as YAML, keys in the given order, the same bytes every time."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
