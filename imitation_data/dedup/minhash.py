"""MinHash signatures and exact shingle sets, straight from Arrow buffers.

A shingle is n tokens in a row. Its 64-bit hash is a polynomial over its tokens' hashes, finalised
as in MurmurHash3: equal shingles have equal hashes, and 64 bits keep different ones apart.
Signatures use the `affine32` permutations of datasketch 2.0 (Broder 1997; ekzhu/datasketch#212)
over 32 bits of it, or over XXH32 of the shingle's text: the latter are bit for bit datasketch's.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imitation_data.text.characters import MORE_BYTES, MORE_TOKENS, Characters
from imitation_data.text.compiled import inlined, kernel
from imitation_data.text.simd import PERMUTATIONS, load32, load64, lower_minima, store64
from imitation_data.text.tokens import IN_CONTEXT, tokenize, word_hash

_U64 = np.uint64
_U32 = np.uint32
_POINT = np.uint64(0x2545F4914F6CDD1D)  # odd; where the polynomial is taken
_MIX_ONE = np.uint64(0xFF51AFD7ED558CCD)
_MIX_TWO = np.uint64(0xC4CEB9FE1A85EC53)
_EMPTY = np.uint32(0xFFFFFFFF)
OPENING = 32  # tokens with which texts are said to begin alike
_STEP = 4  # shingles at a time: minima are read and written once for all of them

# XXH32 (Collet 2012): https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
_P1, _P2 = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77)
_P3, _P4, _P5 = np.uint32(0xC2B2AE3D), np.uint32(0x27D4EB2F), np.uint32(0x165667B1)


class Scratch(NamedTuple):
    """Working memory of one thread, for texts of up to so many bytes.

    Attributes:
        plain: folded text.
        joined: its tokens, one space between two.
        spans: where tokens lie in it.
        tokens: hashes of tokens.
        shingles: hashes of shingles.
        mixed: their 32 bits, as the permutations want them.
        minima: one signature.
        slots: a hash table of shingles; 0 is free.
    """

    plain: NDArray[np.uint8]
    joined: NDArray[np.uint8]
    spans: NDArray[np.int64]
    tokens: NDArray[np.uint64]
    shingles: NDArray[np.uint64]
    mixed: NDArray[np.uint32]
    minima: NDArray[np.uint32]
    slots: NDArray[np.uint64]


class Hashing(NamedTuple):
    """What a signature is made with.

    Attributes:
        characters: the table of them.
        size: tokens in a shingle.
        a, b: the permutations, uint32.
        text: whether shingles are hashed as text, by XXH32.
    """

    characters: Characters
    size: int
    a: NDArray[np.uint32]
    b: NDArray[np.uint32]
    text: bool


def scratch(longest: int, permutations: int) -> Scratch:
    """Working memory for texts of up to `longest` bytes."""
    plain, tokens = MORE_BYTES * longest + 192, int(MORE_TOKENS * longest) + 1
    slots = 1 << max(4, (2 * tokens).bit_length())
    return Scratch(
        np.zeros(plain, np.uint8),
        np.zeros(plain + tokens, np.uint8),
        np.zeros((tokens, 2), np.int64),
        np.zeros(tokens, np.uint64),
        np.zeros(tokens, np.uint64),
        np.zeros(tokens + _STEP, np.uint32),
        np.zeros(permutations, np.uint32),
        np.zeros(slots, np.uint64),
    )


def affine(permutations: int, seed: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Draw the permutations h -> a * h + b mod 2^32 that datasketch draws: two uint32 arrays."""
    draw = np.random.RandomState(seed)
    a = draw.randint(0, 1 << 31, permutations, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return a, draw.randint(0, 1 << 32, permutations, dtype=np.uint32)


@inlined
def _rotated(value: np.uint32, by: int) -> np.uint32:
    return _U32(_U32(value << _U32(by)) | _U32(value >> _U32(32 - by)))


@kernel
def xxh32(at: int, length: int) -> np.uint32:
    """Hash bytes at an address with seed 0; 16 more bytes must be readable.

    Shingles differ in length, and a branch that is guessed wrong costs more than the few
    multiplications that are made here for nothing.
    """
    left, value = length, _P5
    if length >= 16:
        one, two, three, four = _U32(_P1 + _P2), _P2, _U32(0), _U32(_U32(0) - _P1)
        block = 0
        while left >= 16 or block < 2:
            first = _U32(_rotated(_U32(one + _U32(load32(at) * _P2)), 13) * _P1)
            second = _U32(_rotated(_U32(two + _U32(load32(at + 4) * _P2)), 13) * _P1)
            third = _U32(_rotated(_U32(three + _U32(load32(at + 8) * _P2)), 13) * _P1)
            fourth = _U32(_rotated(_U32(four + _U32(load32(at + 12) * _P2)), 13) * _P1)
            real = left >= 16
            one, two = (first, second) if real else (one, two)
            three, four = (third, fourth) if real else (three, four)
            at, left = (at + 16, left - 16) if real else (at, left)
            block += 1
        value = _U32(_rotated(one, 1) + _rotated(two, 7))
        value = _U32(value + _U32(_rotated(three, 12) + _rotated(four, 18)))
    value = _U32(value + _U32(length))
    for step in range(0, 12, 4):
        after = _U32(_rotated(_U32(value + _U32(load32(at + step) * _P3)), 17) * _P4)
        value = after if left >= step + 4 else value
    at += left & 12
    for step in range(3):
        after = _U32(value + _U32(_U32(load32(at + step) & _U32(0xFF)) * _P5))
        after = _U32(_rotated(after, 11) * _P1)
        value = after if left & 3 > step else value
    value = _U32(_U32(value ^ (value >> _U32(15))) * _P2)
    value = _U32(_U32(value ^ (value >> _U32(13))) * _P3)
    return _U32(value ^ (value >> _U32(16)))


@kernel
def shingle(work: Scratch, tokens: int, size: int) -> int:
    """Hash every run of `size` tokens into `work.shingles`; return how many there are.

    No hash is 0.
    """
    if tokens < size:
        return 0
    base, leaving = work.plain.ctypes.data, _U64(1)
    for _ in range(size):
        leaving *= _POINT
    value = _U64(0)
    for place in range(tokens):
        start, stop = work.spans[place, 0], work.spans[place, 1]
        one = word_hash(base + start, stop - start)
        work.tokens[place] = one
        value = value * _POINT + one
        if place >= size:
            value -= work.tokens[place - size] * leaving
        if place >= size - 1:
            work.shingles[place - size + 1] = value
    count = tokens - size + 1
    for place in range(count):
        mixed = work.shingles[place]
        mixed = (mixed ^ (mixed >> _U64(33))) * _MIX_ONE
        mixed = (mixed ^ (mixed >> _U64(33))) * _MIX_TWO
        mixed ^= mixed >> _U64(33)
        work.shingles[place] = mixed if mixed != _U64(0) else _U64(1)
    return count


@kernel
def _join(work: Scratch, tokens: int) -> None:
    """Write the tokens into `work.joined`, one space between two, and where they lie to `spans`."""
    out, source, target = 0, work.plain.ctypes.data, work.joined.ctypes.data
    for place in range(tokens):
        start, stop = work.spans[place, 0], work.spans[place, 1]
        for step in range(0, stop - start, 8):  # what is too much, the next token covers
            store64(target + out + step, load64(source + start + step))
        work.spans[place, 0], work.spans[place, 1] = out, out + stop - start
        out += stop - start + 1
        work.joined[out - 1] = 32


@kernel
def _mixed(work: Scratch, tokens: int, size: int, text: bool) -> int:
    """Fill `work.mixed` with 32 bits a shingle, through MurmurHash3's 32-bit finalizer."""
    count = tokens - size + 1
    if count <= 0:
        return 0
    if text:
        _join(work, tokens)
        base = work.joined.ctypes.data
        for place in range(count):
            start, stop = work.spans[place, 0], work.spans[place + size - 1, 1]
            work.mixed[place] = xxh32(base + start, stop - start)
    else:
        shingle(work, tokens, size)
        for place in range(count):
            work.mixed[place] = _U32(work.shingles[place] >> _U64(32))
    for place in range(count):
        value = work.mixed[place]
        value = _U32(_U32(value ^ (value >> _U32(16))) * _U32(0x85EBCA6B))
        value = _U32(_U32(value ^ (value >> _U32(13))) * _U32(0xC2B2AE35))
        work.mixed[place] = _U32(value ^ (value >> _U32(16)))
    for place in range(count, count + _STEP - 1):
        work.mixed[place] = work.mixed[0]  # a minimum does not mind hearing a value twice
    return count


@kernel
def _minima(
    mixed: NDArray[np.uint32],
    count: int,
    a: NDArray[np.uint32],
    b: NDArray[np.uint32],
    minima: NDArray[np.uint32],
) -> None:
    """The smallest of a * h + b over all h, for each permutation; all ones without any h."""
    minima[:] = _EMPTY
    at, times, plus = minima.ctypes.data, a.ctypes.data, b.ctypes.data
    hashes = mixed.ctypes.data
    for place in range(0, count, _STEP):
        for step in range(0, 4 * len(minima), 4 * PERMUTATIONS):
            lower_minima(at + step, times + step, plus + step, hashes + 4 * place)


@kernel
def _opening(work: Scratch, tokens: int) -> np.uint64:
    value = _U64(0)
    if tokens < OPENING:
        return value
    base = work.plain.ctypes.data
    for place in range(OPENING):
        start, stop = work.spans[place, 0], work.spans[place, 1]
        value = value * _POINT + word_hash(base + start, stop - start)
    return value | _U64(1)


@kernel
def sign(
    text: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    normalized: bool,
    hashing: Hashing,
    work: Scratch,
    counts: NDArray[np.int32],
    openings: NDArray[np.uint64],
    signatures: NDArray[np.uint32],
) -> None:
    """Sign texts.

    Args:
        text: their bytes.
        offsets: where each begins, and the last one ends; int64, shape (n + 1,).
        normalized: whether they are in normal form.
        hashing: what with.
        work: scratch for the longest of them.
        counts: filled with their shingles, or IN_CONTEXT; int32, shape (n,).
        openings: filled with a hash of their first OPENING tokens, 0 where there are fewer.
        signatures: filled; uint32, shape (n, permutations).
    """
    characters = hashing.characters
    for row in range(len(counts)):
        span = (offsets[row], offsets[row + 1])
        tokens = tokenize(text, span, characters, work.plain, work.spans, normalized)
        if tokens == IN_CONTEXT:
            counts[row] = IN_CONTEXT
            continue
        openings[row] = _opening(work, tokens)
        count = _mixed(work, tokens, hashing.size, hashing.text)
        counts[row] = count
        _minima(work.mixed, count, hashing.a, hashing.b, work.minima)
        signatures[row] = work.minima


@kernel
def band_keys(
    signatures: NDArray[np.uint32],
    counts: NDArray[np.int32],
    rows_a_band: int,
    keys: NDArray[np.uint32],
) -> None:
    """Hash each band of each signature; 0 for texts without shingles.

    Keys that are equal by chance only propose a pair in vain, so 32 bits will do.

    Args:
        signatures: uint32, shape (n, permutations).
        counts: shingles of each text, int32, shape (n,).
        rows_a_band: minima in a band.
        keys: filled; uint32, shape (bands, n).
    """
    for row in range(len(counts)):
        for band in range(len(keys)):
            value = _U64(band + 1)
            for at in range(band * rows_a_band, (band + 1) * rows_a_band):
                value = (value ^ _U64(signatures[row, at])) * _MIX_ONE
                value ^= value >> _U64(32)
            key = _U32(value >> _U64(32)) | _U32(1)
            keys[band, row] = key if counts[row] > 0 else _U32(0)


@kernel
def distinct(work: Scratch, count: int, out: NDArray[np.uint64]) -> int:
    """Write each of `work.shingles` once to `out`, in order; return how many."""
    size = 16
    while size < 2 * count:
        size *= 2
    mask, slots, found = _U64(size - 1), work.slots, 0
    slots[:size] = _U64(0)
    for place in range(count):
        value = work.shingles[place]
        at = value & mask
        while slots[at] != _U64(0) and slots[at] != value:
            at = (at + _U64(1)) & mask
        if slots[at] == _U64(0):
            slots[at] = value
            out[found] = value
            found += 1
    return found


@kernel
def shingle_sets(
    text: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    normalized: bool,
    hashing: Hashing,
    work: Scratch,
    starts: NDArray[np.int64],
    sizes: NDArray[np.int32],
    sets: NDArray[np.uint64],
) -> None:
    """Write the set of shingles of some texts.

    Args:
        text: their bytes.
        offsets: where each begins, and the last one ends; int64, shape (n + 1,).
        normalized: whether they are in normal form.
        hashing: what with.
        work: scratch for the longest of them.
        starts: where each text's set begins in `sets`, or -1 for texts that are passed over.
        sizes: filled with the sizes of the sets, or IN_CONTEXT; int32, shape (n,).
        sets: filled.
    """
    characters = hashing.characters
    for row in range(len(starts)):
        if starts[row] < 0:
            continue
        span = (offsets[row], offsets[row + 1])
        tokens = tokenize(text, span, characters, work.plain, work.spans, normalized)
        if tokens == IN_CONTEXT:
            sizes[row] = IN_CONTEXT
            continue
        count = shingle(work, tokens, hashing.size)
        sizes[row] = distinct(work, count, sets[starts[row] :])
