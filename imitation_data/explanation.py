"""Everything that happened to a record, kept or dropped."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import polars as pl
import pyarrow.compute as pc
import pyarrow.parquet as pq

from imitation_data.conversation import Conversation, from_batch
from imitation_data.errors import StoreError
from imitation_data.ledger import Entry
from imitation_data.stages.shards import read_table
from imitation_data.versions.store import Store, StoredVersion, open_store

_ID = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"(?P<source>[^/]+)/(?P<origin>.+?)(?::\d+)?", re.DOTALL)


@dataclass(frozen=True)
class Explanation:
    """The story of one record in one version.

    Attributes:
        version: `name@version`.
        source, origin: the record.
        entries: its ledger entries, in step order.
        rows: its rows that are in the version, with their split.
        dropped: its dropped rows with the step's number, where the build folder still has them.
        others: the rows its own lost to or came from, by key, where they can be found.
    """

    version: str
    source: str
    origin: str
    entries: tuple[Entry, ...]
    rows: tuple[tuple[str, Conversation], ...]
    dropped: tuple[tuple[int, Conversation], ...]
    others: Mapping[str, Conversation] = field(default_factory=dict)


def explain(
    what: str, dataset: str = "", store: str | Path | Store | None = None
) -> tuple[Explanation, ...]:
    """Tell what happened to a record.

    Args:
        what: an origin, a row's id, `source/origin`, or a key `source/origin:part`.
        dataset: `NAME` or `NAME@VERSION`; the latest version of every dataset when empty.
        store: folder of versions or URL; `$IMITATION_STORE` or `./store` when not given.

    Returns:
        One explanation for each record and version in which it is found.

    Raises:
        StoreError: nothing in these versions has that origin, id or key.
    """
    where = store if isinstance(store, Store) else open_store(store)
    versions = [where.find(name) for name in ([dataset] if dataset else where.names())]
    found = tuple(story for stored in versions for story in _stories(where, stored, what))
    if not found:
        names = (
            ", ".join(str(stored) for stored in versions) or f"the store {where}, which is empty"
        )
        raise StoreError(
            f"no record or row {what!r} in {names}; expected an origin, an id or a key"
        )
    return found


def _stories(store: Store, stored: StoredVersion, what: str) -> Iterator[Explanation]:
    dropped_files = _dropped_files(store, stored)
    records = _records(stored, dropped_files, what)
    for source, origin in sorted(records):
        mine = (pl.col("source") == source) & (pl.col("origin") == origin)
        frame = pl.scan_parquet(stored.ledger_files(), glob=False).filter(mine).collect()
        entries = tuple(Entry(**row) for row in frame.iter_rows(named=True))
        rows = tuple(_rows(stored, source, origin))
        dropped = tuple(_dropped(dropped_files, source, origin))
        keys = {entry.other for entry in entries if entry.action == "drop" and entry.other}
        others = {key: row for key in sorted(keys) for row in _other(stored, dropped_files, key)}
        yield Explanation(str(stored), source, origin, entries, rows, dropped, others)


def _other(stored: StoredVersion, dropped_files: list[Path], key: str) -> Iterator[Conversation]:
    """The row of a key, in the version or, when a later step dropped it, in the build folder."""
    match = _KEY.fullmatch(key)
    if match:
        source, origin = match["source"], match["origin"]
        for _, row in (*_rows(stored, source, origin), *_dropped(dropped_files, source, origin)):
            if row.key == key:
                yield row
                return


def _records(stored: StoredVersion, dropped_files: list[Path], what: str) -> set[tuple[str, str]]:
    """The (source, origin) pairs that an origin, id or key names."""
    key = _KEY.fullmatch(what)
    wanted = pl.col("origin") == what
    if key:
        wanted |= (pl.col("source") == key["source"]) & (pl.col("origin") == key["origin"])
    data = [path for paths in stored.data_files().values() for path in paths]
    frames = [pl.scan_parquet(stored.ledger_files(), glob=False), pl.scan_parquet(data, glob=False)]
    found = {
        pair
        for frame in frames
        for pair in frame.filter(wanted).select("source", "origin").collect().rows()
    }
    if _ID.fullmatch(what):
        by_id = (
            pl.scan_parquet(data, glob=False)
            .filter(pl.col("id") == what)
            .select("source", "origin")
        )
        found.update(by_id.collect().rows())
        for path in dropped_files:
            table = read_table(path, ("id", "source", "origin"))
            chosen = table.filter(pc.equal(table["id"], what)).to_pylist()
            found.update((row["source"], row["origin"]) for row in chosen)
    return cast("set[tuple[str, str]]", found)


def _rows(stored: StoredVersion, source: str, origin: str) -> Iterator[tuple[str, Conversation]]:
    filters = [("source", "==", source), ("origin", "==", origin)]
    for split, paths in stored.data_files().items():
        for path in paths:
            for row in from_batch(pq.read_table(path, filters=filters)):
                yield split, row


def _dropped_files(store: Store, stored: StoredVersion) -> list[Path]:
    """Files of dropped rows in the folders of the stages this version was made by."""
    stages = cast("list[str]", stored.manifest.get("stages", []))
    folders = [store.build_folder(stored.name) / stage for stage in stages]
    return [path for folder in folders for path in sorted(folder.glob("*.dropped"))]


def _dropped(files: list[Path], source: str, origin: str) -> Iterator[tuple[int, Conversation]]:
    for path in files:
        table = read_table(path)
        mine = pc.and_(pc.equal(table["source"], source), pc.equal(table["origin"], origin))
        chosen = table.filter(mine)
        yield from zip(chosen.column("step").to_pylist(), from_batch(chosen), strict=True)
