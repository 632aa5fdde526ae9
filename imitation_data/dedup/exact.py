"""Exact duplicates: of whole conversations, of first user turns, or of any query."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from imitation_data.conversation import Conversation
from imitation_data.dataset_step import Decision
from imitation_data.dedup.policy import policy_order, source_ranks
from imitation_data.identity import Identity, Keys
from imitation_data.normalize import Normalization, normalized

Level = Literal["conversation", "first_user", "any_query"]


@dataclass(frozen=True)
class ExactDedup:
    """Drop rows whose text, normalised, stands in a row that stays.

    Rows are taken in policy order: source priority, then longest (or smallest id), ties by id,
    a hash of the origin, and part. A row goes if and only if it shares a key with a row already
    kept, so a second pass finds nothing and the answer does not depend on the order of the input.

    Attributes:
        level: what is compared. `conversation`: all turns with their roles. `first_user`: the first
            user turn. `any_query`: every user turn of at least `min_characters`; one shared query
            is enough ("dedup on the query level" of Gudibande et al. 2023 does not say which).
        normalization: see `imitation_data.normalize.normalized`.
        min_characters: shorter queries ("continue", "yes") are no evidence under `any_query`.
        priority: source names, the one whose rows stay first; the others follow in recipe order.
        keep: which of several equal rows of one source stays.
    """

    level: Level = "conversation"
    normalization: Normalization = "nfkc_casefold"
    min_characters: int = 12
    priority: tuple[str, ...] = ()
    keep: Literal["longest", "smallest_id"] = "longest"

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if self.level not in get_args(Level):
            raise ValueError(f"level is {self.level!r}; expected one of {get_args(Level)}")
        if self.min_characters < 1:
            raise ValueError(f"min_characters is {self.min_characters}; expected 1 or more")

    def key_texts(self, row: Conversation, /) -> Sequence[str]:
        """The normalised texts this row is compared by."""
        if self.level == "conversation":
            return (_whole(row, self.normalization),)
        if self.level == "first_user":
            first = row.texts("user")[:1]
            return tuple(normalized(text, self.normalization) for text in first)
        queries = (normalized(text, self.normalization) for text in row.texts("user"))
        return tuple({query: None for query in queries if len(query) >= self.min_characters})

    def decide(self, rows: Identity, keys: Keys, sources: Sequence[str], seed: str) -> Decision:
        """Drop every row that shares a key with a kept one, rows taken in policy order."""
        del seed
        group, shared = _groups(keys)
        other = np.full(len(rows), -1, np.int64)
        if len(shared):
            members = np.unique(keys.row[shared])
            order = members[self._order(rows.take(members), sources)]
            _take_in_order(order, keys.row[shared], group[shared], other)
        return Decision(
            reason=f"duplicate_{self.level}",
            limit=f"equal {self.level} under {self.normalization}",
            drop=other >= 0,
            other=other,
        )

    def _order(self, rows: Identity, sources: Sequence[str]) -> NDArray[np.int64]:
        length = (-rows.characters,) if self.keep == "longest" else ()
        return policy_order(rows, source_ranks(self.priority, sources), *length)


def _whole(row: Conversation, form: Normalization) -> str:
    """A conversation as one text: a header of roles and lengths, then the normalised turns."""
    heads, texts = [], []
    for role, text in row.messages:
        plain = normalized(text, form)
        heads.append(f"{role} {len(plain)}")
        texts.append(plain)
    return "\n".join((*heads, "", *texts))


def _groups(keys: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Number equal keys alike; return the numbers and where keys stand that several rows share."""
    count = len(keys.row)
    order = np.lexsort((keys.low, keys.high))
    high, low = keys.high[order], keys.low[order]
    new = np.ones(count, bool)
    new[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    group = np.empty(count, np.int64)
    group[order] = np.cumsum(new) - 1
    sizes = np.bincount(group, minlength=1) if count else np.zeros(1, np.int64)
    return group, np.flatnonzero(sizes[group] > 1) if count else np.zeros(0, np.int64)


def _take_in_order(
    order: NDArray[np.int64],
    key_rows: NDArray[np.int64],
    key_groups: NDArray[np.int64],
    other: NDArray[np.int64],
) -> None:
    """Walk rows in order; fill `other` with the kept row that each dropped row meets first."""
    starts = np.searchsorted(key_rows, order, "left").tolist()
    stops = np.searchsorted(key_rows, order, "right").tolist()
    groups = key_groups.tolist()
    keeper: dict[int, int] = {}  # group to the place in `order` of the kept row that holds it
    for place, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        mine = groups[start:stop]
        found = min((keeper[group] for group in mine if group in keeper), default=-1)
        if found >= 0:
            other[order[place]] = order[found]
        else:
            keeper.update(dict.fromkeys(mine, place))
