"""Two recipes compared, with their sources and tools: steps by type and order, options by name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Literal

from imitation_data.diff.history import History, SourceTold, StepTold

State = Literal["new", "gone", "changed"]

SEEDED = ("mix", "sample", "split")  # steps that draw from the recipe's seed
WIDTH = 60  # characters of a value that are told
_LONG = 300  # steps; longer recipes are paired by type alone, longer lists told by their beginning
_DEEP = 5  # tables in tables whose options are told apart
_BY_TYPE = 1000  # what a pair of equal type weighs; equal options weigh 1 beside it


def counted(rows: int) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{rows:,} row" if rows == 1 else f"{rows:,} rows"


@dataclass(frozen=True)
class OptionChange:
    """One option, before and after, in words; None where there was none."""

    name: str
    old: str | None
    new: str | None

    def __str__(self) -> str:
        old, new = ("(none)" if value is None else value for value in (self.old, self.new))
        return f"{self.name} {old} → {new}"


@dataclass(frozen=True)
class StepChange:
    """A step (or check) that is new, gone, has other options or stands at another place.

    Attributes:
        old, new: its number in either recipe; 0 where it is in one alone.
        reordered: whether it stands at another place among the others.
    """

    type: str
    state: State
    old: int = 0
    new: int = 0
    options: tuple[OptionChange, ...] = ()
    reordered: bool = False

    @property
    def how(self) -> str:
        """What changed, without the step's name."""
        if self.state != "changed":
            return f"the step is {self.state}"
        moved = ("it stands at another place",) if self.reordered else ()
        return ", ".join((*map(str, self.options), *moved))

    def __str__(self) -> str:
        return (
            f"{self.type} is {self.state}"
            if self.state != "changed"
            else f"{self.type}: {self.how}"
        )


@dataclass(frozen=True)
class SourceChange:
    """A source that is new, gone, read otherwise, or has other files.

    Attributes:
        options: what the recipe says otherwise.
        files: what became of its files, in words; empty where they are the same.
        records: raw records read, before and after.
    """

    name: str
    state: State
    options: tuple[OptionChange, ...] = ()
    files: str = ""
    records: tuple[int, int] = (0, 0)

    def __str__(self) -> str:
        if self.state != "changed":
            count = self.records[self.state == "new"]
            return f"{self.name} is {self.state} ({count:,} records)"
        before, after = self.records
        read = f" ({before:,} → {after:,} records)" if self.files else ""
        return f"{self.name}: " + ", ".join(
            (*map(str, self.options), *filter(None, [self.files + read]))
        )


@dataclass(frozen=True)
class Changes:
    """All that two versions tell differently about how they were made.

    Attributes:
        pairs: number of a step in the old recipe, by its number in the new one.
        head: the recipe's own keys.
        tools: distributions of other versions.
    """

    pairs: Mapping[int, int]
    steps: tuple[StepChange, ...] = ()
    checks: tuple[StepChange, ...] = ()
    sources: tuple[SourceChange, ...] = ()
    head: tuple[OptionChange, ...] = ()
    tools: tuple[OptionChange, ...] = ()

    @property
    def words(self) -> dict[str, list[str]]:
        """What changed, a sentence each: in the recipe, its sources, and the tools."""
        recipe = (
            *map(str, self.head),
            *(f"step {step}" for step in self.steps),
            *(f"check {check}" for check in self.checks),
        )
        return {
            "recipe": list(recipe),
            "sources": [f"source {source}" for source in self.sources],
            "tools": list(map(str, self.tools)),
        }


def changes_between(old: History, new: History) -> Changes:
    """Compare how two versions were made."""
    pairs = aligned(old.steps, new.steps)
    head = options_between(old.head, new.head)
    more = {
        **{name: [one for one in head if one.name == "seed"] for name in SEEDED},
        "leakage": options_between(old.benchmarks, new.benchmarks, "items of "),
    }
    return Changes(
        pairs,
        tuple(_steps(old.steps, new.steps, pairs, more)),
        tuple(_steps(old.checks, new.checks, aligned(old.checks, new.checks), {})),
        tuple(_sources(old.sources, new.sources)),
        tuple(head),
        tuple(options_between(old.tools, new.tools)),
    )


def aligned(old: Sequence[StepTold], new: Sequence[StepTold]) -> dict[int, int]:
    """Pair steps of one type: as many as keep their order, equal ones first, then what is left.

    Returns:
        Number in `old` by number in `new`.
    """
    pairs = dict(_in_order(old, new)) if max(len(old), len(new)) <= _LONG else {}
    free: dict[str, list[int]] = {}
    for step in old:
        if step.number not in pairs.values():
            free.setdefault(step.type, []).append(step.number)
    for step in new:
        if step.number not in pairs and free.get(step.type):
            pairs[step.number] = free[step.type].pop(0)
    return pairs


def _in_order(old: Sequence[StepTold], new: Sequence[StepTold]) -> Iterator[tuple[int, int]]:
    """The heaviest common subsequence, by the usual table of best weights of what follows."""
    best = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            best[i][j] = max(
                best[i + 1][j],
                best[i][j + 1],
                _weight(old[i], new[j]) and _weight(old[i], new[j]) + best[i + 1][j + 1],
            )
    i = j = 0
    while i < len(old) and j < len(new):
        weight = _weight(old[i], new[j])
        if weight and best[i][j] == weight + best[i + 1][j + 1]:
            yield new[j].number, old[i].number
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1


def _weight(old: StepTold, new: StepTold) -> int:
    return 0 if old.type != new.type else _BY_TYPE + (old.options == new.options)


def _steps(
    old: Sequence[StepTold],
    new: Sequence[StepTold],
    pairs: Mapping[int, int],
    more: Mapping[str, Sequence[OptionChange]],
) -> Iterator[StepChange]:
    """Steps that changed: of the new recipe in order, then those that are gone."""
    before = {step.number: step for step in old}
    kept = [pairs[step.number] for step in new if step.number in pairs]
    for step in new:
        if step.number not in pairs:
            yield StepChange(step.type, "new", new=step.number)
            continue
        mine = before[pairs[step.number]]
        options = (*options_between(mine.options, step.options), *more.get(step.type, ()))
        place = kept.index(mine.number)
        reordered = any(one > mine.number for one in kept[:place])
        if options or reordered:
            yield StepChange(step.type, "changed", mine.number, step.number, options, reordered)
    gone = before.keys() - set(kept)
    yield from (StepChange(before[number].type, "gone", old=number) for number in sorted(gone))


def _sources(
    old: Mapping[str, SourceTold], new: Mapping[str, SourceTold]
) -> Iterator[SourceChange]:
    for name in dict.fromkeys([*new, *old]):
        one, two = old.get(name), new.get(name)
        if one is None or two is None:
            records = (one.records if one else 0, two.records if two else 0)
            yield SourceChange(name, "gone" if one else "new", records=records)
            continue
        options = tuple(options_between(one.settings, two.settings))
        files = _files(one, two)
        if options or files:
            yield SourceChange(name, "changed", options, files, (one.records, two.records))


def _files(old: SourceTold, new: SourceTold) -> str:
    if old.checksum == new.checksum and old.files == new.files:
        return ""
    both = old.files.keys() & new.files.keys()
    counts = {
        "changed": sum(old.files[name] != new.files[name] for name in both),
        "new": len(new.files.keys() - both),
        "gone": len(old.files.keys() - both),
    }
    told = [f"{count:,} {word}" for word, count in counts.items() if count]
    return f"files: {', '.join(told)}" if told else "files changed"


def options_between(
    old: Mapping[str, object], new: Mapping[str, object], prefix: str = ""
) -> list[OptionChange]:
    """What differs between two tables of options, tables in them by their own keys."""
    found = []
    for name in dict.fromkeys([*old, *new]):
        one, two = old.get(name), new.get(name)
        if name in old and name in new and one == two:
            continue
        if isinstance(one, dict) and isinstance(two, dict) and prefix.count(".") < _DEEP:
            found += options_between(one, two, f"{prefix}{name}.")
            continue
        words = [told(table[name]) if name in table else None for table in (old, new)]
        if (
            isinstance(one, list)
            and isinstance(two, list)
            and any(str(word).endswith("…") for word in words)
            and len(one) * len(two) < _LONG**2
        ):
            words = [
                told([item for item in mine if item not in other])
                for mine, other in ((one, two), (two, one))
            ]
        found.append(OptionChange(f"{prefix}{name}", *words))
    return found


def told(value: object) -> str:
    """A value on one line, as YAML writes it, cut where it is long."""
    import yaml  # noqa: PLC0415 - only needed where something changed

    line = yaml.safe_dump(
        value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=10**9
    )
    line = line.removesuffix("...\n").strip()
    return shorten(line, WIDTH, placeholder=" …") if " " in line else _cut(line)


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 2]} …"
