"""The contract of a dataset step: it sees the whole set through narrow columns and decides.

A `KeyStep` gives texts to be hashed where the rows are, a shard at a time, and decides once over
everything. A `TextStep` sketches texts where the rows are, and when it decides it can read them
again. Neither sees the order in which workers finish, and the decision may not depend on the order
of rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.conversation import Conversation, to_batch
from imitation_data.identity import Identity, Keys, identity_of, keys_of
from imitation_data.ledger import Drop
from imitation_data.text.compared import On, replaced


@dataclass(frozen=True, slots=True)
class Table:
    """A few numbers about a decision, for the report.

    Attributes:
        title: what they say.
        header: one word a column.
        rows: one cell a column, as shown.
        bars: one percentage a row, drawn beside it; may be empty.
        card: whether they also belong on the card, where a reader of the dataset sees them.
        quotes: whether their last column quotes rows, perhaps dropped ones: then it stands in the
            report alone, which is not published.
    """

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    bars: tuple[float, ...] = ()
    card: bool = False
    quotes: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """Two rows side by side: a row, another one, what was found and where they differ."""

    row: int
    other: int
    found: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Pairs worth looking at, for the report."""

    title: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Mask:
    """Spans of a row that stays, to be replaced.

    Attributes:
        row: which.
        spans: from and before, in characters of the compared text.
        found: why, in a few words.
        evidence: what stood there; personal data is masked later.
    """

    row: int
    spans: tuple[tuple[int, int], ...]
    found: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Masks:
    """All that is replaced.

    Attributes:
        kind: the slug of every edit.
        on: what of a row the spans are of.
        instead: what stands there then.
        rows: rows that stay, ascending.
    """

    kind: str
    on: On
    instead: str
    rows: tuple[Mask, ...]


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
        evidence: the span of text each drop rests on, or empty; personal data is masked later.
        note: one line about the decision as a whole, for the report.
        tables: numbers about it.
        shown: pairs of rows worth looking at.
        files: JSON files that belong into the version's folder, too, by name.
        masks: what is replaced in rows that stay.
    """

    reason: str
    limit: str
    drop: NDArray[np.bool_]
    other: NDArray[np.int64]
    found: Sequence[str] = ()
    split: NDArray[np.int16] | None = None
    splits: tuple[str, ...] = ()
    evidence: Sequence[str] = ()
    note: str = ""
    tables: tuple[Table, ...] = ()
    shown: tuple[Shown, ...] = ()
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    masks: Masks | None = None


@runtime_checkable
class KeyStep(Protocol):
    """Decides over all rows at once by hashed texts; a frozen dataclass of named options.

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


@runtime_checkable
class TextStep(Protocol):
    """Decides over all rows at once by what it makes of their texts.

    Attributes:
        REVISION, LIBRARIES: as `KeyStep` has them.
    """

    REVISION: ClassVar[int]
    LIBRARIES: ClassVar[tuple[str, ...]]

    def texts(self, table: pa.Table, /) -> pa.ChunkedArray:
        """The text of each row under the conversation schema, null where there is none."""
        ...

    def sketch(self, table: pa.Table, /) -> dict[str, NDArray[Any]]:
        """Narrow columns of these rows; the last axis is the row."""
        ...

    def match(
        self,
        rows: Identity,
        sketches: Mapping[str, NDArray[Any]],
        texts: Iterable[pa.ChunkedArray],
        sources: Sequence[str],
        threads: int,
    ) -> Decision:
        """Decide about every row.

        Args:
            rows: who they are; `rows.source` indexes `sources`.
            sketches: the narrow columns of all rows.
            texts: the texts of all rows, read anew each time they are gone through.
            sources: names in the recipe's order.
            threads: how many may be used; the decision does not depend on it.

        Raises:
            StepError: what was asked cannot be done with these rows.
        """
        ...


DatasetStep = KeyStep | TextStep


def apply_dataset_step(
    step: DatasetStep, rows: Sequence[Conversation], seed: str = "0"
) -> tuple[list[Conversation], list[tuple[Conversation, Drop]], Decision]:
    """Run a dataset step over rows in memory.

    Returns:
        The kept rows in their order, the dropped ones with the reason, and the decision itself.
    """
    sources = list(dict.fromkeys(row.source for row in rows))
    who = identity_of(rows)
    if isinstance(step, KeyStep):
        keys = keys_of([step.key_texts(row) for row in rows])
        decision = step.decide(who, keys, sources, seed)
    else:
        table = pa.Table.from_batches([to_batch(rows)])
        texts = [step.texts(table)]
        decision = step.match(who, step.sketch(table), texts, sources, 1)
    masks = {one.row: one for one in decision.masks.rows} if decision.masks else {}
    kept = [
        masked(row, decision.masks, masks[place]) if decision.masks and place in masks else row
        for place, row in enumerate(rows)
        if not decision.drop[place]
    ]
    dropped = [
        (rows[place], drop_of(decision, place, rows[decision.other[place]].key))
        for place in np.flatnonzero(decision.drop).tolist()
    ]
    return kept, dropped, decision


def masked(row: Conversation, masks: Masks, mask: Mask) -> Conversation:
    """A row with some spans replaced; its tokens are to be counted again."""
    turns = replaced(row.messages, masks.on, mask.spans, masks.instead)
    return row._replace(messages=turns, tokens=None)


def drop_of(decision: Decision, place: int, other: str) -> Drop:
    """The ledger's view of one dropped row; `other` counts only where the decision names a row."""
    return Drop(
        decision.reason,
        found=decision.found[place] if decision.found else "",
        limit=decision.limit,
        evidence=decision.evidence[place] if decision.evidence else "",
        other=other if decision.other[place] >= 0 else "",
    )
