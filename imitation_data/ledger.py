"""What steps and readers decide, and the ledger that keeps every decision.

Nothing that was read may vanish without an entry here. The balance, checked at every step:
rows in + rows created = rows out + rows dropped.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Literal, NamedTuple

import pyarrow as pa

from imitation_data.conversation import Conversation

Action = Literal["drop", "edit", "create", "bad_record"]

SCHEMA = pa.schema(
    [
        pa.field(
            "step", pa.int16(), nullable=False
        ),  # 0 is reading; then the recipe's steps in order
        pa.field("name", pa.string(), nullable=False),
        pa.field("action", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("part", pa.int32(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field(
            "count", pa.int32(), nullable=False
        ),  # how many edits of this kind; 1 for the other actions
        pa.field("found", pa.string(), nullable=False),
        pa.field("limit", pa.string(), nullable=False),
        pa.field(
            "other", pa.string(), nullable=False
        ),  # key of the row this one lost to or came from
        pa.field("evidence", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to a row that stays: what kind, and how often."""

    kind: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Drop:
    """Why a row, or a record that never became one, is not in the dataset.

    Attributes:
        reason: a stable slug; reports count by it.
        found: what was found. Never personal data or more than a few words of text.
        limit: what it was held against.
        evidence: the span of text it rests on; the ledger masks personal data in it.
        other: key of the row this one lost to, if any.
    """

    reason: str
    found: float | str = ""
    limit: float | str = ""
    evidence: str = ""
    other: str = ""


class Kept(NamedTuple):
    """A row step keeps a row, perhaps edited, perhaps in several pieces (never none)."""

    rows: tuple[Conversation, ...]
    edits: tuple[Edit, ...] = ()


Outcome = Kept | Drop


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger; fields as in `SCHEMA`."""

    step: int
    name: str
    action: Action
    source: str
    origin: str
    part: int
    reason: str
    count: int = 1
    found: str = ""
    limit: str = ""
    other: str = ""
    evidence: str = ""


def to_batch(entries: Iterable[Entry]) -> pa.RecordBatch:
    """Lay entries out under `SCHEMA`."""
    fields = attrgetter(*SCHEMA.names)
    columns = list(zip(*map(fields, entries), strict=True)) or [()] * len(SCHEMA)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def plain(value: float | str) -> str:
    """Write a found or limit the same way on every machine."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)
