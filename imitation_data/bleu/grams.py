"""Compiled: n-grams numbered exactly, as sets, with the texts that hold each.

Clipped matches are what BLEU counts: of an n-gram that one text has twice and another three times,
two match. Here the second occurrence of an n-gram within a text counts as an n-gram of its own, and
so does the third: matches are then the common members of two sets.
"""

import numpy as np
from numpy.typing import NDArray

from imitation_data.text.compiled import kernel

ORDERS = 4
NONE = -1
_NO_KEY = np.uint64(0xFFFFFFFFFFFFFFFF)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_LOW = np.uint64(0xFFFFFFFF)
_HALF, _ROW, _COUNTS = np.uint64(32), np.uint64(1), np.uint64(1)


@kernel
def same(
    ids: NDArray[np.int32], starts: NDArray[np.int64], form: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Find equal sequences.

    Args:
        ids, starts: the sequences, as `Numbered` has them.
        form: filled with a number for each, the same for equal ones.

    Returns:
        The first sequence of each number.
    """
    count = len(starts) - 1
    size = 2
    while size < 2 * count:
        size *= 2
    slots = np.full(size, -1, np.int32)
    firsts, found = np.empty(count, np.int64), 0
    for row in range(count):
        start, stop = starts[row], starts[row + 1]
        value = np.uint64(stop - start)
        for at in range(start, stop):
            value = (value ^ np.uint64(np.uint32(ids[at]))) * _MIX
            value ^= value >> np.uint64(29)
        slot = np.int64(value & np.uint64(size - 1))
        while slots[slot] >= 0:
            first = starts[firsts[slots[slot]]]
            length = starts[firsts[slots[slot]] + 1] - first
            if length == stop - start:
                at = 0
                while at < length and ids[first + at] == ids[start + at]:
                    at += 1
                if at == length:
                    break
            slot = (slot + 1) & (size - 1)
        if slots[slot] < 0:
            slots[slot] = found
            firsts[found] = row
            found += 1
        form[row] = slots[slot]
    return firsts[:found]


@kernel
def gathered(
    ids: NDArray[np.int32],
    starts: NDArray[np.int64],
    rows: NDArray[np.int64],
    out: NDArray[np.int32],
) -> None:
    """Copy some sequences, one after the other."""
    at = 0
    for row in rows:
        for place in range(starts[row], starts[row + 1]):
            out[at] = ids[place]
            at += 1


@kernel
def keys_of(
    ids: NDArray[np.int32], starts: NDArray[np.int64], order: int, keys: NDArray[np.uint64]
) -> int:
    """A key for the n-gram that begins at each place, exact: its two (n-1)-grams.

    Args:
        ids: the (n-1)-gram that begins at each place, or the word for `order` 1; NONE where there
            is none that counts.
        starts: where each text begins, and the last ends.
        order: n.
        keys: filled; equal for equal n-grams.

    Returns:
        How many places have a key.
    """
    count = 0
    keys[:] = _NO_KEY
    for row in range(len(starts) - 1):
        for at in range(starts[row], starts[row + 1] - order + 1):
            if ids[at] < 0:
                continue
            if order == 1:
                keys[at] = np.uint64(ids[at])
            elif ids[at + 1] >= 0:
                keys[at] = np.uint64(ids[at]) << np.uint64(32) | np.uint64(ids[at + 1])
            else:
                continue
            count += 1
    return count


@kernel
def repeats(
    ids: NDArray[np.int32], starts: NDArray[np.int64], known: int, keys: NDArray[np.uint64]
) -> int:
    """A key for each occurrence of an n-gram in a text but the first: the n-gram, and which it is.

    Returns:
        How many there are.
    """
    keys[:] = _NO_KEY
    seen, times = np.full(known, -1, np.int32), np.zeros(known, np.int32)
    count = 0
    for row in range(len(starts) - 1):
        for at in range(starts[row], starts[row + 1]):
            one = ids[at]
            if one < 0:
                continue
            if seen[one] != row:
                seen[one] = row
                times[one] = 0
                continue
            times[one] += 1
            keys[at] = np.uint64(one) << np.uint64(32) | np.uint64(times[one])
            count += 1
    return count


@kernel
def _place(slots: NDArray[np.uint64], key: np.uint64) -> int:
    """Where a key stands in a hash table, or would stand."""
    last = (len(slots) >> 1) - 1
    value = key * _MIX
    place = np.int64((value ^ (value >> np.uint64(32))) & np.uint64(last))
    while slots[2 * place] != key and slots[2 * place] != _NO_KEY:
        place = (place + 1) & last
    return 2 * place


@kernel
def _grown(slots: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The same hash table with twice the room."""
    new = np.full(2 * len(slots), _NO_KEY, np.uint64)
    for slot in range(0, len(slots), 2):
        if slots[slot] != _NO_KEY:
            place = _place(new, slots[slot])
            new[place] = slots[slot]
            new[place + 1] = slots[slot + 1]
    return new


@kernel
def _enter(
    keys: NDArray[np.uint64],
    starts: NDArray[np.int64],
    rows: tuple[int, int],
    alone: bool,
    ids: NDArray[np.int32],
) -> tuple[NDArray[np.uint64], int]:
    """Number the keys of some texts; return them in a hash table, and how many there are.

    A slot of the table is a key, and then: its number in the upper half; the last text seen with
    it; and whether it counts, in the lowest bit.
    """
    slots, count = np.full(1 << 11, _NO_KEY, np.uint64), 0
    for row in range(rows[0], rows[1]):
        told = np.uint64(row) << _ROW
        for at in range(starts[row], starts[row + 1]):
            key = keys[at]
            if key == _NO_KEY:
                continue
            place = _place(slots, key)
            if slots[place] != _NO_KEY:
                found = slots[place + 1]
                ids[at] = found >> _HALF
                if alone and (found & _LOW) >> _ROW != np.uint64(row):
                    slots[place + 1] = found | _COUNTS
                continue
            slots[place] = key
            slots[place + 1] = np.uint64(count) << _HALF | told
            ids[at] = count
            count += 1
            if 4 * count > len(slots):
                slots = _grown(slots)
    return slots, count


@kernel
def number(
    keys: NDArray[np.uint64],
    starts: NDArray[np.int64],
    corpus: int,
    all_of_them: bool,
    ids: NDArray[np.int32],
) -> int:
    """Number keys.

    Args:
        keys: at each place, or none.
        starts: where each text begins, and the last ends.
        corpus: how many of the texts, the first, are the corpus; the others are queries. With all
            of them the corpus, a key counts if two texts have it; else if both sides have it.
        all_of_them: whether every key of the corpus counts, and nothing but the corpus is there.
        ids: filled with the numbers; NONE where there is no key, or one that does not count.

    Returns:
        How many keys count.
    """
    count = len(starts) - 1
    alone = corpus == count
    small, large = (0, corpus), (corpus, count)
    if not alone and starts[corpus] > starts[count] - starts[corpus]:
        small, large = large, small
    ids[:] = NONE
    slots, known = _enter(keys, starts, small, alone, ids)
    if all_of_them:
        return known
    for at in range(starts[large[0]], starts[large[1]]):
        if keys[at] != _NO_KEY:
            place = _place(slots, keys[at])
            if slots[place] != _NO_KEY:
                ids[at] = slots[place + 1] >> _HALF
                slots[place + 1] |= _COUNTS
    names = np.full(known, NONE, np.int32)
    for place in range(0, len(slots), 2):
        if slots[place] != _NO_KEY and slots[place + 1] & _COUNTS:
            names[np.int64(slots[place + 1] >> _HALF)] = 0
    count = 0
    for one in range(known):
        if names[one] == 0:
            names[one] = count
            count += 1
    for at in range(len(ids)):
        if ids[at] >= 0:
            ids[at] = names[ids[at]]
    return count


@kernel
def collect(
    ids: NDArray[np.int32],
    repeated: NDArray[np.uint64],
    more: NDArray[np.int32],
    known: int,
    starts: NDArray[np.int64],
    heads: NDArray[np.int64],
    members: NDArray[np.int32],
) -> None:
    """The set of each text: n-grams by number, repeated ones by the number of their repetition.

    Args:
        ids: the n-gram at each place, NONE for those that do not count.
        repeated: keys of `repeats`.
        more: the number of each repetition, NONE for those that do not count.
        known: numbers of n-grams, after which those of repetitions begin.
        starts: where each text begins, and the last ends.
        heads: filled with where each set begins in `members`, and the last ends.
        members: filled.
    """
    out = 0
    for row in range(len(starts) - 1):
        heads[row] = out
        for at in range(starts[row], starts[row + 1]):
            if ids[at] < 0:
                continue
            if repeated[at] == _NO_KEY:
                members[out] = ids[at]
                out += 1
            elif more[at] >= 0:
                members[out] = known + more[at]
                out += 1
    heads[len(starts) - 1] = out


@kernel
def invert(
    heads: NDArray[np.int64],
    members: NDArray[np.int32],
    corpus: int,
    first: NDArray[np.int64],
    holders: NDArray[np.int32],
) -> None:
    """The texts of the corpus that hold each member, ascending.

    Args:
        heads, members: the sets.
        corpus: how many texts, the first, are meant.
        first: filled with where each member's texts begin in `holders`, and the last's end.
        holders: filled.
    """
    first[:] = 0
    for at in range(heads[corpus]):
        first[members[at] + 1] += 1
    for member in range(1, len(first)):
        first[member] += first[member - 1]
    place = first[:-1].copy()
    for row in range(corpus):
        for at in range(heads[row], heads[row + 1]):
            member = members[at]
            holders[place[member]] = row
            place[member] += 1
