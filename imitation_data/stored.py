"""Rows of stored versions: as a `datasets.DatasetDict`, and a few at random."""

from collections.abc import Iterable
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from imitation_data.conversation import Conversation
from imitation_data.versions.store import Store, default_store

if TYPE_CHECKING:
    from datasets import DatasetDict


def load(reference: str, store: str | Path | None = None) -> "DatasetDict":
    """Load a version.

    Args:
        reference: `NAME` for the latest version, or `NAME@VERSION`.
        store: folder of versions; `$IMITATION_STORE` or `./store` when not given.

    Returns:
        One `datasets.Dataset` a split, memory-mapped, with the columns of the row.

    Raises:
        StoreError: there is no such version.
    """
    from datasets import Dataset, DatasetDict  # noqa: PLC0415 - takes a second to import

    found = Store(Path(store) if store is not None else default_store()).find(reference)
    files = {split: [str(path) for path in paths] for split, paths in found.data_files().items()}
    return DatasetDict({split: Dataset.from_parquet(paths) for split, paths in files.items()})


def sample(
    rows: Iterable[tuple[str, Conversation]], count: int, seed: int
) -> tuple[list[tuple[str, Conversation]], int]:
    """Draw rows at random in one pass (Vitter 1985, algorithm R); they keep their order.

    Args:
        rows: each with its split.
        count: how many; all rows when there are fewer.
        seed: equal seeds draw equal rows.

    Returns:
        The rows drawn, and how many there were.
    """
    draw = Random(f"{seed}/sample")
    drawn: list[tuple[int, tuple[str, Conversation]]] = []
    total = 0
    for row in rows:
        if total < count:
            drawn.append((total, row))
        elif (place := draw.randrange(total + 1)) < count:
            drawn[place] = (total, row)
        total += 1
    return [row for _, row in sorted(drawn, key=itemgetter(0))], total
