"""Rows that are given to a procedure, and its candidates in the order of their records.

A record that cannot be read, and whatever a reader leaves out of one, stays in the books: it
becomes a drop of the record's candidate.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from imitation_data.conversation import Conversation
from imitation_data.errors import SourceError
from imitation_data.generate.procedure import Ask, Candidate, MadeRow, Outbox
from imitation_data.ledger import Drop, Edit
from imitation_data.readers.record import BadRecord, Record

Records = Callable[[], Iterator[Record | BadRecord]]
"""Reads from the beginning each time it is called."""


@dataclass(frozen=True)
class Given:
    """What a procedure is given.

    Attributes:
        records: of the source, in order.
        drop_bad: whether bad records are counted and dropped, instead of ending the run.
        count: stop before the record with which there would be more rows; 0 for all. The first
            record is always taken.
    """

    records: Records
    drop_bad: bool = False
    count: int = 0

    def __iter__(self) -> Iterator[Record | BadRecord]:
        """Yield records up to the count.

        Raises:
            SourceError: a record cannot be read, and is not to be dropped.
        """
        rows = 0
        for record in self.records():
            if isinstance(record, BadRecord):
                if not self.drop_bad:
                    raise SourceError(
                        f"{record}\n(`bad_records: drop` counts such records and goes on)"
                    )
            else:
                rows += len(record.rows)
                if self.count and rows > self.count and rows > len(record.rows):
                    return
            yield record

    def rows(self) -> Iterator[Conversation]:
        """The rows of the records that can be read.

        Raises:
            SourceError: as `__iter__`.
        """
        for record in self:
            if isinstance(record, Record):
                yield from record.rows


@dataclass
class Subject:
    """A record under way.

    Attributes:
        number: of the record, from 0.
        record: as it was read.
        missing: parts that are not settled.
        rows, drops: settled parts, drops with the text they concern.
        edits: what of its rows was changed.
    """

    number: int
    record: Record
    missing: int
    rows: dict[int, MadeRow] = field(default_factory=dict)
    drops: dict[int, tuple[Drop, str]] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)


@dataclass
class Subjects:
    """Records taken one after the other; candidates come out in their order."""

    given: Given
    parts: int
    """Parts that one row becomes."""
    made: deque[Candidate] = field(default_factory=deque)
    _count: int = 0

    def __post_init__(self) -> None:
        self._records = iter(self.given)
        self._outbox = Outbox(self.made)

    def next(self) -> Subject | None:
        """The next record with rows; those without, and bad ones, are finished on the way.

        Raises:
            SourceError: a record cannot be read, and is not to be dropped.
        """
        for record in self._records:
            number, self._count = self._count, self._count + 1
            if isinstance(record, BadRecord):
                drop = Drop("bad_record", record.found, record.expected, evidence=record.where)
                self._outbox.put(number, Candidate(record.origin or record.where, (), (drop,)))
            elif record.rows:
                return Subject(number, record, len(record.rows) * self.parts)
            else:
                self._put(Subject(number, record, 0))
        return None

    def pull(
        self, following: deque[Ask], begin: Callable[[Subject, Conversation], None]
    ) -> Ask | None:
        """What follows from answers first; else the rows of the next record are begun.

        Raises:
            SourceError: as `next`.
        """
        while not following:
            subject = self.next()
            if subject is None:
                return None
            for row in subject.record.rows:
                begin(subject, row)
        return following.popleft()

    def settle(self, subject: Subject, row: MadeRow) -> None:
        """A part became a row."""
        subject.rows[row.part] = row
        self._settled(subject)

    def drop(self, subject: Subject, part: int, drop: Drop, text: str = "") -> None:
        """A part did not."""
        subject.drops[part] = (drop, text)
        self._settled(subject)

    def flush(self) -> None:
        """Let out what is finished behind a record that is not."""
        self._outbox.flush()

    def _settled(self, subject: Subject) -> None:
        subject.missing -= 1
        if not subject.missing:
            self._put(subject)

    def _put(self, subject: Subject) -> None:
        record = subject.record
        drops = [subject.drops[part] for part in sorted(subject.drops)]
        rows = tuple(subject.rows[part] for part in sorted(subject.rows))
        reasons = (*(drop for drop, _ in drops), *record.drops)
        text = "\n".join(text for _, text in drops if text)
        edits = (*record.edits, *subject.edits)
        self._outbox.put(subject.number, Candidate(record.origin, rows, reasons, text, edits))


def meta_of(row: Conversation) -> Mapping[str, object]:
    """A row's `meta`, read."""
    found = orjson.loads(row.meta)
    return found if isinstance(found, dict) else {"meta": found}
