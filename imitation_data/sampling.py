"""Sampling and mixing by shares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from imitation_data.conversation import Conversation
from imitation_data.dataset_step import Decision
from imitation_data.errors import StepError
from imitation_data.identity import Identity, Keys, scrambled


@dataclass(frozen=True)
class Sample:
    """Keep a random sample; a row's luck follows from its identity, not from its place.

    Attributes:
        rows: how many stay in all; fewer are an error.
        share: the fraction that stays, instead of `rows`.
    """

    rows: int | None = None
    share: float | None = None

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if (self.rows is None) == (self.share is None):
            raise ValueError("sample takes either rows or share")
        if self.rows is not None and self.rows < 1:
            raise ValueError(f"rows is {self.rows}; expected 1 or more")
        if self.share is not None and not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share}; expected more than 0 and at most 1")

    def key_texts(self, row: Conversation, /) -> Sequence[str]:
        """A sample compares nothing."""
        del row
        return ()

    def decide(self, rows: Identity, keys: Keys, sources: Sequence[str], seed: str) -> Decision:
        """Keep the rows with the smallest scrambled identities."""
        del keys, sources
        wanted = self.rows if self.rows is not None else round(len(rows) * (self.share or 0))
        if wanted > len(rows):
            raise StepError(f"sample: {wanted:,} rows wanted, there are {len(rows):,}")
        return _keep_first(rows, {None: wanted}, seed, f"{wanted:,} rows")


@dataclass(frozen=True)
class Mix:
    """Bring sources to given shares by leaving rows out.

    Attributes:
        shares: fraction of the mix, by source; they sum to 1. Sources not named are left out.
        rows: rows in all; the largest number that the shares allow when it is not given.
    """

    shares: Mapping[str, float]
    rows: int | None = None

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        check_shares(self.shares)
        if self.rows is not None and self.rows < 1:
            raise ValueError(f"rows is {self.rows}; expected 1 or more")

    def key_texts(self, row: Conversation, /) -> Sequence[str]:
        """A mix compares nothing."""
        del row
        return ()

    def decide(self, rows: Identity, keys: Keys, sources: Sequence[str], seed: str) -> Decision:
        """Keep of each source as many rows as its share asks for."""
        del keys
        counts = np.bincount(rows.source, minlength=len(sources)).tolist()
        sizes = dict(zip(sources, counts, strict=False))
        plan = plan_mix(sizes, self.shares, self.rows)
        places: dict[int | None, int] = {
            place: plan.get(name, 0) for place, name in enumerate(sources)
        }
        limit = ", ".join(f"{name} {plan[name]:,}" for name in self.shares)
        return _keep_first(rows, places, seed, limit)


def check_shares(shares: Mapping[str, float]) -> None:
    """Refuse shares that are not all above 0 or do not sum to 1.

    Raises:
        ValueError: which share is wrong, or what they sum to.
    """
    for name, share in shares.items():
        if not share > 0:  # nor is nan
            raise ValueError(
                f"the share of {name!r} is {share:g}, not above 0; leave it out instead"
            )
    total = sum(shares.values())
    if not abs(total - 1) < 1e-6:  # noqa: PLR2004 - rounding of written shares
        raise ValueError(f"shares sum to {total:g}; expected 1")


def plan_mix(
    sizes: Mapping[str, int], shares: Mapping[str, float], rows: int | None = None
) -> dict[str, int]:
    """Count the rows to take from each source, rounding down.

    Args:
        sizes: rows there are, by source.
        shares: fraction of the mix, by source; sums to 1.
        rows: rows wanted in all, or None for as many as possible.

    Raises:
        StepError: a source is missing or too small; the message gives the largest total that works.
    """
    if missing := [name for name in shares if not sizes.get(name)]:
        raise StepError(f"mix: no rows of {missing[0]!r} are left; remove it from shares")
    tightest = min(shares, key=lambda name: sizes[name] / shares[name])
    largest = int(sizes[tightest] / shares[tightest] + 1e-9)
    if rows is not None and rows > largest:
        raise StepError(
            f"mix: {tightest!r} has {sizes[tightest]:,} rows and a mix of {rows:,} needs "
            f"{rows * shares[tightest]:,.0f}; the largest total with these shares is {largest:,}"
        )
    total = largest if rows is None else rows
    return {name: int(total * share + 1e-9) for name, share in shares.items()}


def _keep_first(rows: Identity, wanted: dict[int | None, int], seed: str, limit: str) -> Decision:
    """Keep the first so many rows of each source (or of all, under None) in scrambled order."""
    order = np.lexsort((rows.part, rows.id_low, rows.id_high, scrambled(rows, seed)))
    drop = np.ones(len(rows), bool)
    for source, count in wanted.items():
        mine: NDArray[np.int64] = order
        if source is not None:
            mine = order[rows.source[order] == source]
        drop[mine[:count]] = False
    return Decision("not_sampled", limit, drop, np.full(len(rows), -1, np.int64))
