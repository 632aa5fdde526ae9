"""What the ledger of a version says about the records that a diff names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import polars as pl

from imitation_data.diff.history import History
from imitation_data.errors import StoreError

Record = tuple[str, str]
"""Source and origin."""

_ENTRY = ("step", "name", "action", "part", "reason", "other")
_OTHER = r"(?s)\A([^/]*)/(.*):(\d+)\z"  # a key: source/origin:part
_NAMES = ("source", "origin", "part")


class Entry(NamedTuple):
    """What of a ledger's entry tells why; `lost_to_absent` is about the row that it lost to.

    Attributes:
        lost_to_absent: whether that row is in this version's making alone: it is no row of the
            other version. False where the entry names none.
    """

    step: int
    name: str
    action: str
    part: int
    reason: str
    other: str
    lost_to_absent: bool

    @property
    def parent(self) -> int | None:
        """The part that a created part was cut from."""
        number = self.other.rpartition(":")[2]
        return int(number) if self.action == "create" and number.isdecimal() else None


@dataclass(frozen=True)
class Told:
    """One version's rows and ledger.

    Attributes:
        history: how it was made.
        keys: source, origin and part of all its rows.
        entries: of its ledger, about the records that the diff names.
    """

    history: History
    keys: pl.DataFrame
    entries: pl.DataFrame

    def about(self, records: pl.DataFrame) -> tuple[dict[Record, list[Entry]], set[Record]]:
        """Look some records up.

        Args:
            records: distinct pairs of source and origin.

        Returns:
            Their entries, in step order; and those of them that have rows in this version.
        """
        found: dict[Record, list[Entry]] = {}
        mine = self.entries.join(records, on=("source", "origin"), how="semi")
        mine = mine.sort("source", "origin", "step", "part", "action", "reason", "other")
        for source, origin, *rest in mine.select("source", "origin", *Entry._fields).iter_rows():
            found.setdefault((source, origin), []).append(Entry(*rest))
        rows = self.keys.select("source", "origin").join(
            records, on=("source", "origin"), how="semi"
        )
        return found, set(rows.unique().iter_rows())


def told_by(
    history: History, keys: pl.DataFrame, other_keys: pl.DataFrame, records: Iterable[pl.DataFrame]
) -> Told:
    """Read of a version's ledger what is about some records.

    Args:
        history: of the version.
        keys: source, origin and part of its rows.
        other_keys: the same of the version it is compared with.
        records: pairs of source and origin, repeats allowed.

    Raises:
        StoreError: the ledger cannot be read.
    """
    wanted = pl.concat(records).unique()
    entries = _entries(history.ledger, wanted)
    names = entries.select(pl.col("other").str.extract_groups(_OTHER).alias("key"))
    others = names.select(
        pl.col("key").struct.field("1").alias("source"),
        pl.col("key").struct.field("2").alias("origin"),
        pl.col("key").struct.field("3").cast(pl.Int32, strict=False).alias("part"),
    )
    there = others.unique().join(other_keys, on=_NAMES, how="semi").with_columns(there=True)
    joined = others.with_row_index("row").join(there, on=_NAMES, how="left").sort("row")
    absent = joined.get_column("there").is_null() & (entries.get_column("other") != "")
    return Told(history, keys, entries.with_columns(absent.alias("lost_to_absent")))


def _entries(files: Iterable[Path], records: pl.DataFrame) -> pl.DataFrame:
    schema: Mapping[str, pl.DataType] = {
        name: pl.Int32() if name in {"step", "part"} else pl.String()
        for name in ("source", "origin", *_ENTRY)
    }
    found = [pl.DataFrame(schema=schema)]
    for path in files:
        try:
            frame = pl.scan_parquet(path, glob=False).select(
                pl.col(name).cast(kind) for name, kind in schema.items()
            )
            found.append(frame.join(records.lazy(), on=("source", "origin"), how="semi").collect())
        except (OSError, pl.exceptions.PolarsError) as error:
            raise StoreError(
                f"{path}: is not readable as a ledger ({error}); fetch or build the version again"
            ) from error
    return pl.concat(found)
