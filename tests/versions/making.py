"""Small versions that are real: rows, ledger, manifest; written without a build."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from imitation_data import ledger
from imitation_data.checksum import checksum
from imitation_data.conversation import Conversation, Message, to_batch
from imitation_data.identity import ids_of
from imitation_data.versions.semver import Version, fingerprint, sorted_ids
from imitation_data.versions.store import Store, StoredVersion, open_store


def rows(count: int, word: str = "number") -> list[Conversation]:
    return [
        Conversation(
            (Message("user", f"What is the {word} {n}?"), Message("assistant", f"It is {n}.")),
            "web",
            str(n),
        )
        for n in range(count)
    ]


def make(
    store: Store, name: str, number: str, some: Sequence[Conversation] = (), **keys: object
) -> StoredVersion:
    """Write a version of one split, as a build would."""
    version, table = Version.parse(number), pa.Table.from_batches([to_batch(some or rows(3))])
    assert version is not None
    pairs = {"train": sorted_ids(ids_of(table))}
    with store.locked(name):
        folder = store.start(name, version)
        (folder / "data").mkdir()
        (folder / "ledger").mkdir()
        pq.write_table(table, folder / "data" / "train-00000-of-00001.parquet")
        pq.write_table(
            pa.Table.from_batches([ledger.to_batch([])]), folder / "ledger" / "ledger-00000.parquet"
        )
        (folder / "recipe.yaml").write_text(f"name: {name}\n")
        paths = [path for path in folder.rglob("*") if path.is_file()]
        files = {
            path.relative_to(folder).as_posix(): {
                "bytes": path.stat().st_size,
                "sha256": checksum(path),
            }
            for path in paths
        }
        (folder / "README.md").write_text(f"# {name}\n")
        manifest = {
            "format": 1,
            "name": name,
            "version": number,
            "rows": table.num_rows,
            "splits": {"train": table.num_rows},
            "fingerprint": fingerprint(pairs),
            "bump": "first",
            "files": files,
            **keys,
        }
        return store.finish(folder, name, version, manifest)


if __name__ == "__main__":  # a process of its own, to be killed
    os.environ["IMITATION_CACHE"] = sys.argv[1]
    make(open_store(sys.argv[2]), sys.argv[3], sys.argv[4], rows(int(sys.argv[5])))
    Path(sys.argv[1], "ended").touch()
