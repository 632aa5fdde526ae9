"""Clusters: texts connected by verified pairs, and the components that can be worked on alone."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imitation_data.dedup.pairs import (
    SCANNED,
    Candidates,
    fill,
    least_shared,
    may_share,
    shared_by,
)
from imitation_data.text.compiled import kernel

_ZERO = np.uint64(0)


class Chains(NamedTuple):
    """Scratch of `connect`: the members of each bucket, chained by the cluster they are in.

    Rows of different components use different parts of it.

    Attributes:
        member: the row of each place, int32.
        following: the next place of its chain, or -1, int32.
        last: the end of the chain that begins here, int32.
        next_head: where the bucket's next chain begins, or -1, int32.
        heads: where each bucket's first chain begins, or -1, int32.
        filled: places taken of each bucket, int32.
        stamp: when each root was met last, int64.
        met: and at which head, int32.
        seen: the last row that was compared with each row, int32.
    """

    member: NDArray[np.int32]
    following: NDArray[np.int32]
    last: NDArray[np.int32]
    next_head: NDArray[np.int32]
    heads: NDArray[np.int32]
    filled: NDArray[np.int32]
    stamp: NDArray[np.int64]
    met: NDArray[np.int32]
    seen: NDArray[np.int32]


def chains(given: Candidates) -> Chains:
    """Empty chains for these candidates."""
    places, buckets, rows = int(given.first[-1]), len(given.first) - 1, len(given.sizes)
    return Chains(
        np.empty(places, np.int32),
        np.empty(places, np.int32),
        np.empty(places, np.int32),
        np.empty(places, np.int32),
        np.full(buckets, -1, np.int32),
        np.zeros(buckets, np.int32),
        np.full(rows, -1, np.int64),
        np.empty(rows, np.int32),
        np.full(rows, -1, np.int32),
    )


@kernel
def root_of(parent: NDArray[np.int64], row: int) -> int:
    """The lowest row of a row's cluster; paths are halved on the way (Tarjan 1975)."""
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


@kernel
def _join(parent: NDArray[np.int64], one: int, two: int) -> None:
    one, two = root_of(parent, one), root_of(parent, two)
    if one < two:
        parent[two] = one
    else:
        parent[one] = two


@kernel
def components(buckets: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """The lowest row that each row is connected to by shared buckets, of which there are `count`.

    No decision about one component depends on a row of another.
    """
    parent = np.arange(len(buckets))
    first = np.full(count, -1, np.int64)
    for row in range(len(buckets)):
        for band in range(buckets.shape[1]):
            bucket = buckets[row, band]
            if bucket < 0:
                continue
            if first[bucket] < 0:
                first[bucket] = row
            else:
                _join(parent, first[bucket], row)
    for row in range(len(parent)):
        parent[row] = root_of(parent, row)
    return parent


@kernel
def _hang(row: int, given: Candidates, own: Chains) -> None:
    """Begin a chain with a row in each of its buckets."""
    for band in range(given.buckets.shape[1]):
        bucket = given.buckets[row, band]
        if bucket >= 0:
            place = given.first[bucket] + own.filled[bucket]
            own.filled[bucket] += 1
            own.member[place], own.last[place], own.following[place] = row, place, -1
            own.next_head[place], own.heads[bucket] = own.heads[bucket], place


@kernel
def connect(
    rows: NDArray[np.int64],
    given: Candidates,
    maps: NDArray[np.uint64],
    own: Chains,
    threshold: float,
    most: int,
    other: NDArray[np.int64],
    shared: NDArray[np.int32],
    parent: NDArray[np.int64],
) -> int:
    """Find clusters: rows connected by pairs that share a bucket and reach the threshold.

    Members of a bucket that are of one cluster already hang together, and a row of that cluster
    passes them over at one look.

    Args:
        rows: whole components, in policy order.
        given: all candidates.
        maps: their bitmaps.
        own: scratch.
        threshold: the least Jaccard similarity of a pair.
        most: rows of other clusters that a row is compared with.
        other: what `settle` found.
        shared: what `settle` found.
        parent: each row itself; filled with the lowest row of its cluster.

    Returns:
        How many pairs were compared.
    """
    bands, base, longest, compared = given.buckets.shape[1], maps.ctypes.data, 1, 0
    for row in rows:
        longest = max(longest, given.sizes[row])
        if other[row] >= 0:
            _join(parent, other[row], row)
        else:
            _hang(row, given, own)
    slots = np.zeros(max(16, 8 * longest), np.int32)
    for row in rows:
        mine = given.sets[given.starts[row] : given.starts[row] + given.sizes[row]]
        equal = shared[row] == given.sizes[row] == given.sizes[other[row]]
        if other[row] < 0 or (equal and not given.fixed[other[row]]):
            continue  # kept rows are unlike each other; an equal row finds what its winner finds
        mask, left, root_of_row = _ZERO, most, root_of(parent, row)
        for band in range(bands):
            bucket = given.buckets[row, band]
            if bucket < 0:
                continue
            now = row * bands + band
            before, head, looks = -1, own.heads[bucket], SCANNED
            while head >= 0 and looks > 0:
                looks -= 1
                if own.following[head] < 0 and own.seen[own.member[head]] == row:
                    before, head = head, own.next_head[head]
                    continue
                root, after = root_of(parent, own.member[head]), own.next_head[head]
                at = -1 if root == root_of_row else head
                if own.stamp[root] == now:  # grown into one cluster since: hang them together
                    own.following[own.last[own.met[root]]] = head
                    own.last[own.met[root]] = own.last[head]
                    own.next_head[before] = after
                else:
                    own.stamp[root], own.met[root] = now, head
                    before = head
                while at >= 0 and looks > 0:
                    one = own.member[at]
                    looks -= 1
                    at = own.following[at]
                    if left == 0 or own.seen[one] == row:
                        continue
                    own.seen[one] = row
                    size = given.sizes[one]
                    if not may_share(base, row, one, len(mine) + size, threshold):
                        continue
                    if mask == _ZERO:
                        mask = fill(slots, mine)
                    compared += 1
                    left -= 1
                    theirs = given.sets[given.starts[one] : given.starts[one] + size]
                    least = least_shared(len(mine) + size, threshold)
                    if shared_by(slots, mask, mine, theirs, least) >= least:
                        _join(parent, one, row)
                        root_of_row = root_of(parent, row)
                        break
                head = after
            place = given.first[bucket] + own.filled[bucket]
            own.filled[bucket] += 1
            own.member[place], own.last[place] = row, place
            own.following[place], own.next_head[place] = -1, -1
            if own.stamp[root_of_row] == now:
                own.following[own.last[own.met[root_of_row]]] = place
                own.last[own.met[root_of_row]] = place
            else:
                own.next_head[place], own.heads[bucket] = own.heads[bucket], place
    for row in rows:
        parent[row] = root_of(parent, row)
    return compared
