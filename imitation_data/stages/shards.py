"""Working shards: rows between stages, as Arrow IPC files.

Beside the row's own columns a shard has two that are never published: `record`, the record's number
in its unit, and `issued`, how many part numbers the record has given out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data import conversation
from imitation_data.conversation import Conversation
from imitation_data.stages.stage import write_file

ROWS = 4096
CHARACTERS = 8 << 20
INTERNAL = (pa.field("record", pa.int32()), pa.field("issued", pa.int32()))
SCHEMA = pa.schema([*conversation.SCHEMA, *INTERNAL])


@dataclass(frozen=True, slots=True)
class Shard:
    """Where a run of rows lies and which of them still count.

    Attributes:
        name: `00-00000-00000`: source, unit and number; sorted names give row order.
        root: the build folder; `path` and `selection` are relative to it.
        path: Arrow IPC file under `SCHEMA`.
        rows: rows that count (after the selection).
        repeats: number of the repeat, by record: the record's origin gets `#n`.
        selection: npz file with `keep` (bool, one per row of the file) and, after splitting,
            `split` (int16, one per row of the file); empty when all rows count.
    """

    root: Path
    name: str
    path: str
    rows: int
    repeats: tuple[tuple[int, int], ...] = ()
    selection: str = ""

    @property
    def source(self) -> int:
        """Index of the source in the recipe."""
        return int(self.name.split("-", 1)[0])

    def to_json(self) -> dict[str, object]:
        """As plain values, without the root: a build folder may be moved."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "root"}

    @classmethod
    def from_json(cls, value: object, root: Path) -> "Shard":
        """Read back what `to_json` wrote."""
        plain = dict(cast("dict[str, Any]", value))
        repeats = plain.pop("repeats")
        shard = cls(root, **plain)
        return replace(shard, repeats=tuple((int(a), int(b)) for a, b in repeats))


def write_shard(
    path: Path,
    rows: Sequence[Conversation],
    records: Sequence[int],
    issued: Sequence[int],
    ids: Sequence[str] | None = None,
) -> pa.RecordBatch:
    """Write rows with their record numbers, issued part counts and, if known, ids; equally long.

    Returns:
        What was written.
    """
    batch = conversation.to_batch(rows, ids)
    columns = [*batch.columns, pa.array(records, pa.int32()), pa.array(issued, pa.int32())]
    written = pa.RecordBatch.from_arrays(columns, schema=SCHEMA)
    write_table(path, written)
    return written


def write_table(path: Path, batch: pa.RecordBatch | pa.Table) -> None:
    """Write Arrow data as an IPC file, whole or not at all."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_file(sink, batch.schema, options=options) as writer:
        writer.write(batch)
    write_file(path, sink.getvalue())


def read_table(path: str | Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read an IPC file, all columns or some."""
    options = None
    with pa.memory_map(str(path)) as source:
        if columns is not None:
            schema = pa.ipc.open_file(source).schema
            options = pa.ipc.IpcReadOptions(
                included_fields=sorted(schema.get_field_index(name) for name in columns)
            )
        return pa.ipc.open_file(source, options=options).read_all()


def selection(shard: Shard) -> dict[str, NDArray[np.generic]]:
    """The arrays of a shard's selection; empty when every row counts."""
    if not shard.selection:
        return {}
    with np.load(shard.root / shard.selection) as arrays:
        return {name: arrays[name] for name in arrays.files}


def load(shard: Shard, columns: Sequence[str] | None = None) -> pa.Table:
    """Read the rows of a shard that count, repeats numbered in `origin`.

    Args:
        shard: which.
        columns: names out of `SCHEMA`, or all.
    """
    wanted = columns if columns is None or not shard.repeats else {*columns, "record", "origin"}
    table = read_table(shard.root / shard.path, sorted(wanted) if wanted is not None else None)
    if shard.repeats:
        table = _number_repeats(table, dict(shard.repeats))
    if chosen := selection(shard):
        table = table.filter(pa.array(chosen["keep"]))
    return table if columns is None else table.select(list(columns))


def _number_repeats(table: pa.Table, repeats: Mapping[int, int]) -> pa.Table:
    origins = [
        numbered(origin, repeats.get(record, 0))
        for origin, record in zip(
            table.column("origin").to_pylist(), table.column("record").to_pylist(), strict=True
        )
    ]
    place = table.schema.get_field_index("origin")
    return table.set_column(place, table.schema.field(place), pa.array(origins, pa.string()))


def numbered(origin: str, repeat: int) -> str:
    """`origin`, or `origin#n` for its n-th repeat."""
    return f"{origin}#{repeat}" if repeat else origin


def relative(path: Path) -> str:
    """A stage's file as shards name it: relative to the build folder."""
    return f"{path.parent.name}/{path.name}"
