"""The books: counts of every step, which must balance, and the ledger files of a stage."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from imitation_data import ledger
from imitation_data.errors import BuildError
from imitation_data.ledger import Action, Drop, Entry, plain
from imitation_data.rows.pii import mask
from imitation_data.stages.shards import write_table


@dataclass
class Books:
    """Counts of one step: rows in + created = rows out + dropped.

    Attributes:
        drops: rows dropped, by reason.
        edits: edits made, by kind.
        seconds: time the step took, over all workers. Never part of a version.
    """

    rows_in: int = 0
    created: int = 0
    rows_out: int = 0
    dropped: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    edits: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def count(
        self,
        *,
        rows_in: int = 0,
        created: int = 0,
        rows_out: int = 0,
        dropped: int = 0,
        reason: str = "",
    ) -> None:
        """Add to the counts; a drop names its reason."""
        self.rows_in += rows_in
        self.created += created
        self.rows_out += rows_out
        self.dropped += dropped
        if dropped:
            self.drops[reason] += dropped

    def add(self, other: "Books") -> None:
        """Add another worker's counts of the same step."""
        self.rows_in += other.rows_in
        self.created += other.created
        self.rows_out += other.rows_out
        self.dropped += other.dropped
        self.drops.update(other.drops)
        self.edits.update(other.edits)
        self.seconds += other.seconds

    def check(self, step: str) -> None:
        """Refuse books that do not balance.

        Raises:
            BuildError: rows appeared or vanished. This is a fault of imitation-data.
        """
        left, right = self.rows_in + self.created, self.rows_out + self.dropped
        if left != right or sum(self.drops.values()) != self.dropped:
            raise BuildError(
                f"step {step}: the books do not balance: {self.rows_in:,} rows in + "
                f"{self.created:,} created, {self.rows_out:,} out + {self.dropped:,} dropped. "
                "No version is written; this is a fault of imitation-data, please report it"
            )

    def to_json(self) -> dict[str, object]:
        """As plain values, counters in alphabetical order."""
        return {
            "rows_in": self.rows_in,
            "created": self.created,
            "rows_out": self.rows_out,
            "dropped": self.dropped,
            "drops": dict(sorted(self.drops.items())),
            "edits": dict(sorted(self.edits.items())),
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, value: object) -> "Books":
        """Read back what `to_json` wrote."""
        plain = dict(cast("dict[str, Any]", value))
        drops, edits = Counter(plain.pop("drops")), Counter(plain.pop("edits"))
        return cls(**plain, drops=drops, edits=edits)


LEDGER = pa.schema([*ledger.SCHEMA, pa.field("record", pa.int32())])


def entry_of(
    step: tuple[int, str], action: Action, key: tuple[str, str, int], drop: Drop, count: int = 1
) -> Entry:
    """Make a ledger entry; personal data in its free text is masked.

    Args:
        step: number and name.
        action: what happened.
        key: source, origin and part of the row or record.
        drop: the reason and its evidence; an edit's kind stands as its reason.
        count: how many edits.
    """
    found = mask(drop.found)[0] if isinstance(drop.found, str) and drop.found else drop.found
    evidence = mask(drop.evidence)[0] if drop.evidence else ""
    number, name = step
    source, origin, part = key
    return Entry(
        number,
        name,
        action,
        source,
        origin,
        part,
        drop.reason,
        count,
        plain(found),
        plain(drop.limit),
        drop.other,
        evidence,
    )


def write_ledger(
    path: Path, entries: Sequence[Entry], records: Sequence[int] | None = None
) -> None:
    """Write a shard's ledger.

    Args:
        path: where to.
        entries: in row order.
        records: each entry's record number in its unit, where repeats are yet to be numbered.
    """
    batch = ledger.to_batch(entries)
    numbers = pa.array([-1] * len(entries) if records is None else records, pa.int32())
    write_table(path, pa.RecordBatch.from_arrays([*batch.columns, numbers], schema=LEDGER))
