"""Checks a dataset must pass before a version is written: the row's schema, a recipe's wishes."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

os.environ.setdefault("PANDERA_VALIDATION_DEPTH", "SCHEMA_AND_DATA")

import polars as pl

from imitation_data.conversation import ROLES
from imitation_data.report.facts import Facts, Tally

if TYPE_CHECKING:
    import pandera.polars as pa

SHOWN = 20  # failing rows named for each check


@runtime_checkable
class RowCheck(Protocol):
    """A check that every row must pass on its own."""

    def passes(self) -> pl.Expr:
        """A boolean expression over the row's columns: True where the row is right."""
        ...

    def limit(self) -> str:
        """What rows are held against, in words."""
        ...


@runtime_checkable
class DatasetCheck(Protocol):
    """A check on the dataset as a whole."""

    def judge(self, facts: Facts) -> tuple[bool, str, str]:
        """Say whether the facts pass, what was found and what it was held against."""
        ...


@dataclass(frozen=True)
class MinRows:
    """The dataset has at least so many rows."""

    rows: int

    def judge(self, facts: Facts) -> tuple[bool, str, str]:
        found = facts.total.rows
        return found >= self.rows, f"{found:,} rows", f"at least {self.rows:,}"


@dataclass(frozen=True)
class SourceShare:
    """A source makes up a share of the rows within limits (fractions)."""

    source: str
    least: float = 0.0
    most: float = 1.0

    def __post_init__(self) -> None:
        _limits(self.least, self.most)

    def judge(self, facts: Facts) -> tuple[bool, str, str]:
        return _share(facts.sources, self.source, facts, (self.least, self.most))


@dataclass(frozen=True)
class LanguageShare:
    """A language (ISO 639-1) makes up a share of the rows within limits (fractions)."""

    language: str
    least: float = 0.0
    most: float = 1.0

    def __post_init__(self) -> None:
        _limits(self.least, self.most)

    def judge(self, facts: Facts) -> tuple[bool, str, str]:
        return _share(facts.languages, self.language, facts, (self.least, self.most))


def _share(
    tallies: Mapping[str, Tally], value: str, facts: Facts, limits: tuple[float, float]
) -> tuple[bool, str, str]:
    mine, total = tallies.get(value, Tally()).rows, facts.total.rows
    share = mine / total if total else 0.0
    found = f"{share:.1%} ({mine:,} of {total:,} rows) are {value}"
    return limits[0] <= share <= limits[1], found, f"{limits[0]:.1%} to {limits[1]:.1%}"


@dataclass(frozen=True)
class TokenRange:
    """Every row has a number of tokens within limits; needs an encoding."""

    least: int = 1
    most: int | None = None

    def __post_init__(self) -> None:
        if self.most is not None and self.least > self.most:
            raise ValueError(f"least ({self.least:,}) is more than most ({self.most:,})")

    def passes(self) -> pl.Expr:
        enough = pl.col("tokens").fill_null(-1) >= self.least
        return enough if self.most is None else enough & (pl.col("tokens") <= self.most)

    def limit(self) -> str:
        return f"at least {self.least:,}" + (
            "" if self.most is None else f", at most {self.most:,}"
        )


@dataclass(frozen=True)
class Licenses:
    """Every row's licence is one of these."""

    allowed: tuple[str, ...]

    def passes(self) -> pl.Expr:
        return pl.col("license").is_in(list(self.allowed))

    def limit(self) -> str:
        return "one of " + ", ".join(self.allowed)


@dataclass(frozen=True)
class NoEmptyTurn:
    """No turn is empty or white space only."""

    def passes(self) -> pl.Expr:
        text = pl.element().struct.field("content").str.strip_chars()
        return pl.col("messages").list.eval(text.str.len_bytes() > 0).list.all()

    def limit(self) -> str:
        return "text in every turn"


@dataclass(frozen=True)
class RolesAlternate:
    """User and assistant take turns, user first, assistant last; a system turn may lead."""

    def passes(self) -> pl.Expr:
        roles = pl.col("messages").list.eval(pl.element().struct.field("role").str.slice(0, 1))
        return roles.list.join("").str.contains(r"^s?(?:ua)+$")

    def limit(self) -> str:
        return "[system] (user assistant)+"


Check = RowCheck | DatasetCheck

CHECKS: Mapping[str, type] = {
    "min_rows": MinRows,
    "source_share": SourceShare,
    "language_share": LanguageShare,
    "token_range": TokenRange,
    "licenses": Licenses,
    "no_empty_turn": NoEmptyTurn,
    "roles_alternate": RolesAlternate,
}


def _limits(least: float, most: float) -> None:
    if not 0 <= least <= most <= 1:
        raise ValueError(
            f"least is {least:g} and most is {most:g}; expected 0 <= least <= most <= 1"
        )


class Rule(NamedTuple):
    """What one column of a row must be.

    Attributes:
        checks: each makes a boolean expression of the column; null counts as right.
        nullable: whether null is allowed.
        kind: the type, where no check would fail on another.
    """

    checks: tuple[Callable[[pl.Expr], pl.Expr], ...] = ()
    nullable: bool = False
    kind: type[pl.DataType] | None = None


_KNOWN_ROLES = pl.element().struct.field("role").is_in(list(ROLES))
RULES: Mapping[str, Rule] = {
    "id": Rule((lambda text: text.str.contains(r"^[0-9a-f]{32}$"),)),
    "messages": Rule(
        (
            lambda turns: turns.list.len() > 0,
            lambda turns: turns.list.eval(_KNOWN_ROLES).list.all(),
        )
    ),
    "source": Rule((lambda text: text.str.len_bytes() > 0,)),
    "origin": Rule((lambda text: text.str.len_bytes() > 0,)),
    "part": Rule((lambda number: number >= 0,)),
    "teacher": Rule(nullable=True, kind=pl.String),
    "language": Rule((lambda code: code.str.contains("^[a-z]{2,3}$"),), nullable=True),
    "license": Rule(kind=pl.String),
    "tokens": Rule((lambda number: number >= 0,), nullable=True),
    "meta": Rule((lambda text: text.str.contains(r"^\{.*\}$"),)),
}


def _rules(*, tokens: bool) -> Mapping[str, Rule]:
    return {**RULES, "tokens": RULES["tokens"]._replace(nullable=not tokens)}


@cache
def row_schema(*, tokens: bool) -> "pa.DataFrameSchema":
    """The pandera schema of a row.

    Args:
        tokens: whether an encoding is named, so that `tokens` may not be null.
    """
    import pandera.polars as pa  # noqa: PLC0415 - takes a second to import

    def check(holds: Callable[[pl.Expr], pl.Expr]) -> pa.Check:
        return pa.Check(lambda data: data.lazyframe.select(holds(pl.col(data.key))))

    columns = {
        name: pa.Column(rule.kind, checks=list(map(check, rule.checks)), nullable=rule.nullable)
        for name, rule in _rules(tokens=tokens).items()
    }
    return pa.DataFrameSchema(columns, strict=False, unique=None)


def breaks_schema(frame: pl.DataFrame, *, tokens: bool) -> bool:
    """Say whether any row breaks the schema: what pandera says, without importing it."""
    rules = _rules(tokens=tokens)
    if not set(rules) <= set(frame.columns):
        return True
    if any(rule.kind and frame.schema[name] != rule.kind for name, rule in rules.items()):
        return True
    right = [
        holds(pl.col(name)).fill_null(value=True)
        for name, rule in rules.items()
        for holds in rule.checks
    ]
    right += [pl.col(name).is_not_null() for name, rule in rules.items() if not rule.nullable]
    return not frame.select(pl.all_horizontal(right).all()).item()


@dataclass(frozen=True, slots=True)
class Failing:
    """Rows of one shard that fail a check: how many, and the first few by id."""

    rows: int
    ids: tuple[str, ...]


def failing_rows(frame: pl.DataFrame, check: RowCheck) -> Failing:
    """Find the rows that a check refuses."""
    bad = frame.filter(~check.passes().fill_null(value=False))["id"]
    return Failing(len(bad), tuple(bad.head(SHOWN).to_list()))


def schema_failures(frame: pl.DataFrame, *, tokens: bool) -> dict[str, Failing]:
    """Hold rows against the schema; by column, the rows that break it."""
    if not breaks_schema(frame, tokens=tokens):
        return {}
    import pandera.errors  # noqa: PLC0415 - takes a second to import

    try:
        row_schema(tokens=tokens).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
        return {
            str(column): _failing(frame, cases.filter(pl.col("column").eq_missing(pl.lit(column))))
            for column in cases["column"].unique().sort().to_list()
        }
    return {}


def _failing(frame: pl.DataFrame, cases: pl.DataFrame) -> Failing:
    places: Sequence[int] = cases["index"].drop_nulls().unique().sort().to_list()
    ids = frame["id"].to_list()
    return Failing(max(len(places), 1), tuple(ids[place] for place in places[:SHOWN]))
