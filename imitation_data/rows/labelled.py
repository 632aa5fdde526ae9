"""Keep or drop rows by a label that a teacher has given them."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import orjson

from imitation_data.conversation import Conversation
from imitation_data.ledger import Drop, Kept, Outcome


@dataclass(frozen=True)
class Labelled:
    """Keep the rows with some labels (`labels` of `meta`, as `generate: labels` writes them).

    Attributes:
        keep: labels of rows that stay; empty for all that are not dropped.
        drop: labels of rows that go.
        name: of the label, as the source that gave it has it.
        unlabelled: whether a row without such a label stays: `keep` or `drop`.
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    name: str = "category"
    unlabelled: Literal["keep", "drop"] = "drop"

    def __post_init__(self) -> None:
        if both := sorted({*self.keep} & {*self.drop}):
            raise ValueError(f"keep and drop both name {both[0]!r}; expected each label once")
        if not self.keep and not self.drop:
            raise ValueError("keep and drop are both empty; expected at least one label")

    def __call__(self, row: Conversation, /) -> Outcome:
        label = label_of(row, self.name)
        if label is None:
            if self.unlabelled == "keep":
                return Kept((row,))
            return Drop("unlabelled", "no label", self.name)
        if label in self.drop or (self.keep and label not in self.keep):
            return Drop("label", label, ", ".join(self.keep) or "another label")
        return Kept((row,))


def label_of(row: Conversation, name: str) -> str | None:
    """The label of that name; None where a row has none."""
    if '"labels"' not in row.meta:
        return None
    meta = orjson.loads(row.meta)
    labels = meta.get("labels") if isinstance(meta, dict) else None
    told = labels.get(name) if isinstance(labels, dict) else None
    label = told.get("label") if isinstance(told, dict) else None
    return label if isinstance(label, str) else None
