"""What became of every row between two sides: the diff, in narrow tables.

    keys ──match──▶ pairs, left over ──other columns──▶ tables by kind ──ledgers, recipes──▶ causes

Texts are not read: equal ids are equal content. Whole rows are fetched where they are shown.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
import orjson
import polars as pl
from numpy.typing import NDArray

from imitation_data.diff.causes import Cause, causes_of
from imitation_data.diff.changes import Changes, changes_between, counted
from imitation_data.diff.history import history_of
from imitation_data.diff.ledgers import told_by
from imitation_data.diff.match import CONTENT, KEY, KINDS, Kind, Matched, Places, balance, match
from imitation_data.diff.sides import OTHER, Side
from imitation_data.errors import StoreError
from imitation_data.versions.semver import Bump, Pairs, fingerprint, sorted_ids

STOOD = frozenset({"file", "line", "record", "row"})
"""Keys of `meta` that say where a record stood."""


@dataclass(frozen=True)
class Diff:
    """What became of every row.

    Attributes:
        old, new: the two sides; their rows are read where they are asked for.
        rows: by kind a table with a line a row. `old` and `new` are places in the sides; then for
            each side source, origin, part, repeat (of the key), split and id, under names as
            `old_split`; null on the side that lacks the row. `columns` names the other columns
            that differ. `removed` stands in the order of the old side, all else in that of the new.
        read: rows of the old side.
        missing: pairs of split and id that the old side has more often than the new one.
        fresh: the reverse.
        fingerprints: of both sides, as `versions.semver.fingerprint` has them.
        changes: how the making of both versions differs; None unless both are versions of ours.
        causes: why; one of them for each row of `rows`, none where `changes` is None.
    """

    old: Side
    new: Side
    rows: Mapping[Kind, pl.DataFrame]
    read: int
    missing: int
    fresh: int
    fingerprints: tuple[str, str]
    changes: Changes | None = None
    causes: tuple[Cause, ...] = ()

    @property
    def bump(self) -> Bump:
        """What the rows alone ask for, as `versions.semver.row_bump` has it."""
        return "major" if self.missing else "minor" if self.fresh else "none"

    def verdict(self, old: str) -> str:
        """What the bump rests on, in words; `old` is what the old side is called in them."""
        if self.missing:
            return f"{counted(self.missing)} of {old} missing or in another split"
        if self.fresh:
            return f"{counted(self.fresh)} added, all of {old} still there"
        return f"the rows of {old}, with the same content and splits"

    @property
    def kept(self) -> int:
        """Rows of the old side that are in the new one with the same content and split."""
        return self.read - sum(self.counts[kind] for kind in ("removed", "changed", "moved"))

    @property
    def counts(self) -> dict[Kind, int]:
        """Rows by kind."""
        return {kind: len(self.rows[kind]) for kind in KINDS}

    @property
    def by_source(self) -> dict[str, dict[Kind, int]]:
        """Rows by source and kind; a rekeyed row counts for the source that has it now."""
        found: dict[str, dict[Kind, int]] = {}
        for kind in KINDS:
            counts = self.rows[kind].get_column(f"{_side_of(kind)}_source").value_counts()
            for source, count in counts.iter_rows():
                found.setdefault(source, dict.fromkeys(KINDS, 0))[kind] = count
        return dict(sorted(found.items()))

    def only(self, kinds: Collection[Kind]) -> "Diff":
        """The same diff with the causes of some kinds of rows alone."""
        causes = tuple(cause for cause in self.causes if cause.kind in kinds)
        return replace(self, causes=causes)


def _side_of(kind: Kind) -> str:
    """The side whose key and order rows of a kind go by."""
    return "old" if kind == "removed" else "new"


def compare(old: Side, new: Side, source: str = "") -> Diff:
    """Compare two sides.

    Args:
        old: what was.
        new: what is.
        source: name rows of this source only; bump and fingerprints are of all rows.

    Raises:
        SourceError: rows cannot be read.
        StoreError: the ledger of a version cannot be read, or neither side has such a source.
    """
    one, two = old.keys(), new.keys()
    matched = match(one, two)
    rows = _tables(one, two, matched, _differing(old, new, matched))
    gone = pl.concat([rows[kind].select(split="old_split", id="old_id") for kind in _UNLIKE])
    come = pl.concat([rows[kind].select(split="new_split", id="new_id") for kind in _UNLIKE])
    missing, fresh = balance(gone.drop_nulls(), come.drop_nulls())
    prints = (fingerprint(_pairs(one)), fingerprint(_pairs(two)))
    if source:
        _refuse_unknown(source, one, two)
        rows = {kind: _of_source(table, source) for kind, table in rows.items()}
    read = int((one.get_column("source") == source).sum()) if source else len(one)
    diff = Diff(old, new, rows, read, missing, fresh, prints)
    return _with_causes(diff, one, two)


_UNLIKE: tuple[Kind, ...] = ("added", "removed", "changed", "moved")


def _differing(old: Side, new: Side, matched: Matched) -> dict[str, NDArray[np.bool_]]:
    """For each pair, those of the same key first, whether a column differs; a column at a time."""
    befores = np.concatenate([matched.old, matched.rekeyed_old])
    afters = np.concatenate([matched.new, matched.rekeyed_new])
    found = {}
    for name in OTHER:
        before, after = old.column(name)[befores], new.column(name)[afters]
        differs = np.array(before.ne_missing(after), bool)
        if name == "meta":
            places = np.flatnonzero(differs)
            pairs = zip(before[places], after[places], strict=True)
            differs[places] = [_told(one) != _told(two) for one, two in pairs]
        found[name] = differs
    return found


def _told(meta: str) -> object:
    """What a row's `meta` says, but for where its record stood: a line above it moves that."""
    try:
        value = orjson.loads(meta)
    except orjson.JSONDecodeError:
        return meta
    if not isinstance(value, dict):
        return value
    return {key: None if key in STOOD else one for key, one in value.items()}


def _tables(
    one: pl.DataFrame,
    two: pl.DataFrame,
    matched: Matched,
    differing: Mapping[str, NDArray[np.bool_]],
) -> dict[Kind, pl.DataFrame]:
    """One table a kind."""
    unlike = {
        name: one.get_column(name)[matched.old].ne(two.get_column(name)[matched.new]).to_numpy()
        for name in CONTENT
    }
    keyed = len(matched.old)
    any_differs = np.logical_or.reduce([mine[:keyed] for mine in differing.values()])
    kinds: dict[Kind, NDArray[np.int64]] = {
        "changed": np.flatnonzero(unlike["id"]),
        "moved": np.flatnonzero(~unlike["id"] & unlike["split"]),
        "annotated": np.flatnonzero(~unlike["id"] & ~unlike["split"] & any_differs),
        "rekeyed": keyed + np.arange(len(matched.rekeyed_old)),
    }
    befores = np.concatenate([matched.old, matched.rekeyed_old])
    afters = np.concatenate([matched.new, matched.rekeyed_new])
    tables = {
        kind: _table(one, two, befores[places], afters[places]).with_columns(
            _names(differing, places)
        )
        for kind, places in kinds.items()
    }
    nothing = pl.lit("").alias("columns")
    tables["added"] = _table(one, two, None, matched.added).with_columns(nothing)
    tables["removed"] = _table(one, two, matched.removed, None).with_columns(nothing)
    return {kind: tables[kind] for kind in KINDS}


def _table(
    one: pl.DataFrame, two: pl.DataFrame, old: Places | None, new: Places | None
) -> pl.DataFrame:
    """The columns of both sides at some places; nulls for a side that has none."""
    count = len(old if old is not None else () if new is None else new)
    halves = []
    for name, frame, places in (("old", one, old), ("new", two, new)):
        where = pl.Series(name, places, pl.Int64)
        half = frame.clear(count) if places is None else frame[places]
        if places is None:
            where = pl.Series(name, [None] * count, pl.Int64)
        halves += [
            where,
            *(half.get_column(key).alias(f"{name}_{key}") for key in (*KEY, *CONTENT)),
        ]
    return pl.DataFrame(halves)


def _names(differing: Mapping[str, NDArray[np.bool_]], places: NDArray[np.int64]) -> pl.Series:
    flags = zip(*(mine[places].tolist() for mine in differing.values()), strict=True)
    names = list(differing)
    told = [
        ", ".join(name for name, differs in zip(names, row, strict=True) if differs)
        for row in flags
    ]
    return pl.Series("columns", told, pl.String)


def _pairs(frame: pl.DataFrame) -> Pairs:
    """Sorted ids by split, as versions are told apart by."""
    found = {}
    for (split,), rows in frame.select(CONTENT).partition_by("split", as_dict=True).items():
        digits = "".join(rows.get_column("id").to_list())
        found[str(split)] = sorted_ids(np.frombuffer(bytes.fromhex(digits), "S16"))
    return found


def _refuse_unknown(source: str, one: pl.DataFrame, two: pl.DataFrame) -> None:
    names: list[str] = sorted(
        {*one.get_column("source").unique(), *two.get_column("source").unique()}
    )
    if source not in names:
        near = get_close_matches(source, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
        raise StoreError(f"no row on either side is of source {source!r}; {hint}")


def _of_source(table: pl.DataFrame, source: str) -> pl.DataFrame:
    mine = (pl.col("old_source") == source) | (pl.col("new_source") == source)
    return table.filter(mine.fill_null(value=False))


def _with_causes(diff: Diff, one: pl.DataFrame, two: pl.DataFrame) -> Diff:
    """Add why, where both sides are versions that can tell."""
    if diff.old.stored is None or diff.new.stored is None:
        return diff
    old, new = history_of(diff.old.stored), history_of(diff.new.stored)
    changes = changes_between(old, new)
    records = [
        table.select(source=f"{side}_source", origin=f"{side}_origin").drop_nulls()
        for table in diff.rows.values()
        for side in ("old", "new")
    ]
    keys = [frame.select("source", "origin", "part") for frame in (one, two)]
    before = told_by(old, keys[0], keys[1], records)
    after = told_by(new, keys[1], keys[0], records)
    return replace(diff, changes=changes, causes=causes_of(diff.rows, before, after, changes))
