"""Measured facts of a dataset: exact counts, and length histograms that merge.

`measure` works on one shard; `Facts` add up in any order to the facts of the whole, bit for bit,
because everything kept is an integer: a count, a sum, a smallest, a largest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from imitation_data.errors import StoreError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Ints = npt.NDArray[np.int64]

# Six leading bits of a value choose its bin: 32 bins an octave, and every integer below 64 its own.
LEADING_BITS = 6


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of integers >= 0 in log-linear bins (the layout of HdrHistogram, Tene 2012).

    Values below 64 are exact; above, every power of two is cut into 32 equal bins, so that a bin
    is at most 1/32 of its lower edge wide.

    Attributes:
        bins: lower edge of a bin to the number of values in it; empty bins are left out.
        total: exact sum of the values.
        smallest: exact; 0 when there is no value.
        largest: exact; 0 when there is no value.
    """

    bins: Mapping[int, int] = field(default_factory=dict)
    total: int = 0
    smallest: int = 0
    largest: int = 0

    @classmethod
    def of(cls, values: Ints) -> Self:
        """Count values, int64 of shape (n,), none negative."""
        if not len(values):
            return cls()
        shifts = np.maximum(np.frexp(values.astype(np.float64))[1].astype(np.int64), LEADING_BITS)
        shifts -= LEADING_BITS
        edges, counts = np.unique((values >> shifts) << shifts, return_counts=True)
        bins = dict(zip(edges.tolist(), counts.tolist(), strict=True))
        return cls(bins, int(values.sum()), int(values.min()), int(values.max()))

    @property
    def count(self) -> int:
        return sum(self.bins.values())

    @property
    def mean(self) -> float:
        """The exact mean; 0 when there is no value."""
        return self.total / (self.count or 1)

    def percentile(self, percent: int) -> int:
        """Return the nearest-rank percentile: exact below 64, else at most 1/64 (1.6 %) off.

        The true value lies in the bin that is found; the bin's middle is returned, kept between
        the smallest and the largest value. Without values it is 0.
        """
        rank, seen = max(1, -(-percent * self.count // 100)), 0
        for edge in sorted(self.bins):
            seen += self.bins[edge]
            if seen >= rank:
                middle = edge + (bin_width(edge) - 1) // 2
                return min(max(middle, self.smallest), self.largest)
        return 0

    def __add__(self, other: "Histogram") -> "Histogram":
        if not self.bins or not other.bins:
            return self if self.bins else other
        return Histogram(
            {
                edge: self.bins.get(edge, 0) + other.bins.get(edge, 0)
                for edge in sorted({*self.bins, *other.bins})
            },
            self.total + other.total,
            min(self.smallest, other.smallest),
            max(self.largest, other.largest),
        )


def bin_width(edge: int) -> int:
    """Width of the bin whose lower edge is given."""
    return 1 << max(edge.bit_length() - LEADING_BITS, 0)


@dataclass(frozen=True, slots=True)
class Tally:
    """How much a group of rows holds."""

    rows: int = 0
    turns: int = 0
    characters: int = 0
    tokens: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.rows + other.rows,
            self.turns + other.turns,
            self.characters + other.characters,
            self.tokens + other.tokens,
        )


@dataclass(frozen=True, slots=True)
class Speech:
    """How much one role says."""

    turns: int = 0
    characters: int = 0

    def __add__(self, other: "Speech") -> "Speech":
        return Speech(self.turns + other.turns, self.characters + other.characters)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a dataset holds. `Facts()` is nothing, and `a + b` is both.

    Characters are Unicode code points of all message contents. In the groups the key "" stands
    for rows whose value is not known.

    Attributes:
        total: all rows.
        uncounted: rows without a token count; they add nothing to any number of tokens.
        splits, sources, languages, licenses, teachers: the same rows, grouped.
        roles: what each role says.
        turns, characters, tokens: lengths of conversations, one value per row (`tokens`: one per
            row that has a count).
    """

    total: Tally = Tally()
    uncounted: int = 0
    splits: Mapping[str, Tally] = field(default_factory=dict)
    sources: Mapping[str, Tally] = field(default_factory=dict)
    languages: Mapping[str, Tally] = field(default_factory=dict)
    licenses: Mapping[str, Tally] = field(default_factory=dict)
    teachers: Mapping[str, Tally] = field(default_factory=dict)
    roles: Mapping[str, Speech] = field(default_factory=dict)
    turns: Histogram = Histogram()
    characters: Histogram = Histogram()
    tokens: Histogram = Histogram()

    def __add__(self, other: "Facts") -> "Facts":
        return Facts(
            total=self.total + other.total,
            uncounted=self.uncounted + other.uncounted,
            splits=_merge(self.splits, other.splits),
            sources=_merge(self.sources, other.sources),
            languages=_merge(self.languages, other.languages),
            licenses=_merge(self.licenses, other.licenses),
            teachers=_merge(self.teachers, other.teachers),
            roles=_merge(self.roles, other.roles),
            turns=self.turns + other.turns,
            characters=self.characters + other.characters,
            tokens=self.tokens + other.tokens,
        )

    def to_json(self) -> dict[str, object]:
        """Return plain dicts with sorted keys, as the manifest holds them."""
        return {name: _plain(getattr(self, name)) for name in _names(self)}

    @classmethod
    def from_json(cls, value: object) -> "Facts":
        """Read what `to_json` wrote.

        Raises:
            StoreError: the value does not have that form; the message names the first place.
        """
        from pydantic import ValidationError  # noqa: PLC0415 - costs 0.1 s; only versions are read so

        try:
            return _form().validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "facts"
            raise StoreError(f"facts of the version: {place}: {first['msg']}") from error


def measure(table: pa.Table, split: str | pa.Array | pa.ChunkedArray) -> Facts:
    """Measure rows.

    Args:
        table: columns as in `imitation_data.conversation.SCHEMA`.
        split: the split all rows belong to, or one name for each row.
    """
    turns, characters, roles = _messages(table.column("messages"))
    counted = table.column("tokens")
    tokens = counted.fill_null(0).cast(pa.int64()).to_numpy()
    sizes = {"turns": turns, "characters": characters, "tokens": tokens}
    if isinstance(split, str):
        split = pa.repeat(split, table.num_rows)
    return Facts(
        total=Tally(table.num_rows, *(int(size.sum()) for size in sizes.values())),
        uncounted=counted.null_count,
        splits=_group(split, sizes),
        sources=_group(table.column("source"), sizes),
        languages=_group(table.column("language"), sizes),
        licenses=_group(table.column("license"), sizes),
        teachers=_group(table.column("teacher"), sizes),
        roles=roles,
        turns=Histogram.of(turns),
        characters=Histogram.of(characters),
        tokens=Histogram.of(tokens[counted.is_valid().to_numpy()]),
    )


def _messages(column: pa.ChunkedArray) -> tuple[Ints, Ints, dict[str, Speech]]:
    """Count turns and characters of each row, and what each role says in all."""
    # Chunk by chunk: joined, the texts could overflow the 32-bit offsets of Arrow strings.
    turns, characters = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    roles: dict[str, Speech] = {}
    for chunk in column.chunks:
        bounds = chunk.offsets.to_numpy().astype(np.int64)
        messages = chunk.values.slice(bounds[0], bounds[-1] - bounds[0])
        bounds -= bounds[0]
        lengths = pc.utf8_length(messages.field("content")).cast(pa.int64())
        running = np.concatenate([[0], np.cumsum(lengths.to_numpy(zero_copy_only=False))])
        turns.append(np.diff(bounds))
        characters.append(np.diff(running[bounds]))
        spoken = pa.table({"role": messages.field("role"), "length": lengths}).group_by("role")
        totals = spoken.aggregate([([], "count_all"), ("length", "sum")]).to_pydict()
        said = map(Speech, totals["count_all"], totals["length_sum"])
        roles = _merge(roles, dict(zip(totals["role"], said, strict=True)))
    return np.concatenate(turns), np.concatenate(characters), roles


def _group(keys: pa.Array | pa.ChunkedArray, sizes: Mapping[str, Ints]) -> dict[str, Tally]:
    sums = [([], "count_all"), *((name, "sum") for name in sizes)]
    known = keys.cast(pa.string()).fill_null("")
    groups = pa.table({"key": known, **sizes}).group_by("key").aggregate(sums).to_pydict()
    tallies = map(Tally, groups["count_all"], *(groups[f"{name}_sum"] for name in sizes))
    return dict(sorted(zip(groups["key"], tallies, strict=True)))


class _Adds(Protocol):
    def __add__(self, other: Self, /) -> Self: ...


_Addend = TypeVar("_Addend", bound=_Adds)


def _merge(one: Mapping[str, _Addend], two: Mapping[str, _Addend]) -> dict[str, _Addend]:
    both = {**one, **two} | {key: one[key] + two[key] for key in one.keys() & two.keys()}
    return {key: both[key] for key in sorted(both)}


def _names(value: Facts | Tally | Speech | Histogram) -> list[str]:
    return sorted(part.name for part in fields(value))


def _plain(value: object) -> object:
    if isinstance(value, Tally | Speech | Histogram):
        return {name: _plain(getattr(value, name)) for name in _names(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(value[key]) for key in sorted(value)}
    return value


@cache
def _form() -> "TypeAdapter[Facts]":
    from pydantic import TypeAdapter  # noqa: PLC0415 - as above

    return TypeAdapter(Facts)
