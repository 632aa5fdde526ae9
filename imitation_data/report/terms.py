"""Terms under which teachers' outputs come: which of them bar what imitation datasets are for.

A table that is read, not legal advice: each entry gives the words in short and where they stand.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from unicodedata import category, normalize

import yaml

from imitation_data.report.facts import Tally
from imitation_data.report.templates import FOLDER


@dataclass(frozen=True, slots=True)
class Terms:
    """What a provider asks of those who use its models' outputs.

    Attributes:
        key: the word by which a recipe accepts them.
        provider: in words.
        models: shell patterns of model names, in lower case.
        bars: what they bar or bind, in short.
        url: where they stand.
        without: patterns of models that come under other terms.
    """

    key: str
    provider: str
    models: tuple[str, ...]
    bars: str
    url: str
    without: tuple[str, ...] = ()

    def cover(self, model: str) -> bool:
        """Whether outputs of this model come under them."""
        names = _names(model)
        named = {name for name in names for one in self.models if fnmatchcase(name, one)}
        return any(
            not any(fnmatchcase(name, pattern) for pattern in self.without) for name in named
        )


def _names(model: str) -> set[str]:
    """The ways to read a model's name: people and gateways write it with a provider before it.

    `us.anthropic.claude-3`, `openai:gpt-4o`, `ft:gpt-3.5-turbo:acme`, `GPT 4`, `llama3:8b` and
    `human, gpt-4` all name a model of the table; a hyphen may be any dash.
    """
    plain = "".join(
        "-" if category(letter) == "Pd" else letter
        for letter in normalize("NFKC", model).strip().lower()
        if category(letter) != "Cf"
    )
    plain = re.sub(r"[\s_]+", "-", plain)
    starts = [0, *(match.end() for match in re.finditer(r"[/:.,;+&|(]-?", plain))]
    return {plain[start:].replace(":", "-") for start in starts}


@cache
def known_terms() -> tuple[Terms, ...]:
    """Return all terms of the table, by key."""
    table = yaml.safe_load((FOLDER / "terms.yaml").read_text(encoding="utf-8"))
    return tuple(
        Terms(
            key,
            one["provider"],
            tuple(one["models"]),
            one["bars"],
            one["url"],
            tuple(one.get("except", ())),
        )
        for key, one in sorted(table.items())
    )


def terms_of(model: str) -> Terms | None:
    """Return the terms that a model's outputs come under; None where the table has none."""
    return next((terms for terms in known_terms() if terms.cover(model)), None)


def terms_notes(teachers: Mapping[str, Tally], accepted: Collection[str]) -> Iterator[str]:
    """Say which terms the rows come under, and whether the recipe accepts them.

    Args:
        teachers: rows by the model that wrote them, "" where none is named.
        accepted: keys of terms.
    """
    for terms, models in by_terms(teachers):
        rows = sum(teachers[model].rows for model in models)
        said = "The recipe accepts these terms." if terms.key in accepted else "Not accepted yet."
        named = ", ".join(models)
        yield (
            f"{rows:,} rows were written by {named} and come under the terms of {terms.provider}: "
            f"{terms.bars} (in short; they stand at {terms.url}). {said}"
        )
    unknown = sorted(model for model in teachers if model and not terms_of(model))
    if unknown:
        yield (
            f"Nothing is known here about the terms of {', '.join(unknown)}; look them up before "
            "you use what they wrote."
        )


def by_terms(models: Iterable[str]) -> list[tuple[Terms, list[str]]]:
    """Return the terms that any of the models come under, each with those models."""
    names = sorted(models)
    found = ((terms, [name for name in names if terms.cover(name)]) for terms in known_terms())
    return [(terms, covered) for terms, covered in found if covered]
