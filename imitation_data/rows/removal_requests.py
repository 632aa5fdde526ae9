"""Rows that somebody asked to have removed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from imitation_data.conversation import Conversation
from imitation_data.ledger import Drop, Kept, Outcome

_REPEAT = re.compile(r"#\d+\Z")


@dataclass(frozen=True)
class RemovalRequests:
    """Drop rows by what they are: the ledger says `removal_request` and quotes nothing.

    A build adds this step itself, first and last before the split, when there are requests; see
    `imitation_data.removals`.

    Attributes:
        requests: each an origin, `source/origin`, or a row's id. An origin stands for all rows of
            its record and of records with the same bytes (`#2`, `#3`, …).
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    requests: tuple[str, ...]

    def __call__(self, row: Conversation, /) -> Outcome:
        return self.many([row])[0]

    def many(self, rows: Sequence[Conversation], /) -> list[Outcome]:
        """Decide a shard at once, so that the requests are sorted out once."""
        wanted = frozenset(self.requests)
        return [_decided(row, wanted) for row in rows]


def _decided(row: Conversation, wanted: frozenset[str]) -> Outcome:
    for origin in (row.origin, _REPEAT.sub("", row.origin)):
        if origin in wanted or f"{row.source}/{origin}" in wanted:
            return Drop("removal_request", "origin")
    return Drop("removal_request", "id") if row.id in wanted else Kept((row,))
