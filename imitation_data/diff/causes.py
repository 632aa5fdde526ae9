"""Why rows came, went or changed: told from both ledgers, recipes, sources and tools.

A ledger says which step dropped or edited a record; the recipes say how that step differs. What
no ledger can say, that a record itself changed in its source, is told by exclusion, and so it says.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from imitation_data.diff.changes import Changes, SourceChange, StepChange, counted
from imitation_data.diff.ledgers import Entry, Record, Told
from imitation_data.diff.match import KINDS, Kind

AT_ONCE = 50_000  # rows whose ledger entries are in memory
_TOLD = 3  # changes that one sentence names

Why = tuple[str, str]
"""A slug and words."""

_Teller = Callable[[Record, int, str], Why]
_About = tuple[Mapping[Record, list[Entry]], set[Record]]


@dataclass(frozen=True)
class Cause:
    """Why some rows of one kind are in the diff.

    Attributes:
        kind: of the rows.
        why: a stable slug: `step_new`, `step_gone`, `step_options`, `lost_to`, `other_rows`,
            `edited`, `pieces`, `split`, `columns`, `source_new`, `source_gone`, `source_files`,
            `source_options`, `bad_record`, `steps`, `tools` or `unknown`.
        words: the same in words, with what changed.
        rows: how many; each row has one cause.
        key: of the first such row.
    """

    kind: Kind
    why: str
    words: str
    rows: int
    key: str

    def __str__(self) -> str:
        return f"{counted(self.rows)} {self.kind}: {self.words}"


def causes_of(
    tables: Mapping[Kind, pl.DataFrame], old: Told, new: Told, changes: Changes
) -> tuple[Cause, ...]:
    """Give every row of the diff one cause; the most frequent of each kind first.

    Args:
        tables: the diff's rows by kind.
        old: one version.
        new: the other.
        changes: how their making differs.
    """
    found = []
    for kind in KINDS:
        counts: Counter[Why] = Counter()
        first: dict[Why, str] = {}
        for rows in tables[kind].iter_slices(AT_ONCE):
            for key, why in _causes(kind, rows, old, new, changes):
                counts[why] += 1
                first.setdefault(why, key)
        mine = [Cause(kind, *why, rows, first[why]) for why, rows in counts.items()]
        found += sorted(mine, key=lambda cause: (-cause.rows, cause.words))
    return tuple(found)


def _causes(
    kind: Kind, rows: pl.DataFrame, old: Told, new: Told, changes: Changes
) -> Iterator[tuple[str, Why]]:
    side = "new" if kind == "added" else "old"
    names = (f"{side}_source", f"{side}_origin", f"{side}_part", "columns")
    records = rows.select(source=names[0], origin=names[1]).unique()
    before, after = old.about(records), new.about(records)
    why: _Teller
    if kind in {"added", "removed", "rekeyed"}:
        gone = kind != "added"
        why = _Absence(changes, *((before, after) if gone else (after, before)), gone).why
    elif kind == "changed":
        why = _Change(changes, before[0], after[0]).why
    else:
        why = _Rest(changes, moved=kind == "moved").why
    for source, origin, part, columns in rows.select(names).iter_rows():
        yield f"{source}/{origin}:{part}", why((source, origin), part, columns)


def _chain(part: int, entries: Sequence[Entry]) -> list[Entry]:
    """How a part was cut from another, and that from another; none for what was not cut."""
    made = {entry.part: entry for entry in entries if entry.parent is not None}
    chain: list[Entry] = []
    while part in made and len(chain) < len(made):
        chain.append(made[part])
        part = made[part].parent or 0
    return chain


def _joined(changes: Sequence[object]) -> str:
    more = f" and {len(changes) - _TOLD:,} more" if len(changes) > _TOLD else ""
    return "; ".join(map(str, changes[:_TOLD])) + more


def _source_change(changes: Changes, name: str) -> SourceChange | None:
    return next((change for change in changes.sources if change.name == name), None)


def _by_exclusion(changes: Changes, source: str, before: int | None = None) -> Why | None:
    """What may have changed a record where no step has noted it.

    Args:
        changes: of the making.
        source: of the record.
        before: number of the step in the new recipe up to which texts count; None for all.
    """
    change = _source_change(changes, source)
    if change and change.options:
        return "source_options", f"{source} is read otherwise: {_joined(change.options)}"
    if change and change.files:
        return (
            "source_files",
            f"its text changed in {source}, as far as can be told ({change.files})",
        )
    steps = [
        step for step in changes.steps if before is None or 0 < (step.new or step.old) < before
    ]
    if steps:
        return "steps", f"steps before it changed: {_joined(steps)}"
    return None


def _unknown(changes: Changes) -> Why:
    if changes.tools:
        return "tools", f"recipe and sources are the same; made with {_joined(changes.tools)}"
    return "unknown", "recipe, sources and tools are the same; nothing tells why"


def _touched(
    changes: Changes, part: int, old: Sequence[Entry], new: Sequence[Entry], *actions: str
) -> list[StepChange]:
    """Steps that changed and have an entry about a record: pieces of it, or edits of this part."""
    parts = {part, *(entry.parent for entry in (*_chain(part, old), *_chain(part, new)))}

    def noted(entries: Sequence[Entry], number: int) -> bool:
        return any(
            entry.step == number
            and entry.action in actions
            and (entry.action == "create" or entry.part in parts)
            for entry in entries
            if number
        )

    return [change for change in changes.steps if noted(old, change.old) or noted(new, change.new)]


@dataclass(frozen=True)
class _Absence:
    """Why rows of one version are not in the other.

    Attributes:
        here: entries of the records in the version that has the row, and which have rows.
        there: the same of the version that does not.
        gone: whether the version without them is the new one.
    """

    changes: Changes
    here: _About
    there: _About
    gone: bool

    def why(self, record: Record, part: int, _: str) -> Why:
        here, there = self.here[0].get(record, []), self.there[0].get(record, [])
        if drop := self._drop(part, here, there):
            return self._dropped(drop, record[0], part, (here, there))
        if any(entry.action == "bad_record" for entry in there):
            told = "can no longer be read" if self.gone else "could not be read before"
            change = _source_change(self.changes, record[0])
            return "bad_record", f"the record {told}" + (f"; {change}" if change else "")
        if there or record in self.there[1]:
            return self._pieces(record[0], part, here, there)
        return self._no_record(record[0])

    def _number(self, number: int) -> int:
        """The same step's number in the version without the row; 0 where it has none."""
        pairs = self.changes.pairs
        if not self.gone:
            return pairs.get(number, 0)
        return next((new for new, old in pairs.items() if old == number), 0)

    def _drop(self, part: int, here: Sequence[Entry], there: Sequence[Entry]) -> Entry | None:
        """The drop of the part, or of what it would have been cut from; else of its record."""
        drops = [entry for entry in there if entry.action == "drop"]
        for entry in drops:
            if entry.part == part:
                return entry
        for cut in _chain(part, here):
            cuts = self._number(cut.step)
            for entry in drops:
                if entry.part == cut.parent and (not cuts or entry.step < cuts):
                    return entry
        reading = [entry for entry in drops if not entry.step]
        return reading[0] if len(reading) == len(there) and reading else None

    def _dropped(
        self, drop: Entry, source: str, part: int, both: tuple[Sequence[Entry], Sequence[Entry]]
    ) -> Why:
        by = f"{'dropped' if self.gone else 'no longer dropped'} by {drop.name}"
        if not drop.step:
            slug, words = _by_exclusion(self.changes, source, 1) or _unknown(self.changes)
            return slug, f"{by}ing {source} ({drop.reason}); {words}"
        for change in self.changes.steps:
            if (change.new if self.gone else change.old) == drop.step:
                slug = "step_options" if change.state == "changed" else f"step_{change.state}"
                return slug, f"{by}; {change.how}"
        if drop.lost_to_absent:
            lacks = "old" if self.gone else "new"
            return "lost_to", f"{by}, lost to a row that the {lacks} version does not have"
        slug, words = self._before(drop, source, part, both)
        return slug, f"{by}; {words}"

    def _before(
        self, drop: Entry, source: str, part: int, both: tuple[Sequence[Entry], Sequence[Entry]]
    ) -> Why:
        """What changed before a step that drops otherwise and is the same."""
        old, new = both if self.gone else both[::-1]
        number = drop.step if self.gone else self._number_in_new(drop.step)
        touched = _touched(self.changes, part, old, new, "edit", "create")
        if steps := [step for step in touched if (step.new or step.old) < number]:
            return "steps", f"steps before it changed: {_joined(steps)}"
        if told := _by_exclusion(self.changes, source, number):
            return told
        if drop.name in {"sample", "mix"} or drop.other:
            return "other_rows", "other rows came or went before it"
        return _unknown(self.changes)

    def _number_in_new(self, old: int) -> int:
        return next((new for new, number in self.changes.pairs.items() if number == old), old)

    def _pieces(self, source: str, part: int, here: list[Entry], there: list[Entry]) -> Why:
        old, new = (here, there) if self.gone else (there, here)
        if steps := _touched(self.changes, part, old, new, "create"):
            return "pieces", f"its record is cut into other pieces by {_joined(steps)}"
        slug, words = _by_exclusion(self.changes, source) or _unknown(self.changes)
        return slug, f"its record is cut into other pieces; {words}"

    def _no_record(self, source: str) -> Why:
        change = _source_change(self.changes, source)
        state = "gone" if self.gone else "new"
        if change and change.state != "changed":
            return f"source_{state}", f"source {source} is {state}"
        where = "is no longer" if self.gone else "was not yet"
        if change and change.files:
            return "source_files", f"the record {where} in {source} ({change.files})"
        slug, words = _by_exclusion(self.changes, source, 1) or _unknown(self.changes)
        return slug, f"the record {where} read from {source}; {words}"


@dataclass(frozen=True)
class _Change:
    """Why the content of a row changed, by the entries of its record in both versions."""

    changes: Changes
    old: Mapping[Record, list[Entry]]
    new: Mapping[Record, list[Entry]]

    def why(self, record: Record, part: int, _: str) -> Why:
        old, new = self.old.get(record, []), self.new.get(record, [])
        source = _source_change(self.changes, record[0])
        files = source.files if source else ""
        if steps := _touched(self.changes, part, old, new, "edit", "create"):
            told = f"edited by {_joined(steps)}"
            return "edited", f"{told} ({record[0]} changed, too: {files})" if files else told
        if told_by := _by_exclusion(self.changes, record[0]):
            return told_by
        return _unknown(self.changes)


_BY: Mapping[str, str] = {"language": "language", "tokens": "tokens"}
"""The step that fills a column."""


@dataclass(frozen=True)
class _Rest:
    """Why rows moved between splits, or other columns than the messages changed."""

    changes: Changes
    moved: bool

    def why(self, record: Record, _: int, columns: str) -> Why:
        return self._moved() if self.moved else self._annotated(record[0], columns)

    def _moved(self) -> Why:
        changes = self.changes
        if splits := [step for step in changes.steps if step.type == "split"]:
            return "split", _joined(splits)
        if changes.steps or changes.sources or changes.head:
            return "split", "split has the same options; rows it links with these came or went"
        return _unknown(changes)

    def _annotated(self, source: str, columns: str) -> Why:
        """One sentence for all columns."""
        reasons: list[object] = []
        change = _source_change(self.changes, source)
        for column in columns.split(", "):
            if column in _BY:
                reasons += [step for step in self.changes.steps if step.type == _BY[column]]
                reasons += [one for one in self.changes.head if one.name == column]
            elif change:
                named = [one for one in change.options if one.name.partition(".")[0] == column]
                only = SourceChange(source, "changed", tuple(named))
                reasons.append(only if named else change)
        told = list(dict.fromkeys(map(str, reasons)))
        words = _joined(told) if told else _unknown(self.changes)[1]
        return "columns", f"{columns}; {words}"
