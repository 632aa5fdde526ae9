"""Near-duplicates in any files, without a recipe; also against what is known already."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from imitation_data.dedup.index import MANIFEST, Index, refuse_repeats
from imitation_data.dedup.near import Matches, find
from imitation_data.dedup.near_report import Findings
from imitation_data.dedup.sketch import NearOptions
from imitation_data.errors import SourceError, StoreError
from imitation_data.file_rows import FileRows, Wanted, write_kept
from imitation_data.inputs import open_input
from imitation_data.versions.store import Store


@dataclass(frozen=True)
class Asked:
    """What is compared, what counts, and who stays.

    Attributes:
        wanted: what of a row is compared.
        options: what counts as a near-duplicate.
        keep: `longest`, `earliest` (lowest `by`) or `best` (highest `by`). Rows of inputs that are
            named first come before.
        what_if: other, higher thresholds to tell the number of drops for.
    """

    wanted: Wanted
    options: NearOptions = field(default_factory=NearOptions)
    keep: str = "longest"
    what_if: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.keep not in {"longest", "earliest", "best"}:
            raise SourceError(f"keep is {self.keep!r}; expected longest, earliest or best")
        if (self.keep == "longest") == bool(self.wanted.by):
            raise SourceError(
                f"keep is {self.keep!r} and by is {self.wanted.by!r}: earliest and best need a "
                "column to go by, longest takes none"
            )


@dataclass(frozen=True)
class Deduplicated:
    """What became of rows.

    Attributes:
        asked: what was asked.
        rows: those that were read.
        known: ids of what they were held against, which always stays.
        matches: over what is known and then the rows.
        findings: the same in words.
    """

    asked: Asked
    rows: FileRows
    known: Sequence[str]
    matches: Matches
    findings: Findings

    @property
    def stays(self) -> NDArray[np.bool_]:
        """Which of the rows stay."""
        return np.asarray(self.matches.other[len(self.known) :] < 0)

    @property
    def ids(self) -> list[str]:
        """Of what is known and then of the rows."""
        return [*self.known, *self.rows.ids]

    @property
    def staying_ids(self) -> list[str]:
        """Ids of the rows that stay."""
        pairs = zip(self.rows.ids, self.stays.tolist(), strict=True)
        return [name for name, stay in pairs if stay]

    def summary(self) -> dict[str, Any]:
        """Counts and settings as plain values."""
        found, kept = self.matches, int(self.stays.sum())
        equal = int((found.short & (found.other >= 0)).sum())
        dropped = {
            "near_duplicate": len(self.stays) - kept - equal,
            "equal_short_text": equal,
            **self.rows.drops,
        }
        bands = found.banding
        return {
            "read": len(self.stays) + sum(self.rows.drops.values()),
            "kept": kept,
            "dropped": {reason: count for reason, count in sorted(dropped.items()) if count},
            "without_text": int(found.silent[len(self.known) :].sum()),
            "on": self.asked.wanted.on,
            "threshold": found.options.threshold,
            "against": len(self.known),
            "bands": bands.bands,
            "minima_a_band": bands.rows,
            "recall_at_threshold": round(bands.found(found.options.threshold), 6),
            "candidates": found.work.candidates,
            "compared": found.work.compared,
            "capped": found.work.capped,
            "passed_over": found.work.passed_over,
            "clusters": int((np.bincount(found.cluster, minlength=1) > 1).sum()),
            "begin_alike": int((found.opening >= 0).sum()),
            "what_if": {f"{value:g}": count for value, count in self.what_if()},
            "left_out": list(self.rows.left_out),
        }

    def what_if(self) -> Iterator[tuple[float, int]]:
        """Other thresholds, and how many rows each would drop."""
        for value in sorted(set(self.asked.what_if)):
            yield value, len(self.matches.rethreshold(value, clusters=False).removed)

    def duplicates(self) -> pa.Table:
        """The rows that go: id, the row that stays, similarity, kind, and where they differ."""
        found, ids = self.matches, self.ids
        gone = found.removed
        spans = self.findings.evidence
        return pa.table(
            {
                "id": pa.array([ids[row] for row in gone.tolist()], pa.string()),
                "kept": pa.array([ids[row] for row in found.other[gone].tolist()], pa.string()),
                "similarity": pa.array(found.similarity[gone]),
                "kind": pa.array(["equal" if short else "near" for short in found.short[gone]]),
                "difference": pa.array([spans[row] for row in gone.tolist()], pa.string()),
            }
        )

    def clusters(self) -> pa.Table:
        """The rows of every cluster of two or more, and the id of its first row."""
        found, ids = self.matches, self.ids
        sizes = np.bincount(found.cluster, minlength=1)
        rows = np.flatnonzero(sizes[found.cluster] > 1)
        order = rows[np.argsort(found.cluster[rows], kind="stable")]
        return pa.table(
            {
                "cluster": pa.array([ids[row] for row in found.cluster[order].tolist()]),
                "id": pa.array([ids[row] for row in order.tolist()]),
            }
        )


def deduplicate(
    inputs: Sequence[str],
    asked: Asked,
    store: Store,
    against: str = "",
    threads: int = 1,
) -> Deduplicated:
    """Find near-duplicates in files, folders, versions or datasets of the Hub.

    Args:
        inputs: references, as `open_input` takes them; rows of the first ones stay first.
        asked: what is compared.
        store: looked into for names.
        against: the folder of an index, or a reference: what is in it stays, and rows that are
            like it go.
        threads: how many to use; the answer does not depend on it.

    Raises:
        SourceError: a record cannot be read.
        StoreError: there is nothing of a name, or the index was made in another way.
    """
    rows = read_rows(inputs, asked.wanted, store)
    order = _order(rows, asked.keep)
    if not against:
        found = find(rows.texts, asked.options, order=order, threads=threads)
        return Deduplicated(asked, rows, (), found, Findings(found, order, rows.texts))
    if (Path(against) / MANIFEST).is_file():
        index = Index.open(against)
        found = index.compare(rows.texts, asked.options, order, threads)
        texts = _Behind(len(index), rows)
        return _held(asked, rows, index.ids(), found, order, texts)
    known = read_rows([against], asked.wanted, store)
    both = _Both(known, rows)
    before = len(known)
    whole = np.concatenate([_order(known, asked.keep), before + order])
    fixed = np.arange(before + len(rows)) < before
    found = find(both, asked.options, order=whole, fixed=fixed, threads=threads)
    return _held(asked, rows, known.ids, found, order, both)


def read_rows(inputs: Sequence[str], wanted: Wanted, store: Store) -> FileRows:
    """Read the rows of some inputs."""
    rows = FileRows(wanted)
    for reference in inputs:
        try:
            given = open_input(reference, store, told=not wanted.column)
        except SourceError as error:
            hint = "" if wanted.column else "; `--on COLUMN` compares any column with text"
            raise SourceError(f"{error}{hint}") from error
        rows.read(given)
    return rows


def add_to_index(path: str, done: Deduplicated, threads: int = 1) -> Index:
    """Add the rows that stayed to an index; it is made when it is not there.

    Raises:
        StoreError: an id is in the index already, or the index was made in another way.
    """
    shingling = done.asked.options.shingling
    if (Path(path) / MANIFEST).is_file():
        index = Index.open(path, shingling)
    else:
        index = Index.create(path, shingling)
    return index.add(done.staying_ids, _staying(done.rows, done.stays), threads)


def refuse_to_add(path: str, done: Deduplicated) -> None:
    """Refuse what `add_to_index` would, before anything is written.

    Raises:
        StoreError: an id stands twice among the rows that stay, or is in the index already.
    """
    known = Index.open(path).ids() if (Path(path) / MANIFEST).is_file() else []
    refuse_repeats(Path(path), done.staying_ids, known)


def refuse_taken(folder: Path) -> None:
    """Refuse an output folder in which something lies already: old and new would mix.

    Raises:
        StoreError: it is not empty, or no folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StoreError(f"{folder}: is not empty; name a new folder for --out, or remove it")


def write(done: Deduplicated, folder: Path) -> list[Path]:
    """Write what stays, the duplicates, the clusters and a report into a folder.

    Raises:
        StoreError: the folder cannot be written.
    """
    aside = folder.with_name(f".{folder.name}.part")  # whole or not at all
    try:
        rmtree(aside, ignore_errors=True)
        (aside / "kept").mkdir(parents=True)
        written = write_kept(done.rows, done.stays, aside / "kept")
        for name, table in (("duplicates", done.duplicates()), ("clusters", done.clusters())):
            written.append(aside / f"{name}.parquet")
            pq.write_table(table, written[-1], compression="zstd")
        report = done.summary()
        report["curve"] = [list(pair) for pair in done.matches.banding.curve()]
        written.append(aside / "report.json")
        written[-1].write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
        aside.replace(folder)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror or error})") from error
    return [folder / path.relative_to(aside) for path in written]


def _held(
    asked: Asked,
    rows: FileRows,
    known: Sequence[str],
    found: Matches,
    order: NDArray[np.int64],
    texts: "_Behind | _Both",
) -> Deduplicated:
    before = len(known)
    whole = np.concatenate([np.arange(before), before + order]).astype(np.int64)
    return Deduplicated(asked, rows, known, found, Findings(found, whole, texts))


def _order(rows: FileRows, keep: str) -> NDArray[np.int64]:
    """Policy order: the input, then the value, ties by text and id, whatever the rows' order."""
    value = np.array(rows.lengths if keep == "longest" else rows.values, np.float64)
    value = np.where(np.isnan(value), np.inf, value if keep == "earliest" else -value)
    ranks = np.array([place[0] for place in rows.places], np.int64)
    names = np.argsort(np.argsort(np.array(rows.ids, object), kind="stable"), kind="stable")
    digests = np.array(rows.digests, np.uint64)
    return np.lexsort((names, digests, value, ranks)).astype(np.int64)


def _staying(rows: FileRows, stays: NDArray[np.bool_]) -> Iterator[pa.Array]:
    before = 0
    for piece in rows.texts:
        yield piece.filter(pa.array(stays[before : before + len(piece)]))
        before += len(piece)


@dataclass(frozen=True)
class _Both:
    """The texts of two sets of rows, one after the other."""

    one: FileRows
    two: FileRows

    def __iter__(self) -> Iterator[pa.Array]:
        yield from self.one.texts
        yield from self.two.texts


@dataclass(frozen=True)
class _Behind:
    """The texts of rows, behind as many without a text as an index has."""

    before: int
    rows: FileRows

    def __iter__(self) -> Iterator[pa.Array]:
        yield pa.nulls(self.before, pa.large_string())
        yield from self.rows.texts
