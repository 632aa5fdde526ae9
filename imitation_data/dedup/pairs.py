"""From band keys to decisions: buckets, verified pairs, who stays, and clusters.

Rows are numbered in policy order, the one that stays first having the lowest number. A row goes if
and only if the exact Jaccard similarity of its shingle set and that of a kept row with which it
shares a bucket reaches the threshold.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imitation_data.text.compiled import inlined, kernel
from imitation_data.text.simd import MAP_WORDS, bits_apart, prefetch

_U64 = np.uint64
_ZERO = np.uint64(0)
SCANNED = 1024  # rows of one bucket that are looked at
LOOKED = 1024  # rows whose bitmaps one row is held against
AHEAD = 6  # bitmaps asked for before they are needed
SLACK = 1e-3  # of a shingle: more than rounding can take from a set that fits in memory
MAP_BYTES = 8 * MAP_WORDS
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


class Lists(NamedTuple):
    """Scratch of `settle`: rows of different components use different parts of it.

    Attributes:
        members: the kept rows of each bucket, int32.
        filled: how many there are, int32.
        met: the last row that met each row, and in how many buckets, int32, (rows, 2).
    """

    members: NDArray[np.int32]
    filled: NDArray[np.int32]
    met: NDArray[np.int32]


def lists(given: Candidates) -> Lists:
    """Empty lists for these candidates."""
    rows = len(given.sizes)
    return Lists(
        np.zeros(int(given.first[-1]), np.int32),
        np.zeros(len(given.first) - 1, np.int32),
        np.full((rows, 2), -1, np.int32),
    )


@kernel
def number_buckets(keys: NDArray[np.uint32], ids: NDArray[np.int32]) -> int:
    """Number the buckets of one band that have several rows; the others are -1.

    Args:
        keys: of each row, 0 for rows that are not looked for; uint32, (n,).
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
        if key == 0:
            continue
        at = (_U64(key) * _MIX >> _U64(20)) & mask
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


@kernel
def renumber(buckets: NDArray[np.int32], numbers: NDArray[np.int32]) -> int:
    """Number the buckets of some rows from 0, in place; `numbers` is scratch, all -1."""
    count = 0
    for row in range(len(buckets)):
        for band in range(buckets.shape[1]):
            bucket = buckets[row, band]
            if bucket >= 0:
                if numbers[bucket] < 0:
                    numbers[bucket] = count
                    count += 1
                buckets[row, band] = numbers[bucket]
    return count


@kernel
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


@kernel
def fill(slots: NDArray[np.int32], mine: NDArray[np.uint64]) -> np.uint64:
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


@kernel
def shared_by(
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


@kernel
def least_shared(both: int, threshold: float) -> int:
    """The fewest shared shingles with which two sets of so many together reach a similarity."""
    least = np.int64(threshold * both / (1.0 + threshold))
    while least > 0 and (least - 1) / (both - least + 1) >= threshold:
        least -= 1
    while least / (both - least) < threshold:  # as the similarity itself is reckoned
        least += 1
    return least


@kernel
def draw_maps(given: Candidates, maps: NDArray[np.uint64], begin: int, end: int) -> None:
    """Draw a bitmap of some sets, one bit a shingle; `maps` is zeros, (rows, MAP_WORDS)."""
    for row in range(begin, end):
        for at in range(given.starts[row], given.starts[row] + given.sizes[row]):
            bit = given.sets[at] >> _U64(32)
            maps[row, (bit >> _U64(6)) % _U64(MAP_WORDS)] |= _U64(1) << (bit & _U64(63))


@inlined
def may_share(maps: int, one: int, two: int, both: int, threshold: float) -> bool:
    """Whether two sets of `both` shingles together can reach a similarity, by their bitmaps.

    Every bit that differs stands for a shingle that only one of them has (Sandes, Teodoro and
    Melo 2020), so this never says no to a pair that does.

    Args:
        maps: the address of the bitmaps.
        one: a row.
        two: another one.
        both: how many shingles they have together.
        threshold: Jaccard similarity.
    """
    apart = bits_apart(maps + MAP_BYTES * one, maps + MAP_BYTES * two)
    least = np.ceil(both * (threshold / (1.0 + threshold)) - SLACK)
    return bool(both - apart >= 2.0 * least)


@kernel
def _gather(row: int, given: Candidates, own: Lists, found: NDArray[np.int32]) -> tuple[int, int]:
    """List the kept rows that share a bucket with a row, and in `own.met` how many buckets.

    The numbers hold for rows that are marked with this row.

    Returns:
        How many there are, and how many were not looked at because their bucket is too full.
    """
    count, missed = 0, 0
    for band in range(given.buckets.shape[1]):
        bucket = given.buckets[row, band]
        if bucket < 0:
            continue
        begin = given.first[bucket]
        missed += max(0, own.filled[bucket] - SCANNED)
        for at in range(begin, begin + min(own.filled[bucket], SCANNED)):
            before = own.members[at]
            if own.met[before, 0] != row:
                own.met[before, 0], own.met[before, 1] = row, 0
                found[count] = before
                count += 1
            own.met[before, 1] += 1
    return count, missed


@kernel
def _choose(
    found: NDArray[np.int32], count: int, met: NDArray[np.int32], bands: int, most: int
) -> int:
    """Keep the `most` rows with the most shared buckets, the first found among equals.

    Returns:
        How many there are; they stand at the beginning, in the order they were found.
    """
    if count <= most:
        return count
    tally = np.zeros(bands + 2, np.int64)
    for place in range(count):
        tally[met[found[place], 1]] += 1
    level, above = bands + 1, 0
    while above + tally[level] <= most:
        above += tally[level]
        level -= 1
    at_level, kept = most - above, 0
    for place in range(count):
        one = found[place]
        if met[one, 1] > level or (met[one, 1] == level and at_level > 0):
            at_level -= met[one, 1] == level
            found[kept] = one
            kept += 1
    return kept


@kernel
def _look(
    row: int,
    given: Candidates,
    maps: NDArray[np.uint64],
    threshold: float,
    found: NDArray[np.int32],
    looked: int,
) -> int:
    """Keep the rows whose bitmaps do not rule them out, in policy order; return how many."""
    alike, mine, base = 0, given.sizes[row], maps.ctypes.data
    for place in range(looked):
        if place + AHEAD < looked:  # they lie anywhere in memory
            for line in range(0, MAP_BYTES, 64):
                prefetch(base + MAP_BYTES * found[place + AHEAD] + line)
        before = found[place]
        if may_share(base, row, before, mine + given.sizes[before], threshold):
            found[alike] = before
            alike += 1
    found[:alike].sort()
    return alike


@kernel
def settle(
    rows: NDArray[np.int64],
    given: Candidates,
    maps: NDArray[np.uint64],
    own: Lists,
    threshold: float,
    most: int,
    other: NDArray[np.int64],
    shared: NDArray[np.int32],
) -> tuple[int, int, int]:
    """Decide about rows, which are whole components: nobody else shares a bucket with them.

    Args:
        rows: in policy order.
        given: all candidates.
        maps: their bitmaps.
        own: scratch.
        threshold: the least Jaccard similarity of a near-duplicate.
        most: rows that one row is compared with; those with the most shared buckets.
        other: filled with the first kept row that each row reaches, or -1; int64.
        shared: filled with the shingles that they share; int32.

    Returns:
        Pairs compared; rows that had more to be compared with; pairs passed over for that.
    """
    bands, longest = given.buckets.shape[1], 1
    for row in rows:
        longest = max(longest, given.sizes[row])
    slots, found = np.zeros(max(16, 8 * longest), np.int32), np.zeros(len(rows), np.int32)
    compared, capped, passed = 0, 0, 0
    for row in rows:
        mine = given.sets[given.starts[row] : given.starts[row] + given.sizes[row]]
        other[row] = -1
        if not given.fixed[row]:
            count, missed = _gather(row, given, own, found)
            looked = _choose(found, count, own.met, bands, LOOKED)
            alike = _look(row, given, maps, threshold, found, looked)
            chosen = _choose(found, alike, own.met, bands, most)
            mask = _ZERO
            for place in range(chosen):
                before = found[place]
                size = given.sizes[before]
                least = least_shared(len(mine) + size, threshold)
                if mask == _ZERO:
                    mask = fill(slots, mine)
                compared += 1
                theirs = given.sets[given.starts[before] : given.starts[before] + size]
                both = shared_by(slots, mask, mine, theirs, least)
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
                own.members[given.first[bucket] + own.filled[bucket]] = row
                own.filled[bucket] += 1
    return compared, capped, passed
