"""The contract of a dataset step: it sees the whole set through narrow columns and decides.

`key_texts` runs where the rows are, a shard at a time; `decide` runs once over everything. Neither
sees the order in which workers finish, and the decision may not depend on the order of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from imitation_data.conversation import Conversation
from imitation_data.identity import Identity, Keys, identity_of, keys_of
from imitation_data.ledger import Drop


@dataclass(frozen=True)
class Decision:
    """What becomes of each row.

    Attributes:
        reason: the slug of every drop of this step.
        limit: what rows were held against, in words.
        drop: bool, one a row.
        other: int64, one a row: index of the row that a dropped row lost to, or -1.
        found: one entry a row, or empty where there is nothing to say.
        split: int16, one a row: index into `splits`; None unless this step splits.
        splits: names of the splits.
        note: one line about the decision as a whole, for the report.
    """

    reason: str
    limit: str
    drop: NDArray[np.bool_]
    other: NDArray[np.int64]
    found: Sequence[str] = ()
    split: NDArray[np.int16] | None = None
    splits: tuple[str, ...] = ()
    note: str = ""


@runtime_checkable
class DatasetStep(Protocol):
    """Decides over all rows at once; a frozen dataclass of named options.

    Attributes:
        REVISION: raised whenever the decision for some input changes.
        LIBRARIES: distributions whose version can change the decision.
    """

    REVISION: ClassVar[int]
    LIBRARIES: ClassVar[tuple[str, ...]]

    def key_texts(self, row: Conversation, /) -> Sequence[str]:
        """Texts under which the row is to be found; equal texts meet in `decide`. May be none.

        Only the row's messages are there; its other fields are blank.
        """
        ...

    def decide(self, rows: Identity, keys: Keys, sources: Sequence[str], seed: str) -> Decision:
        """Decide about every row.

        Args:
            rows: who they are; `rows.source` indexes `sources`.
            keys: the hashed key texts.
            sources: names in the recipe's order.
            seed: this step's own stream of randomness.

        Raises:
            StepError: what was asked cannot be done with these rows.
        """
        ...


def apply_dataset_step(
    step: DatasetStep, rows: Sequence[Conversation], seed: str = "0"
) -> tuple[list[Conversation], list[tuple[Conversation, Drop]], Decision]:
    """Run a dataset step over rows in memory.

    Returns:
        The kept rows in their order, the dropped ones with the reason, and the decision itself.
    """
    keys = keys_of([step.key_texts(row) for row in rows])
    sources = list(dict.fromkeys(row.source for row in rows))
    decision = step.decide(identity_of(rows), keys, sources, seed)
    kept = [row for row, drop in zip(rows, decision.drop, strict=True) if not drop]
    dropped = [
        (rows[place], drop_of(decision, place, rows[decision.other[place]].key))
        for place in np.flatnonzero(decision.drop).tolist()
    ]
    return kept, dropped, decision


def drop_of(decision: Decision, place: int, other: str) -> Drop:
    """The ledger's view of one dropped row; `other` counts only where the decision names a row."""
    return Drop(
        decision.reason,
        found=decision.found[place] if decision.found else "",
        limit=decision.limit,
        other=other if decision.other[place] >= 0 else "",
    )
