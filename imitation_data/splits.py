"""Splits that cannot leak into one another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from imitation_data.conversation import Conversation
from imitation_data.dataset_step import Decision
from imitation_data.dedup.exact import ExactDedup, Level
from imitation_data.errors import StepError
from imitation_data.identity import Identity, Keys, scrambled
from imitation_data.sampling import check_shares


@dataclass(frozen=True)
class Split:
    """Assign rows to splits; rows that belong together go to one split.

    Rows belong together when they come from one record or share a key of `link` (normalised), and
    so does whatever is linked through others. A group's split follows from the smallest id in it
    and the seed, so rows seldom move when others come or go; shares are met on average.

    Attributes:
        shares: fraction of the rows, by split name; they sum to 1.
        link: what must not stand in two splits, as in `ExactDedup.level`.
        min_characters: shorter queries link nothing under `any_query`.
        max_group: largest share of all rows that one group may hold before the split is refused.
    """

    shares: Mapping[str, float]
    link: Level = "any_query"
    min_characters: int = 12
    max_group: float = 0.5

    REVISION: ClassVar[int] = 2
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        check_shares(self.shares)
        if self.min_characters < 1:
            raise ValueError(f"min_characters is {self.min_characters}; expected 1 or more")
        if not 0 < self.max_group <= 1:
            raise ValueError(f"max_group is {self.max_group:g}; expected more than 0, at most 1")
        for name in self.shares:
            if not name.isidentifier() or not name.isascii():
                raise ValueError(f"{name!r} is no name for a split; expected letters, digits and _")

    def key_texts(self, row: Conversation, /) -> Sequence[str]:
        """The normalised texts that must not stand in two splits."""
        whole = ExactDedup("conversation").key_texts(row)
        if self.link == "conversation":
            return whole
        return (*whole, *ExactDedup(self.link, min_characters=self.min_characters).key_texts(row))

    def decide(self, rows: Identity, keys: Keys, sources: Sequence[str], seed: str) -> Decision:
        """Give every row its split; nothing is dropped.

        Raises:
            StepError: one linked group is larger than `max_group` allows.
        """
        del sources
        group = _linked(rows, keys)
        sizes = np.bincount(group) if len(rows) else np.zeros(1, np.int64)
        if len(rows) > 100 and sizes.max() > self.max_group * len(rows):  # noqa: PLR2004
            raise StepError(
                f"split: {sizes.max():,} of {len(rows):,} rows are linked into one group through "
                f"{self.link}; raise min_characters, link by first_user, or raise max_group"
            )
        luck = _luck(rows, group, seed)
        names = sorted(self.shares)  # the order they are written in decides nothing
        inner = np.cumsum([self.shares[name] for name in names])[:-1]
        nobody = np.full(len(rows), -1, np.int64)
        return Decision(
            reason="",
            limit="",
            drop=nobody >= 0,
            other=nobody,
            split=np.searchsorted(inner, luck, "right").astype(np.int16),
            splits=tuple(names),
            note=f"{len(np.unique(group)):,} groups, the largest of {sizes.max():,} rows",
        )


def _linked(rows: Identity, keys: Keys) -> NDArray[np.int64]:
    """Number the connected components of rows that share a key or a record."""
    from scipy.sparse import coo_array  # noqa: PLC0415 - takes 0.2 s to import
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    count = len(rows)
    pairs = np.rec.fromarrays([keys.high, keys.low])
    _, key = np.unique(pairs, return_inverse=True)
    _, record = np.unique(rows.origin, return_inverse=True)
    keyed = int(key.max()) + 1 if len(key) else 0
    total = count + keyed + (int(record.max()) + 1 if count else 0)
    left = np.concatenate([keys.row, np.arange(count)])
    right = np.concatenate([count + key, count + keyed + record])
    graph = coo_array((np.ones(len(left), np.int8), (left, right)), shape=(total, total))
    labels: NDArray[np.int64] = connected_components(graph, directed=False)[1][:count]
    return labels.astype(np.int64)


def _luck(rows: Identity, group: NDArray[np.int64], seed: str) -> NDArray[np.float64]:
    """A number in [0, 1) a row, the same for a whole group: from its smallest member."""
    scores = scrambled(rows, seed)
    smallest = np.full(
        int(group.max()) + 1 if len(group) else 0, np.iinfo(np.uint64).max, np.uint64
    )
    np.minimum.at(smallest, group, scores)
    # The smallest of many is small: scramble once more, or large groups would all fall in the
    # first split.
    again = smallest * np.uint64(0x9E3779B97F4A7C15)
    again ^= again >> np.uint64(32)
    again *= np.uint64(0xD6E8FEB86659FD93)
    mixed = again ^ (again >> np.uint64(32))
    return (mixed >> np.uint64(11)).astype(np.float64)[group] / float(1 << 53)
