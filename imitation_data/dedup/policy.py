"""Who stays: rows in the order in which they are taken, the same whatever order they came in."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imitation_data.identity import Identity


def source_ranks(priority: Sequence[str], sources: Sequence[str]) -> NDArray[np.int64]:
    """Rank of each source: those of `priority` first, then the recipe's order."""
    wanted = [*priority, *(name for name in sources if name not in priority)]
    return np.array([wanted.index(name) for name in sources], np.int64)


def policy_order(
    rows: Identity, ranks: NDArray[np.int64], *preferences: NDArray[np.generic]
) -> NDArray[np.int64]:
    """Indices of rows, the first to stay first.

    Args:
        rows: who they are.
        ranks: of sources; they come first.
        preferences: one value a row, lower ones stay; the first decides first. Ties are broken by
            id, a hash of the origin, and part.
    """
    ties = (rows.part, rows.origin, rows.id_low, rows.id_high)
    return np.lexsort((*ties, *reversed(preferences), ranks[rows.source])).astype(np.int64)
