"""Rows of stored versions: as a `datasets.DatasetDict`, and a few at random."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from imitation_data.conversation import Conversation, from_batch
from imitation_data.errors import StoreError
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


def data_files(reference: str, store: Store) -> dict[str, list[Path]]:
    """Parquet files by split: of a version in the store, or one file or version folder on disk.

    Raises:
        StoreError: there is no such version or file.
    """
    name = reference.partition("@")[0]
    path = Path(reference)
    if store.versions(name) or not path.exists():
        return store.find(reference).data_files()
    files: dict[str, list[Path]] = {}
    for file in [path] if path.is_file() else sorted((path / "data").glob("*.parquet")):
        files.setdefault(file.name.split("-", 1)[0] if path.is_dir() else "file", []).append(file)
    if not files:
        raise StoreError(f"{path}: neither a Parquet file nor a folder of a version")
    return files


def sample(
    files: dict[str, list[Path]], count: int, seed: int
) -> Iterator[tuple[str, Conversation]]:
    """Draw rows at random, in file order, each with its split.

    Args:
        files: Parquet files by split.
        count: how many; all rows when there are fewer.
        seed: equal seeds draw equal rows.

    Raises:
        StoreError: a file is not readable Parquet under the row's schema.
    """
    try:
        places = [
            (split, path, pq.read_metadata(path).num_rows)
            for split in files
            for path in files[split]
        ]
        total = sum(rows for _, _, rows in places)
        wanted = sorted(Random(f"{seed}/sample").sample(range(total), min(count, total)))
        before = 0
        for split, path, rows in places:
            mine = [place - before for place in wanted if before <= place < before + rows]
            before += rows
            if mine:
                yield from ((split, row) for row in from_batch(pq.read_table(path).take(mine)))
    except (OSError, pa.ArrowException, KeyError, AttributeError) as error:
        names = ", ".join(str(path) for paths in files.values() for path in paths)
        raise StoreError(f"{names}: not readable as rows of this project ({error})") from error
