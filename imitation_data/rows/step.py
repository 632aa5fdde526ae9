"""The contract of a row step: a frozen dataclass of named options that decides on one row.

The contract suite in `tests/contract/` runs over every step of the table in `imitation_data.rows`.
"""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from imitation_data.conversation import Conversation
from imitation_data.ledger import Outcome


class RowStep(Protocol):
    """Keeps a row (perhaps edited, perhaps in pieces) or drops it with a reason.

    Pure and deterministic: the same row gives the same outcome, whatever rows stand around it.

    Attributes:
        REVISION: raised whenever the output for some input changes.
        LIBRARIES: distributions whose version can change the output.

    A step may also have `many(rows) -> list[Outcome]` for speed: the same answers for many rows at
    once.
    """

    REVISION: ClassVar[int]
    LIBRARIES: ClassVar[tuple[str, ...]]

    def __call__(self, row: Conversation, /) -> Outcome: ...


def apply(step: RowStep, rows: Sequence[Conversation]) -> list[Outcome]:
    """Run a step over rows, in its batch form if it has one: one outcome per row, in order."""
    many = getattr(step, "many", None)
    if many is None:
        return [step(row) for row in rows]
    outcomes: list[Outcome] = many(rows)
    return outcomes
