"""One side of a diff: narrow columns of all its rows, and whole rows where they are shown."""

from bisect import bisect_left
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from imitation_data.checksum import checksum
from imitation_data.conversation import SCHEMA, Conversation, from_batch, to_batch
from imitation_data.errors import SourceError, StoreError
from imitation_data.inputs import BATCH, Input, in_our_order, open_input, own_rows
from imitation_data.readers import SourceFile
from imitation_data.versions.semver import Version
from imitation_data.versions.store import FORMAT, MANIFEST, Store, StoredVersion, split_of

KEY = ("source", "origin", "part")
OTHER = ("teacher", "language", "license", "tokens", "meta")
"""Columns that are neither of the key nor of the content."""

_BLANK = {"license": "", "meta": "{}"}
_UNREADABLE = (OSError, ValueError, KeyError, pa.ArrowException)


class _Rows(Protocol):
    """Rows of some files, numbered from 0 in file order."""

    @property
    def count(self) -> int:
        """How many there are."""
        ...

    def keys(self) -> pl.DataFrame:
        """The columns source, origin, part, split and id."""
        ...

    def column(self, name: str) -> pl.Series:
        """One of `OTHER`."""
        ...

    def at(self, places: Collection[int]) -> Iterator[tuple[int, Conversation]]:
        """Whole rows of some places, in order."""
        ...


@dataclass(frozen=True)
class _OwnFile:
    """A Parquet file of ours.

    Attributes:
        sound: whether a manifest vouches for its bytes, and so for its ids and keys.
    """

    file: SourceFile
    sound: bool

    @cached_property
    def count(self) -> int:
        try:
            return int(pq.read_metadata(self.file.path).num_rows)
        except _UNREADABLE as error:
            raise self._error(error) from error

    def keys(self) -> pl.DataFrame:
        split = pl.lit(split_of(self.file.path)).alias("split")
        if self.sound:
            return self._read(*KEY, "id").with_columns(split)
        # Another tool may have changed the messages and left the ids.
        ids = [row.id for _, row in own_rows(self.file)]
        return self._read(*KEY).with_columns(split, pl.Series("id", ids, pl.String))

    def column(self, name: str) -> pl.Series:
        return self._read(name).to_series()

    def at(self, places: Collection[int]) -> Iterator[tuple[int, Conversation]]:
        try:
            with pq.ParquetFile(self.file.path) as parquet:
                yield from _rows_at(parquet, places)
        except _UNREADABLE as error:
            raise self._error(error) from error

    def _read(self, *names: str) -> pl.DataFrame:
        try:
            with pq.ParquetFile(self.file.path) as parquet:
                there = [name for name in names if name in parquet.schema_arrow.names]
                table = parquet.read(there)
            columns = [
                table.column(name).cast(SCHEMA.field(name).type)
                if name in there
                else pa.array([_BLANK.get(name)] * self.count, SCHEMA.field(name).type)
                for name in names
            ]
        except _UNREADABLE as error:
            raise self._error(error) from error
        return pl.DataFrame(pl.from_arrow(pa.table(columns, list(names))))

    def _error(self, error: Exception) -> SourceError:
        return SourceError(f"{self.file.name}: not readable as rows of this project ({error})")


def _rows_at(
    parquet: pq.ParquetFile, places: Collection[int]
) -> Iterator[tuple[int, Conversation]]:
    """Read the row groups in which wanted rows stand, a batch at a time."""
    wanted = sorted(places)
    start = 0
    for group in range(parquet.num_row_groups):
        after = start + parquet.metadata.row_group(group).num_rows
        if bisect_left(wanted, start) < bisect_left(wanted, after):
            for batch in parquet.iter_batches(BATCH, row_groups=[group]):
                stop = start + batch.num_rows
                mine = wanted[bisect_left(wanted, start) : bisect_left(wanted, stop)]
                if mine:
                    picked = in_our_order(batch.take(pa.array([one - start for one in mine])))
                    yield from zip(mine, from_batch(picked), strict=True)
                start = stop
        start = after


@dataclass(frozen=True)
class _ReadRows:
    """Rows of files that a reader knows; they are read whole, since all of a row makes its id."""

    given: Input
    source: str

    @property
    def count(self) -> int:
        return len(self._frame)

    def keys(self) -> pl.DataFrame:
        return self._frame.select(*KEY, "split", "id")

    def column(self, name: str) -> pl.Series:
        return self._frame.get_column(name)

    def at(self, places: Collection[int]) -> Iterator[tuple[int, Conversation]]:
        for place, (_, row) in enumerate(self._rows()):
            if place in places:
                yield place, row

    def _rows(self) -> Iterator[tuple[str, Conversation]]:
        return ((split, row._replace(source=self.source)) for split, row in self.given.rows())

    @cached_property
    def _frame(self) -> pl.DataFrame:
        frames = [_narrow([])]
        waiting: list[tuple[str, Conversation]] = []
        for pair in self._rows():
            waiting.append(pair)
            if len(waiting) == BATCH:
                frames.append(_narrow(waiting))
                waiting = []
        return pl.concat([*frames, _narrow(waiting)])


def _narrow(pairs: list[tuple[str, Conversation]]) -> pl.DataFrame:
    batch = to_batch([row for _, row in pairs]).drop_columns(["messages"])
    frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
    return frame.with_columns(pl.Series("split", [split for split, _ in pairs], pl.String))


@dataclass(frozen=True)
class Side:
    """Rows that are compared.

    Attributes:
        label: `name@version`, or what was named.
        stored: the version that the rows are of; None where they are of no version of ours.
        left_out: files in which no known form was found, and what was found.
    """

    label: str
    stored: StoredVersion | None
    left_out: tuple[str, ...]
    _rows: tuple[_Rows, ...]

    @property
    def count(self) -> int:
        """How many rows there are."""
        return sum(rows.count for rows in self._rows)

    def keys(self) -> pl.DataFrame:
        """The columns source, origin, part, repeat, split and id, one row a row, in file order.

        `repeat` is 0, and 1, 2 … for keys that stood before.
        """
        frame = pl.concat([rows.keys() for rows in self._rows])
        if frame.select(pl.struct(KEY).n_unique()).item() == len(frame):
            repeat: pl.Expr = pl.lit(0, pl.Int64)
        else:
            repeat = pl.int_range(pl.len()).over(KEY).cast(pl.Int64)
        return frame.select(*KEY, repeat.alias("repeat"), "split", "id")

    def column(self, name: str) -> pl.Series:
        """One of `OTHER`, one value a row."""
        return pl.concat([rows.column(name) for rows in self._rows])

    def at(self, places: Collection[int]) -> dict[int, Conversation]:
        """Read whole rows by their places."""
        found: dict[int, Conversation] = {}
        start = 0
        for rows in self._rows:
            after = start + rows.count
            mine = {place - start for place in places if start <= place < after}
            if mine:
                found.update((start + place, row) for place, row in rows.at(mine))
            start = after
        return found


def open_sides(old: str, new: str, store: Store) -> tuple[Side, Side]:
    """Open what two references name, as `inputs.open_input` takes them.

    Rows of other forms than our own name no source: where both sides have such, it is "".

    Raises:
        StoreError: there is nothing of that name.
        SourceError: what is there cannot be read, or has no form that can be told.
    """
    both = [open_input(reference, store) for reference in (old, new)]
    nameless = all(any(reader for reader, _ in given.forms) for given in both)
    one, two = (
        _side(reference, given, "" if nameless else given.name)
        for reference, given in zip((old, new), both, strict=True)
    )
    return one, two


def side_of(stored: StoredVersion) -> Side:
    """A version of a store."""
    return _side(str(stored), open_input(str(stored.path), Store(stored.path.parent.parent)), "")


def _side(reference: str, given: Input, source: str) -> Side:
    stored = _version_of(given)
    sums = _checksums(stored) if stored else {}
    rows: list[_Rows] = []
    for reader, files in given.forms:
        if reader is None:
            rows += [_OwnFile(file, _sound(file, sums)) for file in files]
        else:
            rows.append(_ReadRows(Input(given.name, [(reader, files)]), source))
    label = str(stored) if stored else reference
    return Side(label, stored, tuple(given.left_out), tuple(rows))


def _version_of(given: Input) -> StoredVersion | None:
    """The version in whose `data` folder all files lie, if it is one of ours."""
    folders = {file.path.parent for _, files in given.forms for file in files}
    path = next(iter(folders)).parent
    if len(folders) != 1 or any(reader for reader, _ in given.forms):
        return None
    try:
        manifest = orjson.loads((path / MANIFEST).read_bytes())
        version = Version.parse(str(manifest["version"]))
        name = manifest["name"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if version is None or not isinstance(name, str) or manifest.get("format") != FORMAT:
        return None
    return StoredVersion(name, version, path)


def _checksums(stored: StoredVersion) -> dict[Path, object]:
    files = stored.manifest.get("files")
    entries = files.items() if isinstance(files, dict) else ()
    return {
        stored.path / name: entry.get("sha256")
        for name, entry in entries
        if isinstance(entry, dict)
    }


def _sound(file: SourceFile, sums: dict[Path, object]) -> bool:
    """Whether the file is, byte for byte, what the manifest says."""
    if file.path not in sums:
        return False
    try:
        return checksum(file.path) == sums[file.path]
    except OSError as error:
        raise StoreError(f"{file.path}: cannot be read ({error.strerror})") from error
