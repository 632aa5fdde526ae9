"""Near-duplicates in any files, without a recipe; also against what is known already."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from imitation_data.atomic import whole_folder
from imitation_data.dedup.index import MANIFEST, Index, is_free
from imitation_data.dedup.near import Matches, find
from imitation_data.dedup.near_report import Findings
from imitation_data.dedup.sketch import NearOptions
from imitation_data.errors import SourceError, StoreError
from imitation_data.file_rows import FileRows, Names, Wanted, read_rows
from imitation_data.kept_files import write_kept
from imitation_data.readers.files import utf8
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
        against_on: what is compared of what is known already, where it has another name there.
    """

    wanted: Wanted
    options: NearOptions = field(default_factory=NearOptions)
    keep: str = "longest"
    what_if: tuple[float, ...] = ()
    against_on: str = ""

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
        inputs: where rows were looked for.
        against: what they were held against, or nothing.
        index: the same where it is an index, as it was then.
        rows: those that were read.
        known: how many they were held against, which always stay.
        names: of what is known and then of the rows.
        matches: over what is known and then the rows.
        findings: the same in words.
    """

    asked: Asked
    inputs: tuple[str, ...]
    against: str
    index: Index | None
    rows: FileRows
    known: int
    names: Names
    matches: Matches
    findings: Findings

    @property
    def stays(self) -> NDArray[np.bool_]:
        """Which of the rows stay."""
        return np.asarray(self.matches.other[self.known :] < 0)

    @property
    def staying(self) -> list[int]:
        """The rows that stay, as places among the names."""
        return (self.known + np.flatnonzero(self.stays)).tolist()

    @property
    def kinds(self) -> list[str]:
        """Why each removed row goes."""
        short = self.matches.short[self.matches.removed]
        return ["equal_short_text" if one else "near_duplicate" for one in short]

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Counts and settings as plain values."""
        found, wanted = self.matches, self.asked.wanted
        dropped = Counter(self.kinds) + Counter(one.drop.reason for one in self.rows.reader_drops)
        bands = found.banding
        without = sum(np.isnan(at.value) for at in self.rows.at) if wanted.by else 0
        return {
            "read": len(self.rows) + len(self.rows.reader_drops),
            "kept": int(self.stays.sum()),
            "dropped": dict(sorted(dropped.items())),
            "without_text": int(found.silent[self.known :].sum()),
            "without_value": int(without),
            "on": wanted.on,
            "threshold": found.options.threshold,
            "against": self.known,
            "bands": bands.bands,
            "minima_a_band": bands.rows,
            "recall_at_threshold": round(bands.found(found.options.threshold), 6),
            "curve": [[at, round(chance, 6)] for at, chance in bands.curve()],
            "candidates": found.work.candidates,
            "compared": found.work.compared,
            "capped": found.work.capped,
            "passed_over": found.work.passed_over,
            "clusters": int((np.bincount(found.cluster, minlength=1) > 1).sum()),
            "begin_alike": int((found.opening >= 0).sum()),
            "what_if": {f"{value:g}": count for value, count in self.what_if()},
            "left_out": list(self.rows.left_out),
            "asked": self._settings(),
        }

    def _settings(self) -> dict[str, Any]:
        """All that decided about the answer, as it was asked for."""
        asked, options = self.asked, self.asked.options
        return {
            "inputs": [utf8(reference) for reference in self.inputs],
            "against": utf8(self.against),
            "on": asked.wanted.on,
            "against_on": asked.against_on,
            "id": asked.wanted.id,
            "keep": asked.keep,
            "by": asked.wanted.by,
            "threshold": options.threshold,
            "recall": options.recall,
            "most_compared": options.most_compared,
            **options.shingling.identity(),
            "version": version("imitation-data"),
        }

    def what_if(self) -> Iterator[tuple[float, int]]:
        """Other thresholds, and how many rows each would drop."""
        for value in sorted(set(self.asked.what_if)):
            yield value, len(self.matches.rethreshold(value, clusters=False).removed)

    def duplicates(self) -> pa.Table:
        """The rows that go: which, the row that stays, similarity, kind, and where they differ."""
        found, gone = self.matches, self.matches.removed
        spans = self.findings.evidence
        return pa.table(
            {
                **self._called(gone, "id", ""),
                **self._called(found.other[gone], "kept", "kept_"),
                "similarity": pa.array(found.similarity[gone]),
                "kind": pa.array(self.kinds, pa.string()),
                "difference": pa.array([spans[row] for row in gone.tolist()], pa.string()),
            }
        )

    def clusters(self) -> pa.Table:
        """The rows of every cluster of two or more, and the first row of each."""
        found = self.matches
        sizes = np.bincount(found.cluster, minlength=1)
        rows = np.flatnonzero(sizes[found.cluster] > 1)
        order = rows[np.argsort(found.cluster[rows], kind="stable")]
        first = self._called(found.cluster[order], "cluster", "cluster_")
        return pa.table(first | self._called(order, "id", ""))

    def alike(self) -> pa.Table:
        """Rows that stay though they begin like another one, or are short and spelled like it."""
        found = self.matches
        begin = np.flatnonzero(found.opening >= 0)
        rows, other, similarity = self.findings.short_and_alike
        return pa.table(
            {
                **self._called(np.concatenate([begin, rows]), "id", ""),
                **self._called(np.concatenate([found.opening[begin], other]), "like", "like_"),
                "kind": pa.array(["begins_alike"] * len(begin) + ["short_alike"] * len(rows)),
                "similarity": pa.array([None] * len(begin) + similarity.tolist(), pa.float64()),
            }
        )

    def reader_drops(self) -> pa.Table:
        """Rows that a reader left out by its stated policy: which, and why."""
        gone = self.rows.reader_drops
        files = self.names.labels[-1]
        return pa.table(
            {
                "id": pa.array([one.id for one in gone], pa.string()),
                "file": pa.array([files[one.file] for one in gone], pa.string()),
                "row": pa.array([one.number or None for one in gone], pa.int64()),
                "reason": pa.array([one.drop.reason for one in gone], pa.string()),
                "found": pa.array([str(one.drop.found) for one in gone], pa.string()),
            }
        )

    def _called(self, rows: NDArray[np.int64], name: str, prefix: str) -> dict[str, pa.Array]:
        """Four columns: what some rows are called, their files, records, and parts of these."""
        names, some = self.names, rows.tolist()
        columns: dict[str, tuple[Sequence[str | int | None], pa.DataType]] = {
            name: (names.ids, pa.string()),
            f"{prefix}file": (names.files, pa.string()),
            f"{prefix}row": (names.numbers, pa.int64()),
            f"{prefix}part": (names.parts, pa.int64()),
        }
        return {
            column: pa.array([value[row] for row in some], kind)
            for column, (value, kind) in columns.items()
        }


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
    _refuse_no_values(rows)
    order, options = _order(rows, asked.keep), asked.options
    theirs = replace(asked.wanted, on=asked.against_on or asked.wanted.on, by="", known=True)
    roles = not asked.wanted.column
    index = Index.open(against, on=theirs.name) if (Path(against) / MANIFEST).is_file() else None
    given = (asked, tuple(inputs), against, index, rows)
    if not against:
        found = find(rows.texts, options, order=order, threads=threads)
        told = Findings(found, order, rows.texts, roles=roles)
        return Deduplicated(*given, 0, Names.of((), rows), found, told)
    texts: _Behind | _Both
    if index:
        found = index.compare(rows.texts, options, order, threads)
        texts, names = _Behind(len(index), rows), Names.of(index.ids(), rows)
        before = len(index)
        whole = np.arange(before)
    else:
        known = _known(against, theirs, store)
        texts, names, before = _Both(known, rows), Names.of((), known, rows), len(known)
        whole = _order(known, "longest")
    whole = np.concatenate([whole, before + order]).astype(np.int64)
    if isinstance(texts, _Both):
        fixed = np.arange(before + len(rows)) < before
        found = find(texts, options, order=whole, fixed=fixed, threads=threads)
    told = Findings(found, whole, texts, roles=roles)
    return Deduplicated(*given, before, names, found, told)


def _known(reference: str, wanted: Wanted, store: Store) -> FileRows:
    try:
        return read_rows([reference], wanted, store)
    except (StoreError, SourceError) as error:
        if not is_free(Path(reference)):
            raise
        raise StoreError(f"{error}. To make an index there, say --add") from error


def _refuse_no_values(rows: FileRows) -> None:
    """Refuse to go by a column in which no row has a number or a date."""
    by = rows.wanted.by
    if by and len(rows) and all(np.isnan(at.value) for at in rows.at):
        raise SourceError(
            f"{by}: found a number or an ISO date in none of {len(rows):,} rows; name another "
            "column for --by (of conversations: tokens, or meta.NAME for what the reader kept)"
        )


def write(done: Deduplicated, folder: Path) -> list[Path]:
    """Write what stays, the duplicates, the clusters and a report into a folder.

    Raises:
        StoreError: the folder cannot be written.
    """
    tables = {
        "duplicates": done.duplicates(),
        "clusters": done.clusters(),
        "alike": done.alike(),
        "reader_drops": done.reader_drops(),
    }
    with whole_folder(folder, StoreError) as aside:
        (aside / "kept").mkdir()
        written = write_kept(done.rows, done.stays, aside / "kept")
        for name, table in tables.items():
            written.append(aside / f"{name}.parquet")
            pq.write_table(table, written[-1], compression="zstd")
        written.append(aside / "report.json")
        written[-1].write_bytes(orjson.dumps(done.summary, option=orjson.OPT_INDENT_2))
    return [folder / path.relative_to(aside) for path in written]


def _order(rows: FileRows, keep: str) -> NDArray[np.int64]:
    """Policy order: the input, then the value, ties by text and id, whatever the rows' order."""
    given = [at.length if keep == "longest" else at.value for at in rows.at]
    value = np.array(given, np.float64)
    value = np.where(np.isnan(value), np.inf, value if keep == "earliest" else -value)
    ranks = np.array([at.input for at in rows.at], np.int64)
    ties = np.array([at.tie for at in rows.at], object)
    names = np.argsort(np.argsort(ties, kind="stable"), kind="stable")
    digests = np.array([at.digest for at in rows.at], np.uint64)
    return np.lexsort((names, digests, value, ranks)).astype(np.int64)


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
