"""Compiled: texts cut into the words of a tokenizer, and words numbered by their bytes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imitation_data.bleu.tokenizers import ALONE, DASH, DIGIT, POINT, SPACE, WORD, Rules
from imitation_data.text.compiled import inlined, kernel
from imitation_data.text.simd import load64
from imitation_data.text.tokens import decode

# Odd constants with irregular bits (the finalizer of MurmurHash3, Appleby 2011).
_ONE = np.uint64(0xFF51AFD7ED558CCD)
_TWO = np.uint64(0xC4CEB9FE1A85EC53)
_SEED = np.uint64(0x9E3779B97F4A7C15)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
NOWHERE = -1  # number of a word that is not known


class Words(NamedTuple):
    """Distinct words, numbered in the order they were first seen.

    Attributes:
        slots: a hash table of their numbers, -1 where free; int32, a power of two.
        hashes: of each word, uint64.
        starts: where the bytes of each begin in `bytes`, and where the last ends; int64.
        bytes: of all words, uint8.
        count: how many there are, int64, (1,).
    """

    slots: NDArray[np.int32]
    hashes: NDArray[np.uint64]
    starts: NDArray[np.int64]
    bytes: NDArray[np.uint8]
    count: NDArray[np.int64]


@inlined
def _hash(text: NDArray[np.uint8], start: int, stop: int) -> np.uint64:
    value, at = _SEED ^ np.uint64(stop - start), start
    while stop - at >= 8:
        value = (value ^ load64(text.ctypes.data + at)) * _ONE
        value ^= value >> np.uint64(32)
        at += 8
    if stop > at:
        if at + 8 <= len(text):
            rest = load64(text.ctypes.data + at) & (_FULL >> np.uint64(64 - 8 * (stop - at)))
        else:
            rest = np.uint64(0)
            for place in range(stop - at):
                rest |= np.uint64(text[at + place]) << np.uint64(8 * place)
        value = (value ^ rest) * _ONE
    value = (value ^ (value >> np.uint64(29))) * _TWO
    return value ^ (value >> np.uint64(32))


@kernel
def _number(text: NDArray[np.uint8], start: int, stop: int, words: Words, grow: bool) -> int:
    """The number of the word between two bytes; a new one if it may be."""
    value = _hash(text, start, stop)
    last = len(words.slots) - 1
    slot = np.int64(value & np.uint64(last))
    while True:
        known = words.slots[slot]
        if known < 0:
            break
        if words.hashes[known] == value:
            first = words.starts[known]
            if words.starts[known + 1] - first == stop - start:
                at = 0
                while at < stop - start and words.bytes[first + at] == text[start + at]:
                    at += 1
                if at == stop - start:
                    return known
        slot = (slot + 1) & last
    if not grow:
        return NOWHERE
    number = words.count[0]
    words.slots[slot] = number
    words.hashes[number] = value
    first = words.starts[number]
    for at in range(stop - start):
        words.bytes[first + at] = text[start + at]
    words.starts[number + 1] = first + stop - start
    words.count[0] = number + 1
    return number


@inlined
def _class_at(
    text: NDArray[np.uint8], at: int, stop: int, classes: NDArray[np.uint8]
) -> tuple[int, int]:
    """Class and length of the character at a byte."""
    if text[at] < 0x80:
        return np.int64(classes[text[at]]), 1
    code, size = decode(text, at, stop)
    return np.int64(classes[code]), size


@kernel
def _digit_follows(
    text: NDArray[np.uint8], at: int, stop: int, classes: NDArray[np.uint8], padded: bool
) -> bool:
    """Whether a point before `at` keeps to what follows: a digit, or the very end."""
    if at < stop:
        kind, size = _class_at(text, at, stop, classes)
        if kind != SPACE:
            return kind == DIGIT
        while at < stop and kind == SPACE:  # white space at the end is not there
            at += size
            if at < stop:
                kind, size = _class_at(text, at, stop, classes)
    return at >= stop and not padded


@kernel
def cut(
    text: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    first: int,
    rules: Rules,
    words: Words,
    grow: bool,
    ids: NDArray[np.int32],
    ends: NDArray[np.int64],
) -> int:
    """Cut texts into words until one might not find room.

    Args:
        text: the buffer the texts lie in.
        offsets: where each starts, and where the last stops.
        first: the first text to be cut.
        rules: the tokenizer.
        words: known ones; new ones are added if `grow`, else they are NOWHERE.
        ids: filled with the numbers of the words of all texts, as many as there are bytes at most.
        ends: filled with where each text ends in `ids`; `ends[first]` holds where the first begins.

    Returns:
        The text that found no room, or how many there are.
    """
    classes, padded, stripped = rules
    plain = np.zeros(256, np.bool_)  # bytes that are whole characters, and nothing but of a word
    plain[:0x80] = classes[:0x80] == WORD
    for row in range(first, len(offsets) - 1):
        at, stop = offsets[row], offsets[row + 1]
        known = words.count[0]
        room = stop - at
        full = known + room > len(words.hashes) or words.starts[known] + room > len(words.bytes)
        if grow and full:
            return row
        out = ends[row]
        word = -1
        # A text that is not padded has nothing before its first character, not even a space.
        before, single = SPACE, not padded
        while at < stop:
            if plain[text[at]]:
                word = at if word < 0 else word
                at += 1
                while at < stop and plain[text[at]]:
                    at += 1
                before, single = WORD, False
                continue
            kind, size = _class_at(text, at, stop, classes)
            if kind == SPACE:
                if word >= 0:
                    ids[out] = _number(text, word, at, words, grow)
                    out += 1
                    word = -1
                if not (stripped and before == SPACE and single):
                    single = False
                before = SPACE
                at += size
                continue
            alone = kind == ALONE
            parted = False
            if kind == POINT:
                parted = before != DIGIT and not single
                alone = parted or not _digit_follows(text, at + size, stop, classes, padded)
            elif kind == DASH:
                alone = before == DIGIT
            if alone:
                if word >= 0:
                    ids[out] = _number(text, word, at, words, grow)
                    out += 1
                    word = -1
                ids[out] = _number(text, at, at + size, words, grow)
                out += 1
            elif word < 0:
                word = at
            # A point that went with the character before it is not what the next one goes with.
            single = parted
            before = kind
            at += size
        if word >= 0:
            ids[out] = _number(text, word, stop, words, grow)
            out += 1
        ends[row + 1] = out
    return len(offsets) - 1


@kernel
def marked(text: NDArray[np.uint8], offsets: NDArray[np.int64], found: NDArray[np.bool_]) -> None:
    """Find the texts that 13a may replace something in: a `&`, `<s` or a dash at the end of a line.

    Args:
        text, offsets: as `cut` takes them.
        found: filled.
    """
    for row in range(len(offsets) - 1):
        found[row] = False
        for at in range(offsets[row], offsets[row + 1]):
            one = text[at]
            if one == 0x26:
                found[row] = True
                break
            follows = text[at + 1] if at + 1 < offsets[row + 1] else 0
            if (one == 0x2D and follows == 0x0A) or (one == 0x3C and follows == 0x73):
                found[row] = True
                break


@kernel
def place(slots: NDArray[np.int32], hashes: NDArray[np.uint64]) -> None:
    """Put distinct words into an empty hash table."""
    last = len(slots) - 1
    for number in range(len(hashes)):
        slot = np.int64(hashes[number] & np.uint64(last))
        while slots[slot] >= 0:
            slot = (slot + 1) & last
        slots[slot] = number
