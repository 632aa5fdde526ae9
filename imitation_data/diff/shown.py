"""Rows of a diff as they are shown: both contents, message by message."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

from imitation_data.conversation import Conversation, Message
from imitation_data.diff.compare import Diff
from imitation_data.diff.match import Kind
from imitation_data.diff.sides import OTHER
from imitation_data.diff.words import WORK, Mark, Piece, beginning, compared, difference, shortened


@dataclass(frozen=True)
class ShownMessage:
    """One message, or several that are equal and left out.

    Attributes:
        mark: `same` when it is in both contents, though perhaps with other words; else `old` or
            `new`; `cut` for those left out.
        role: of the message; how many are left out for `cut`.
        pieces: its text.
    """

    mark: Mark
    role: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class ShownRow:
    """One row of a diff with its contents.

    Attributes:
        kind: what became of it.
        old, new: the row on either side; None where it is not.
        old_split, new_split: its split on either side; "" where it has none.
        columns: other columns that differ, with both values.
    """

    kind: Kind
    old: Conversation | None
    new: Conversation | None
    old_split: str
    new_split: str
    columns: tuple[tuple[str, object, object], ...]

    @property
    def key(self) -> str:
        """The row's key, as the ledger has it; that of the new side where both have one."""
        row = self.new or self.old
        return row.key if row else ""

    @property
    def was(self) -> str:
        """The key it had before, if that was another."""
        before = self.old.key if self.old and self.new else ""
        return "" if before == self.key else before

    @property
    def messages(self) -> tuple[ShownMessage, ...]:
        """What to read: differences of changed rows, else how each message begins."""
        if self.kind == "changed" and self.old and self.new:
            return tuple(_differences(self.old.messages, self.new.messages))
        mark: Mark = "new" if self.kind == "added" else "old" if self.new is None else "same"
        row = self.new or self.old
        messages = row.messages if row else ()
        return tuple(ShownMessage(mark, role, beginning(mark, text)) for role, text in messages)


def shown_rows(diff: Diff, kinds: Sequence[Kind], count: int) -> list[ShownRow]:
    """Read the first rows of some kinds, on both sides.

    Args:
        diff: the diff.
        kinds: in the order to show them.
        count: how many rows of each kind.

    Raises:
        SourceError: a file can no longer be read.
    """
    tables = {kind: diff.rows[kind].head(count) for kind in kinds}
    old = diff.old.at(
        {place for table in tables.values() for place in table["old"] if place is not None}
    )
    new = diff.new.at(
        {place for table in tables.values() for place in table["new"] if place is not None}
    )
    names = ("old", "new", "old_split", "new_split", "columns")
    return [
        ShownRow(
            kind,
            old.get(before),
            new.get(after),
            old_split or "",
            new_split or "",
            tuple(_columns(old.get(before), new.get(after), columns)),
        )
        for kind, table in tables.items()
        for before, after, old_split, new_split, columns in table.select(names).iter_rows()
    ]


def _columns(
    old: Conversation | None, new: Conversation | None, names: str
) -> Iterator[tuple[str, object, object]]:
    if old and new:
        mine = names.split(", ")
        yield from (
            (name, getattr(old, name), getattr(new, name)) for name in OTHER if name in mine
        )


def _differences(old: Sequence[Message], new: Sequence[Message]) -> Iterator[ShownMessage]:
    """Pair messages that are equal, then by role in order what stands between those."""
    marked = compared(old, new) or [("old", one) for one in old] + [("new", one) for one in new]
    work = WORK // max(1, sum(mark != "same" for mark, _ in marked))
    for same, run in groupby(marked, lambda one: one[0] == "same"):
        items = list(run)
        if same:
            yield ShownMessage("cut", str(len(items)), ())
            continue
        pairs = zip_longest(
            (message for mark, message in items if mark == "old"),
            (message for mark, message in items if mark == "new"),
        )
        for before, after in pairs:
            yield from _pair(before, after, work)


def _pair(before: Message | None, after: Message | None, work: int) -> Iterator[ShownMessage]:
    if before and after and before.role == after.role:
        pieces = shortened(difference(before.content, after.content, work))
        yield ShownMessage("same", after.role, pieces)
        return
    if before:
        yield ShownMessage("old", before.role, beginning("old", before.content))
    if after:
        yield ShownMessage("new", after.role, beginning("new", after.content))
