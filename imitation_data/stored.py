"""Stored versions as a `datasets.DatasetDict`."""

from pathlib import Path
from typing import TYPE_CHECKING

from imitation_data.versions.store import open_store

if TYPE_CHECKING:
    from datasets import DatasetDict


def load(reference: str, store: str | Path | None = None) -> "DatasetDict":
    """Load a version.

    Args:
        reference: `NAME` for the latest release, `NAME@1.2`, `NAME@1.2.0`, or `NAME@rc` for the
            newest preview of a channel.
        store: folder of versions or URL; `$IMITATION_STORE` or `./store` when not given.

    Returns:
        One `datasets.Dataset` a split, memory-mapped, with the columns of the row.

    Raises:
        StoreError: there is no such version.
    """
    from datasets import Dataset, DatasetDict  # noqa: PLC0415 - takes a second to import

    found = open_store(store).find(reference)
    files = {split: [str(path) for path in paths] for split, paths in found.data_files().items()}
    return DatasetDict({split: Dataset.from_parquet(paths) for split, paths in files.items()})
