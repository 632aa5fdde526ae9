"""Compiled: the probes of benchmark items as tables, and the runs of a conversation they have."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imitation_data.leakage.words import DENSE, Desk
from imitation_data.text.compiled import inlined, kernel

UNKNOWN = -1
START = np.uint64(0xFF51AFD7ED558CCD)
NIL, ONE = np.uint64(0), np.uint64(1)
AT, PLACE = 20, 40  # where a hit's parts lie in its bits: probe, place in the row, place in it
PART = (1 << 20) - 1
_MIX = np.uint64(0x9E3779B97F4A7C15)


class Probes(NamedTuple):
    """Probes of all benchmarks, ready to be looked for.

    Attributes:
        slots: a hash table of words: hashes, 0 where free; uint64, a power of two.
        words: the number of the word in each slot, int32.
        tokens: words of all probes, int32.
        starts: where each probe begins in `tokens`, and the last ends; int64.
        weights: of each of `tokens`; a probe's sum to 1; float32.
        size: n of each probe's runs, int64.
        limit: the score from which a probe counts as found, float64.
        least: runs that must be there before it is looked at, int64.
        one_line: whether the text of each is a single line, bool.
        item: which item of all benchmarks each is of, int64.
        sizes: whether there are runs of n words; and, in the next row, of n single characters;
            bool, (2, largest n + 1).
        maybe: a filter of runs, bits, a power of two.
        runs: a hash table of runs: hashes, 0 where free; uint64, a power of two.
        first: of each slot, where its occurrences begin in `at`; and in the next row where they
            end; int64, (2, slots).
        at: probe and place of each occurrence: probe << 20 | place; int64.
        answers: words of the answers of all probes, int32.
        answer: where each answer begins in `answers`, and the last ends; int64.
        answered: where each probe's answers begin in `answer`, and the last's end; int64.
    """

    slots: NDArray[np.uint64]
    words: NDArray[np.int32]
    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]
    weights: NDArray[np.float32]
    size: NDArray[np.int64]
    limit: NDArray[np.float64]
    least: NDArray[np.int64]
    one_line: NDArray[np.bool_]
    item: NDArray[np.int64]
    sizes: NDArray[np.bool_]
    maybe: NDArray[np.uint8]
    runs: NDArray[np.uint64]
    first: NDArray[np.int64]
    at: NDArray[np.int64]
    answers: NDArray[np.int32]
    answer: NDArray[np.int64]
    answered: NDArray[np.int64]


@inlined
def word_at(slots: NDArray[np.uint64], words: NDArray[np.int32], value: np.uint64) -> int:
    """The number of a word by its hash, or UNKNOWN."""
    last = len(slots) - 1
    slot = np.int64(value & np.uint64(last))
    while slots[slot] != value:
        if slots[slot] == np.uint64(0):
            return UNKNOWN
        slot = (slot + 1) & last
    return words[slot]


@inlined
def chained(value: np.uint64, word: int) -> np.uint64:
    """A run's hash with one word more."""
    value = (value ^ np.uint64(word)) * _MIX
    return value ^ (value >> np.uint64(31))


@kernel
def slot_of(value: np.uint64, runs: NDArray[np.uint64]) -> int:
    """Where a run stands in the hash table, or would stand."""
    last = len(runs) - 1
    slot = np.int64(value >> np.uint64(1)) & last
    while runs[slot] != value and runs[slot] != NIL:
        slot = (slot + 1) & last
    return slot


@kernel
def find_hits(desk: Desk, count: int, probes: Probes) -> NDArray[np.int64]:
    """All runs of a conversation that probes have: probe, place in the conversation, and in it."""
    hits, found = np.empty(256, np.int64), 0
    ids, maybe, runs, first, line = desk.ids, probes.maybe, probes.runs, probes.first, desk.line
    filtered = 8 * len(maybe) - 1
    sizes, wide = probes.sizes[0], probes.sizes[1]
    longest, dense = len(sizes), 0
    for size in range(longest):
        dense = size if sizes[size] else dense
    for place in range(count):
        value, most = START, longest - 1 if line[place] & DENSE else dense
        for size in range(1, min(most, count - place) + 1):
            if ids[place + size - 1] < 0:
                break
            value = chained(value, ids[place + size - 1])
            if not (sizes[size] or (wide[size] and line[place] & DENSE)):
                continue
            key = (value + np.uint64(size)) | ONE
            bit = np.int64(key >> np.uint64(20)) & filtered
            if not maybe[bit >> 3] & (1 << (bit & 7)):
                continue
            slot = slot_of(key, runs)
            for one in range(first[0, slot], first[1, slot]):
                if found == len(hits):
                    larger = np.empty(2 * found, np.int64)
                    larger[:found] = hits
                    hits = larger
                probe, at = probes.at[one] >> AT, probes.at[one] & PART
                hits[found] = probe << PLACE | place << AT | at
                found += 1
    return np.sort(hits[:found])


@kernel
def densest(hits: NDArray[np.int64], first: int, last: int, wide: int) -> tuple[int, int]:
    """The hits of one probe that stand within so many words, as many as there are."""
    best, begin, end, start = 0, first, last, first
    for stop in range(first, last):
        place = hits[stop] >> AT & PART
        while place - (hits[start] >> AT & PART) > wide:
            start += 1
        if stop - start + 1 > best:
            best, begin, end = stop - start + 1, start, stop + 1
    return begin, end


@kernel
def shift_of(hits: NDArray[np.int64], first: int, last: int, room: NDArray[np.int64]) -> int:
    """How far a probe is shifted against the conversation in most of its hits."""
    count = min(last - first, len(room))
    for one in range(count):
        hit = hits[first + one]
        room[one] = (hit >> AT & PART) - (hit & PART)
    ordered = np.sort(room[:count])
    best, most, run = ordered[0], 0, 0
    for one in range(count):
        run = run + 1 if one and ordered[one] == ordered[one - 1] else 1
        if run > most:
            best, most = ordered[one], run
    return best
