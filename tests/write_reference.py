"""Writes the reference part of docs/recipe.md from the code: `python -m tests.write_reference`.

A test compares the page with the code, so that neither can change alone.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path

from imitation_data.checks import CHECKS
from imitation_data.generate import GENERATORS
from imitation_data.generate.teacher import Teacher
from imitation_data.readers import READERS
from imitation_data.recipe import DATASET_STEPS
from imitation_data.rows import ROW_STEPS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "recipe.md"
MARK = "<!-- reference -->\n"
TABLES: Mapping[str, Mapping[str, type]] = {
    "Readers": READERS,
    "Procedures": GENERATORS,
    "Teachers": {"teacher": Teacher},
    "Row steps": ROW_STEPS,
    "Dataset steps": DATASET_STEPS,
    "Checks": CHECKS,
}


def page() -> str:
    """The whole page as it should be."""
    before = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    return before + MARK + "\n".join(reference())


def reference() -> Iterator[str]:
    """Headings, first words, and one line an option."""
    for title, table in TABLES.items():
        yield f"\n### {title}\n"
        for name, kind in table.items():
            words, options = parted(inspect.getdoc(kind) or "")
            yield f"**`{name}`** {words}\n"
            defaults = list(default_of(kind))
            if defaults:
                yield f"Options: {', '.join(defaults)}.\n"
            yield from (f"- {option}" for option in options)
            if options:
                yield ""


def default_of(kind: type) -> Iterator[str]:
    for field in fields(kind):
        if not field.init:
            continue
        if field.default is not MISSING:
            yield f"`{field.name}: {plain(field.default)}`"
        elif field.default_factory is not MISSING:
            yield f"`{field.name}: {{}}`"
        else:
            yield f"`{field.name}` (required)"


def plain(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(plain, value))}]"
    if isinstance(value, float | int) and not isinstance(value, bool):
        return str(value)
    words = {None: "null", True: "true", False: "false", "": '""'}
    if isinstance(value, str) and value:
        return value.replace("\n", "\\n")
    return words[value] if value in words else str(value)


def parted(text: str) -> tuple[str, list[str]]:
    """A docstring's prose, and its attributes one by one."""
    prose, _, rest = text.partition("\n\nAttributes:\n")
    rest = rest.partition("\n\nRaises:")[0]
    options = re.split(r"\n(?=    \w)", rest.rstrip()) if rest else []
    return prose.replace("\n", " ").replace("  ", "\n\n"), [
        " ".join(one.split()) for one in options
    ]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
