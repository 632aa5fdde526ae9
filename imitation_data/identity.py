"""Narrow columns: the few bytes a row that dataset steps decide on, for all rows at once."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from imitation_data.conversation import Conversation, to_batch

IDENTITY_COLUMNS = ("id", "messages", "source", "origin", "part")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who each row is; every array has one element a row, in row order. 34 bytes a row.

    Attributes:
        source: int16, index into the recipe's sources.
        id_high, id_low: uint64, the halves of the content identity.
        origin: uint64, XXH3-64 of `source/origin`; equal for the parts of one record.
        part: int32.
        characters: int32, Unicode code points of all turns.
    """

    source: NDArray[np.int16]
    id_high: NDArray[np.uint64]
    id_low: NDArray[np.uint64]
    origin: NDArray[np.uint64]
    part: NDArray[np.int32]
    characters: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.source)

    def take(self, rows: NDArray[np.int64]) -> "Identity":
        """The same columns for some rows only."""
        return Identity(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Keys:
    """128-bit keys of rows: none, one or several a row, sorted by row.

    Attributes:
        row: int64, index of the row each key belongs to.
        high, low: uint64, the halves of the key (XXH3-128).
    """

    row: NDArray[np.int64]
    high: NDArray[np.uint64]
    low: NDArray[np.uint64]


def identity(table: pa.Table, source: int | Sequence[str]) -> Identity:
    """Measure the identity columns of a table under the conversation schema.

    Args:
        table: the columns `IDENTITY_COLUMNS`.
        source: the index of the table's source, or the order of source names to look it up in.
    """
    count = table.num_rows
    if isinstance(source, int):
        sources = np.full(count, source, np.int16)
    else:
        places = {name: place for place, name in enumerate(source)}
        sources = np.array([places[name] for name in table.column("source").to_pylist()], np.int16)
    halves = ids_of(table).view(">u8").reshape(count, 2).astype(np.uint64)
    names = zip(table.column("source").to_pylist(), table.column("origin").to_pylist(), strict=True)
    origins = [xxhash.xxh3_64_intdigest(f"{name}/{origin}".encode()) for name, origin in names]
    return Identity(
        sources,
        np.ascontiguousarray(halves[:, 0]),
        np.ascontiguousarray(halves[:, 1]),
        np.array(origins, np.uint64),
        table.column("part").to_numpy().astype(np.int32),
        characters(table),
    )


def ids_of(table: pa.Table) -> NDArray[np.bytes_]:
    """Read the `id` column: 16 bytes a row."""
    digits = "".join(table.column("id").to_pylist())
    return np.frombuffer(bytes.fromhex(digits), "S16")


def characters(table: pa.Table) -> NDArray[np.int32]:
    """Unicode code points of all turns, one int32 a row."""
    lengths = []
    for batch in table.to_batches():
        nested = batch.column("messages")
        turns = pc.utf8_length(nested.values.field("content")).to_numpy(zero_copy_only=False)
        total = np.concatenate([[0], np.cumsum(turns, dtype=np.int64)])
        bounds = nested.offsets.to_numpy()
        lengths.append(total[bounds[1:]] - total[bounds[:-1]])
    joined = np.concatenate(lengths) if lengths else np.zeros(0)
    return joined.astype(np.int32)


def identity_of(rows: Sequence[Conversation]) -> Identity:
    """Measure rows in memory; sources are numbered in order of appearance."""
    order = list(dict.fromkeys(row.source for row in rows))
    return identity(pa.Table.from_batches([to_batch(rows)]), order)


def keys_of(texts: Sequence[Sequence[str]]) -> Keys:
    """Hash texts to keys: one sequence of texts a row."""
    digests = b"".join(xxhash.xxh3_128_digest(text.encode()) for row in texts for text in row)
    halves = np.frombuffer(digests, ">u8").reshape(-1, 2).astype(np.uint64)
    counts = [len(row) for row in texts]
    rows = np.repeat(np.arange(len(texts), dtype=np.int64), counts)
    return Keys(rows, np.ascontiguousarray(halves[:, 0]), np.ascontiguousarray(halves[:, 1]))


def scrambled(values: Identity, seed: str) -> NDArray[np.uint64]:
    """One pseudo-random uint64 a row from the row's identity and a seed, whatever its place.

    A row keeps its number when others come or go, so samples and splits move as little as
    possible between versions. Mixing is splitmix64 (Steele, Lea and Flood 2014).
    """
    start = np.uint64(xxhash.xxh3_64_intdigest(seed.encode()))
    mixed = values.id_high ^ _mix(values.id_low ^ start)
    return _mix(_mix(mixed) ^ values.origin ^ values.part.astype(np.uint64))


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    mixed = value + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
