"""Compiled: the tables in which probes are looked up."""

import numpy as np
from numpy.typing import NDArray

from imitation_data.leakage.hits import AT, NIL, ONE, START, chained, slot_of
from imitation_data.leakage.words import Desk, View, words_in
from imitation_data.text.compiled import kernel


@kernel
def read_texts(
    text: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    view: View,
    desk: Desk,
    out: NDArray[np.uint64],
    ends: NDArray[np.int64],
) -> None:
    """Hash the words of normalised texts, one after the other into `out`; `ends` says where."""
    count = 0
    ends[0] = 0
    for row in range(len(offsets) - 1):
        some = words_in(text, offsets[row], offsets[row + 1], view, desk, True)
        out[count : count + some] = desk.hashes[:some]
        count += some
        ends[row + 1] = count


@kernel
def hold_words(
    hashes: NDArray[np.uint64], slots: NDArray[np.uint64], words: NDArray[np.int32]
) -> None:
    """Put distinct words into an empty hash table, numbered by their place."""
    last = len(slots) - 1
    for number in range(len(hashes)):
        slot = np.int64(hashes[number] & np.uint64(last))
        while slots[slot] != NIL:
            slot = (slot + 1) & last
        slots[slot] = hashes[number]
        words[slot] = number


@kernel
def runs_of(
    tokens: NDArray[np.int32],
    starts: NDArray[np.int64],
    size: NDArray[np.int64],
    values: NDArray[np.uint64],
    at: NDArray[np.int64],
) -> int:
    """Hash all runs of all probes, and say where each stands; return how many there are."""
    count = 0
    for probe in range(len(starts) - 1):
        for place in range(starts[probe], starts[probe + 1] - size[probe] + 1):
            value = START
            for word in range(place, place + size[probe]):
                value = chained(value, tokens[word])
            values[count] = (value + np.uint64(size[probe])) | ONE
            at[count] = probe << AT | (place - starts[probe])
            count += 1
    return count


@kernel
def hold_runs(
    values: NDArray[np.uint64],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    runs: NDArray[np.uint64],
    first: NDArray[np.int64],
    maybe: NDArray[np.uint8],
) -> None:
    """Put distinct runs and where their occurrences lie into an empty hash table."""
    filtered = 8 * len(maybe) - 1
    for one in range(len(values)):
        bit = np.int64(values[one] >> np.uint64(20)) & filtered
        maybe[bit >> 3] |= 1 << (bit & 7)
        slot = slot_of(values[one], runs)
        runs[slot] = values[one]
        first[0, slot], first[1, slot] = begins[one], ends[one]
