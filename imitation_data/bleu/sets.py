"""Compiled: the n-grams of one query as hash tables that fit in the nearest cache."""

import numpy as np
from numpy.typing import NDArray

from imitation_data.text.compiled import inlined, kernel

_MIX = np.uint32(0x9E3779B1)
_SHIFT = np.uint32(7)


@inlined
def _slot(member: int, size: int) -> int:
    return np.int64((np.uint32(member) * _MIX) >> _SHIFT) & (size - 1)


@kernel
def fill(
    members: NDArray[np.int32], start: int, stop: int, table: NDArray[np.int32], n: int
) -> int:
    """Put a query's n-grams into a hash table; return its size."""
    size = 4
    while size < 4 * (stop - start):
        size *= 2
    size = min(size, table.shape[1])
    for slot in range(size):
        table[n, slot] = -1
    for at in range(start, stop):
        member = members[at]
        slot = _slot(member, size)
        while table[n, slot] >= 0:
            slot = (slot + 1) & (size - 1)
        table[n, slot] = member
    return size


@kernel
def in_common(
    members: NDArray[np.int32],
    start: int,
    stop: int,
    table: NDArray[np.int32],
    n: int,
    size: int,
) -> int:
    """N-grams that a text has in common with the query in the table."""
    count = 0
    for at in range(start, stop):
        member = members[at]
        slot = _slot(member, size)
        while table[n, slot] >= 0 and table[n, slot] != member:
            slot = (slot + 1) & (size - 1)
        count += table[n, slot] == member
    return count
