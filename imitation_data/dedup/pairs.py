"""From band keys to decisions: buckets, verified pairs, who stays, and clusters.

Rows are numbered in policy order, the one that stays first having the lowest number. A row goes if
and only if the exact Jaccard similarity of its shingle set and that of a kept row with which it
shares a bucket reaches the threshold.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from imitation_data.dedup.simd import ones

_U64 = np.uint64
_ZERO = np.uint64(0)
SCANNED = 1024  # rows of one bucket that are looked at
LOOKED = 1024  # rows whose bitmaps one row is held against
MAP_WORDS = 32  # of a bitmap: 2048 bits
_MIX = np.uint64(0x9E3779B97F4A7C15)


class Candidates(NamedTuple):
    """Rows that share a bucket with another row, in policy order.

    Attributes:
        buckets: each row's bucket in each band, or -1 where it is alone; int32, (rows, bands).
        first: where each bucket's list begins in a list of all members; int64, (buckets + 1,).
        sets: the shingle sets, one after the other, uint64.
        starts: where each row's set begins, int64.
        sizes: how many shingles it has, int32.
        fixed: rows that stay whatever they are like, bool.
    """

    buckets: NDArray[np.int32]
    first: NDArray[np.int64]
    sets: NDArray[np.uint64]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int32]
    fixed: NDArray[np.bool_]


@njit(nogil=True, cache=True)
def number_buckets(keys: NDArray[np.uint64], ids: NDArray[np.int32]) -> int:
    """Number the buckets of one band that have several rows; the others are -1.

    Args:
        keys: of each row, 0 for rows that are not looked for; uint64, (n,).
        ids: filled, int32, (n,).

    Returns:
        How many buckets there are.
    """
    size = 16
    while size < 2 * len(keys):
        size *= 2
    mask = _U64(size - 1)
    slots = np.zeros(size, np.int32)
    found = 0
    for row in range(len(keys)):
        ids[row] = -1
        key = keys[row]
        if key == _ZERO:
            continue
        at = (key * _MIX >> _U64(20)) & mask
        while slots[at] != 0 and keys[slots[at] - 1] != key:
            at = (at + _U64(1)) & mask
        if slots[at] == 0:
            slots[at] = row + 1
            continue
        other = slots[at] - 1
        if ids[other] < 0:
            ids[other] = found
            found += 1
        ids[row] = ids[other]
    return found


@njit(nogil=True, cache=True)
def copy_sets(
    offsets: NDArray[np.int64],
    shingles: NDArray[np.uint64],
    starts: NDArray[np.int64],
    sizes: NDArray[np.int32],
    sets: NDArray[np.uint64],
) -> None:
    """Copy the shingle sets of some rows to where they are wanted; the others start at -1."""
    for row in range(len(starts)):
        if starts[row] >= 0:
            size = offsets[row + 1] - offsets[row]
            sizes[row] = size
            sets[starts[row] : starts[row] + size] = shingles[offsets[row] : offsets[row] + size]


@njit(nogil=True, cache=True)
def _fill(slots: NDArray[np.int32], mine: NDArray[np.uint64]) -> np.uint64:
    """Put a set into a hash table; return the table's mask."""
    size = 16
    while size < 4 * len(mine):
        size *= 2
    mask = _U64(size - 1)
    slots[:size] = 0
    for place in range(len(mine)):
        at = mine[place] & mask
        while slots[at] != 0:
            at = (at + _U64(1)) & mask
        slots[at] = place + 1
    return mask


@njit(nogil=True, cache=True)
def _shared(
    slots: NDArray[np.int32],
    mask: np.uint64,
    mine: NDArray[np.uint64],
    other: NDArray[np.uint64],
    least: int,
) -> int:
    """Count the shingles two sets share, or -1 as soon as it cannot reach `least`.

    `mine` lies in the hash table. Near copies share long runs in the same order, so a hit is
    followed along both sets.
    """
    found, misses, place = 0, 0, 0
    may_miss = len(other) - least
    while place < len(other):
        at = other[place] & mask
        while slots[at] != 0 and mine[slots[at] - 1] != other[place]:
            at = (at + _U64(1)) & mask
        if slots[at] == 0:
            misses += 1
            if misses > may_miss:
                return -1
            place += 1
            continue
        beside = slots[at] - 1
        while place < len(other) and beside < len(mine) and mine[beside] == other[place]:
            found += 1
            place += 1
            beside += 1
    return found


@njit(nogil=True, cache=True)
def least_shared(one: int, two: int, threshold: float) -> int:
    """The fewest shared shingles with which sets of two sizes reach a Jaccard similarity."""
    least = np.int64(threshold * (one + two) / (1.0 + threshold))
    while least > 0 and least - 1 >= threshold * (one + two - least + 1):
        least -= 1
    while least < threshold * (one + two - least):
        least += 1
    return least


@njit(nogil=True, cache=True)
def _maps(given: Candidates) -> NDArray[np.uint64]:
    """A bitmap of each set, one bit a shingle: what is in one set only, mostly differs in them."""
    maps = np.zeros((len(given.sizes), MAP_WORDS), np.uint64)
    for row in range(len(given.sizes)):
        for at in range(given.starts[row], given.starts[row] + given.sizes[row]):
            bit = given.sets[at] >> _U64(32)
            maps[row, (bit >> _U64(6)) % _U64(MAP_WORDS)] |= _U64(1) << (bit & _U64(63))
    return maps


@njit(nogil=True, cache=True, inline="always")
def _may_share(one: NDArray[np.uint64], two: NDArray[np.uint64], sizes: int, least: int) -> bool:
    """Whether sets of so many shingles together can share `least`, by their bitmaps.

    Every bit that differs stands for a shingle that only one of them has (Sandes, Teodoro and
    Melo 2020), so this never says no to a pair that does.
    """
    apart = 0
    for word in range(MAP_WORDS):
        apart += ones(one[word] ^ two[word])
    return sizes - apart >= 2 * least


@njit(nogil=True, cache=True)
def _gather(
    row: int,
    given: Candidates,
    members: NDArray[np.int32],
    filled: NDArray[np.int32],
    seen: NDArray[np.int32],
    hits: NDArray[np.int32],
    found: NDArray[np.int32],
) -> tuple[int, int]:
    """List the kept rows that share a bucket with a row, and in `hits` how many buckets.

    `hits` holds for rows that are marked in `seen` with this row's number.

    Returns:
        How many there are, and how many were not looked at because their bucket is too full.
    """
    count, missed = 0, 0
    for band in range(given.buckets.shape[1]):
        bucket = given.buckets[row, band]
        if bucket < 0:
            continue
        begin = given.first[bucket]
        missed += max(0, filled[bucket] - SCANNED)
        for at in range(begin, begin + min(filled[bucket], SCANNED)):
            before = members[at]
            if seen[before] != row:
                seen[before], hits[before] = row, 0
                found[count] = before
                count += 1
            hits[before] += 1
    return count, missed


@njit(nogil=True, cache=True)
def _choose(
    found: NDArray[np.int32], count: int, hits: NDArray[np.int32], bands: int, most: int
) -> int:
    """Keep the `most` rows with the most shared buckets, the first found among equals.

    Returns:
        How many there are; they stand at the beginning, in policy order.
    """
    if count <= most:
        found[:count].sort()
        return count
    tally = np.zeros(bands + 2, np.int64)
    for place in range(count):
        tally[hits[found[place]]] += 1
    level, above = bands + 1, 0
    while above + tally[level] <= most:
        above += tally[level]
        level -= 1
    at_level, kept = most - above, 0
    for place in range(count):
        one = found[place]
        if hits[one] > level or (hits[one] == level and at_level > 0):
            at_level -= hits[one] == level
            found[kept] = one
            kept += 1
    found[:kept].sort()
    return kept


@njit(nogil=True, cache=True)
def settle(
    given: Candidates,
    threshold: float,
    most: int,
    other: NDArray[np.int64],
    shared: NDArray[np.int32],
) -> tuple[int, int, int]:
    """Decide about each row, in policy order.

    Args:
        given: all candidates.
        threshold: the least Jaccard similarity of a near-duplicate.
        most: rows that one row is compared with; those with the most shared buckets.
        other: filled with the first kept row that each row reaches, or -1; int64, (rows,).
        shared: filled with the shingles that they share; int32, (rows,).

    Returns:
        Pairs compared; rows that had more to be compared with; pairs passed over for that.
    """
    rows, bands = given.buckets.shape
    longest = 1
    for row in range(rows):
        longest = max(longest, given.sizes[row])
    slots = np.zeros(max(16, 8 * longest), np.int32)
    members = np.zeros(given.first[-1], np.int32)
    filled = np.zeros(len(given.first) - 1, np.int32)
    maps = _maps(given)
    seen, hits = np.full(rows, -1, np.int32), np.zeros(rows, np.int32)
    found = np.zeros(rows, np.int32)
    compared, capped, passed = 0, 0, 0
    for row in range(rows):
        mine = given.sets[given.starts[row] : given.starts[row] + given.sizes[row]]
        other[row] = -1
        if not given.fixed[row]:
            count, missed = _gather(row, given, members, filled, seen, hits, found)
            looked = _choose(found, count, hits, bands, LOOKED)
            alike = 0
            for place in range(looked):
                before = found[place]
                both = len(mine) + given.sizes[before]
                least = least_shared(len(mine), given.sizes[before], threshold)
                if _may_share(maps[row], maps[before], both, least):
                    found[alike] = before
                    alike += 1
            chosen = _choose(found, alike, hits, bands, most)
            mask = _ZERO
            for place in range(chosen):
                before = found[place]
                size = given.sizes[before]
                least = least_shared(len(mine), size, threshold)
                if mask == _ZERO:
                    mask = _fill(slots, mine)
                compared += 1
                theirs = given.sets[given.starts[before] : given.starts[before] + size]
                both = _shared(slots, mask, mine, theirs, least)
                if both >= least:
                    other[row], shared[row] = before, both
                    break
            over = count - looked + alike - chosen + missed
            if other[row] < 0 and over > 0:
                capped += 1
                passed += over
        if other[row] >= 0:
            continue
        for band in range(bands):
            bucket = given.buckets[row, band]
            if bucket >= 0:
                members[given.first[bucket] + filled[bucket]] = row
                filled[bucket] += 1
    return compared, capped, passed


@njit(nogil=True, cache=True)
def root_of(parent: NDArray[np.int64], row: int) -> int:
    """The lowest row of a row's cluster; paths are halved on the way (Tarjan 1975)."""
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


@njit(nogil=True, cache=True)
def _join(parent: NDArray[np.int64], one: int, two: int) -> None:
    one, two = root_of(parent, one), root_of(parent, two)
    if one < two:
        parent[two] = one
    else:
        parent[one] = two


@njit(nogil=True, cache=True)
def connect(
    given: Candidates,
    threshold: float,
    most: int,
    other: NDArray[np.int64],
    shared: NDArray[np.int32],
) -> tuple[NDArray[np.int64], int]:
    """Find clusters: rows connected by pairs that share a bucket and reach the threshold.

    Members of a bucket that are of one cluster already hang together, and a row of that cluster
    passes them over at one look.

    Args:
        given: all candidates.
        threshold: the least Jaccard similarity of a pair.
        most: rows of one bucket and of other clusters that a row is compared with.
        other: what `settle` found.
        shared: what `settle` found.

    Returns:
        The lowest row of each row's cluster, int64; and how many pairs were compared.
    """
    count, bands = given.buckets.shape
    maps = _maps(given)
    parent = np.arange(count)
    longest = 1
    for row in range(count):
        longest = max(longest, given.sizes[row])
        if other[row] >= 0:
            _join(parent, other[row], row)
    total = given.first[-1]
    member = np.empty(total, np.int64)  # of a bucket; chained by the cluster they are in
    following = np.full(total, -1, np.int64)  # the next of its cluster
    last = np.arange(total)  # the end of its chain, told of the head
    next_head = np.full(total, -1, np.int64)
    heads = np.full(len(given.first) - 1, -1, np.int64)
    filled = np.zeros(len(given.first) - 1, np.int64)
    stamp = np.full(count, -1, np.int64)  # of a root: when it was met, and at which head
    met = np.full(count, -1, np.int64)
    seen = np.full(count, -1, np.int64)
    slots = np.zeros(max(16, 8 * longest), np.int32)
    compared = 0
    for row in range(count):
        mine = given.sets[given.starts[row] : given.starts[row] + given.sizes[row]]
        equal = other[row] >= 0 and shared[row] == given.sizes[row] == given.sizes[other[row]]
        if equal:
            continue  # whatever is like it is like the row it lost to
        mask, left = _ZERO, most
        for band in range(bands):
            bucket = given.buckets[row, band]
            if bucket < 0:
                continue
            now = row * bands + band
            before, head, looks = -1, heads[bucket], SCANNED
            while head >= 0:
                root = root_of(parent, member[head])
                if stamp[root] == now:  # grown into one cluster since: hang the chains together
                    following[last[met[root]]] = head
                    last[met[root]] = last[head]
                    next_head[before] = next_head[head]
                    head = next_head[head]
                    continue
                stamp[root], met[root] = now, head
                at = head
                while at >= 0 and root_of(parent, member[at]) != root_of(parent, row) and looks > 0:
                    one = member[at]
                    looks -= 1
                    at = following[at]
                    if left == 0 or seen[one] == row or (other[one] < 0 and other[row] < 0):
                        continue
                    seen[one] = row
                    size = given.sizes[one]
                    least = least_shared(len(mine), size, threshold)
                    if not _may_share(maps[row], maps[one], len(mine) + size, least):
                        continue
                    if mask == _ZERO:
                        mask = _fill(slots, mine)
                    compared += 1
                    left -= 1
                    theirs = given.sets[given.starts[one] : given.starts[one] + size]
                    if _shared(slots, mask, mine, theirs, least) >= least:
                        _join(parent, one, row)
                before, head = head, next_head[head]
            place = given.first[bucket] + filled[bucket]
            filled[bucket] += 1
            member[place], last[place] = row, place
            root = root_of(parent, row)
            if stamp[root] == now:
                following[last[met[root]]] = place
                last[met[root]] = place
            else:
                next_head[place], heads[bucket] = heads[bucket], place
    for row in range(count):
        parent[row] = root_of(parent, row)
    return parent, compared
