"""Rows of two sides matched: by their key first, then what is left by its content."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

Kind = Literal["added", "removed", "changed", "moved", "annotated", "rekeyed"]
KINDS: tuple[Kind, ...] = get_args(Kind)

KEY = ("source", "origin", "part", "repeat")
CONTENT = ("split", "id")

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Matched:
    """Which row of one side is which of the other; every row of both stands in it once.

    Attributes:
        old, new: places of rows with the same key, pair by pair, in the order of the new side.
        rekeyed_old, rekeyed_new: places of rows with the same split and content under other keys.
        removed: places of the old side that are left over, ascending.
        added: places of the new side that are left over, ascending.
    """

    old: Places
    new: Places
    rekeyed_old: Places
    rekeyed_new: Places
    removed: Places
    added: Places


def match(old: pl.DataFrame, new: pl.DataFrame) -> Matched:
    """Match the rows of two sides; real keys and ids are compared, not hashes of them.

    Args:
        old: the columns `KEY`, under which no row stands twice, and `CONTENT`.
        new: the same of the other side.
    """
    by_key = _joined(_numbered(old, KEY), _numbered(new, KEY), KEY)
    left = [_left(frame, places, CONTENT) for frame, places in ((old, by_key[0]), (new, by_key[1]))]
    # Rows that are equal in content are paired in the order in which each side has them.
    on = (*CONTENT, "copy")
    copies = [
        frame.with_columns(pl.int_range(pl.len()).over(CONTENT).alias("copy")) for frame in left
    ]
    by_content = _joined(copies[0], copies[1], on)
    gone, come = (
        np.setdiff1d(frame.get_column("place").to_numpy(), places, assume_unique=True)
        for frame, places in zip(left, by_content, strict=True)
    )
    return Matched(*by_key, *by_content, np.sort(gone), np.sort(come))


def _numbered(frame: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    places = pl.Series("place", np.arange(len(frame), dtype=np.int64))
    return frame.select(*columns).with_columns(places)


def _left(frame: pl.DataFrame, taken: Places, columns: tuple[str, ...]) -> pl.DataFrame:
    free = np.ones(len(frame), bool)
    free[taken] = False
    return _numbered(frame, columns).filter(pl.Series(free))


def _joined(old: pl.DataFrame, new: pl.DataFrame, on: tuple[str, ...]) -> tuple[Places, Places]:
    pairs = (
        old.rename({"place": "old"})
        .join(new.rename({"place": "new"}), on=on, how="inner")
        .select("old", "new")
        .sort("new")
    )
    return pairs.get_column("old").to_numpy(), pairs.get_column("new").to_numpy()


def balance(gone: pl.DataFrame, come: pl.DataFrame) -> tuple[int, int]:
    """Count what is missing and what is added, as multisets.

    Args:
        gone: rows under some columns.
        come: rows under the same columns.

    Returns:
        How many rows of `gone` are not in `come`, and the reverse; repeats count.
    """
    both = pl.concat(
        [
            frame.with_columns(pl.lit(step, pl.Int64).alias("by"))
            for frame, step in ((gone, -1), (come, 1))
        ]
    )
    by = both.group_by(gone.columns).agg(pl.col("by").sum()).get_column("by")
    return -int(by.clip(upper_bound=0).sum()), int(by.clip(lower_bound=0).sum())
