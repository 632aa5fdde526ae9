"""What a reader yields: one `Record` or `BadRecord` for each record of the raw file."""

from dataclasses import dataclass

from imitation_data.conversation import Conversation
from imitation_data.ledger import Drop, Edit


@dataclass(frozen=True, slots=True)
class Record:
    """A raw record that could be understood, and everything that became of it.

    A record with neither rows nor drops would have vanished, so it is refused.

    Attributes:
        origin: the record's own key, else the hash of its raw bytes; equal for repeats (the runner
            numbers those).
        rows: conversations made of it, `part` 0, 1, … in order. Source, licence and teacher may be
            left empty: the recipe's values are filled in by the runner.
        drops: parts of the record that a reader's stated policy leaves out (an empty answer, a
            Discord message that answers nothing): each counts as a row read and dropped.
        edits: what was changed while reading (`tool_message_dropped`, …).
    """

    origin: str
    rows: tuple[Conversation, ...] = ()
    drops: tuple[Drop, ...] = ()
    edits: tuple[Edit, ...] = ()

    def __post_init__(self) -> None:
        if not self.rows and not self.drops:
            message = f"record {self.origin!r} has neither rows nor drops"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A raw record that does not have the form its reader expects.

    Attributes:
        where: file and record, as in `sg_90k.json, record 12 (byte 48,210)`.
        found: what stands there, in at most a few words; no long quotation.
        expected: what should stand there, and what the user can do.
        origin: the record's own key when it is readable, else the hash of its raw bytes, else
            `where`.
    """

    where: str
    found: str
    expected: str
    origin: str = ""

    def __str__(self) -> str:
        return f"{self.where}: found {self.found}; expected {self.expected}"
