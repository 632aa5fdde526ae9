"""From UTF-8 bytes to tokens, without a Python object a token.

A token is a word (letters, digits and marks; case folded, NFKC), a sign such as `+`, an emoji, or
one character of a script that is written without spaces. Everything else is a border.

The kernels take addresses: text is read where Arrow has it.
"""

import numpy as np
from numpy.typing import NDArray

from imitation_data.text.characters import (
    ALONE,
    BORDER,
    CLASS_SHIFT,
    CODE_SHIFT,
    CONTEXT,
    NOTHING,
    PAGE_BITS,
    SEVERAL,
    WORD,
    Characters,
)
from imitation_data.text.compiled import inlined, kernel
from imitation_data.text.simd import LANES, load64, lower_block, trailing_zeros

IN_CONTEXT = -1  # told instead of a count: the text must be normalised as a whole first

# Odd constants with irregular bits (the first two of MurmurHash3's 64-bit finalizer, Appleby 2011).
_ONE = np.uint64(0xFF51AFD7ED558CCD)
_TWO = np.uint64(0xC4CEB9FE1A85EC53)
_SEED = np.uint64(0x9E3779B97F4A7C15)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_BIT = np.uint64(1)
_NIL = np.uint64(0)
_ENTRY = (1 << PAGE_BITS) - 1
_KIND = 7
_CLASS = (1 << (CODE_SHIFT - CLASS_SHIFT)) - 1


@inlined
def word_hash(at: int, length: int) -> np.uint64:
    """Hash `length` >= 1 bytes at an address to 64 bits; 7 more bytes must be readable."""
    value = _SEED
    while length > 8:
        value = (value ^ load64(at)) * _ONE
        value ^= value >> np.uint64(32)
        at += 8
        length -= 8
    value = (value ^ (load64(at) & (_FULL >> np.uint64(64 - 8 * length)))) * _ONE
    value = (value ^ (value >> np.uint64(29))) * _TWO
    return value ^ (value >> np.uint64(32))


@inlined
def decode(text: NDArray[np.uint8], at: int, stop: int) -> tuple[int, int]:
    """Code point and length in bytes of the character at `at`, which is not ASCII.

    Broken UTF-8 counts as a border of one byte.
    """
    first = np.int64(text[at])
    if 0xC2 <= first < 0xE0 and at + 1 < stop:
        return (first & 0x1F) << 6 | (np.int64(text[at + 1]) & 0x3F), 2
    if 0xE0 <= first < 0xF0 and at + 2 < stop:
        middle = (np.int64(text[at + 1]) & 0x3F) << 6
        return (first & 0xF) << 12 | middle | (np.int64(text[at + 2]) & 0x3F), 3
    if 0xF0 <= first < 0xF5 and at + 3 < stop:
        middle = (np.int64(text[at + 1]) & 0x3F) << 12 | (np.int64(text[at + 2]) & 0x3F) << 6
        code = (first & 7) << 18 | middle | (np.int64(text[at + 3]) & 0x3F)
        return (code, 4) if code < 0x110000 else (0, 1)
    return 0, 1


@inlined
def _encode(code: int, out: NDArray[np.uint8], at: int) -> int:
    """Write a code point as UTF-8; return where the next one goes."""
    if code < 0x80:
        out[at] = code
        return at + 1
    if code < 0x800:
        out[at] = 0xC0 | code >> 6
        out[at + 1] = 0x80 | code & 0x3F
        return at + 2
    if code < 0x10000:
        out[at] = 0xE0 | code >> 12
        out[at + 1] = 0x80 | code >> 6 & 0x3F
        out[at + 2] = 0x80 | code & 0x3F
        return at + 3
    out[at] = 0xF0 | code >> 18
    out[at + 1] = 0x80 | code >> 12 & 0x3F
    out[at + 2] = 0x80 | code >> 6 & 0x3F
    out[at + 3] = 0x80 | code & 0x3F
    return at + 4


@kernel
def tokenize(
    text: NDArray[np.uint8],
    span: tuple[int, int],
    characters: Characters,
    plain: NDArray[np.uint8],
    spans: NDArray[np.int64],
    normalized: bool,
) -> int:
    """Cut one text into tokens.

    Args:
        text: the buffer the text lies in.
        span: where it starts and stops in the buffer, in bytes.
        characters: the table of `imitation_data.text.characters`.
        plain: scratch for the folded text; at least MORE_BYTES times its length and 128 bytes.
        spans: filled with where each token starts and stops in `plain`, int64, shape (n, 2); at
            least MORE_TOKENS times its length and 1.
        normalized: whether the text went through `imitation_data.normalize.normalized` already.

    Returns:
        The number of tokens, or IN_CONTEXT.
    """
    pages, entries, several = characters
    at, stop = span
    source, target = text.ctypes.data, plain.ctypes.data
    tail = np.zeros(LANES, np.uint8)
    out, word, count, rank = 0, -1, 0, 0
    place, more = 0, 0  # of what one character becomes: the next, and how many there are
    while at < stop:
        left = stop - at
        if at + LANES <= len(text):
            words, signs, beyond = lower_block(source + at, target + out)
        else:
            tail[:left] = text[at:stop]
            words, signs, beyond = lower_block(tail.ctypes.data, target + out)
        ascii_bytes = LANES if beyond == _NIL else trailing_zeros(beyond)
        ascii_bytes = min(ascii_bytes, left)
        if ascii_bytes > 0:
            rank = 0
            mask = _FULL >> np.uint64(LANES - ascii_bytes)
            words &= mask
            signs &= mask
            before = (words << _BIT) | (_BIT if word >= 0 else _NIL)
            starts = (words & ~before) | signs
            ends = ((before & ~words) | (signs << _BIT)) & mask
            while ends != _NIL:
                if word < 0:
                    word = out + trailing_zeros(starts)
                    starts &= starts - _BIT
                spans[count, 0] = word
                spans[count, 1] = out + trailing_zeros(ends)
                ends &= ends - _BIT
                count += 1
                word = -1
            if starts != _NIL:
                word = out + trailing_zeros(starts)
            out += ascii_bytes
            at += ascii_bytes
            if signs >> np.uint64(ascii_bytes - 1) != _NIL:  # its end lies beyond the mask
                spans[count, 0], spans[count, 1] = word, out
                count += 1
                word = -1
        while more > 0 or (at < stop and text[at] >= 0x80):
            if more > 0:
                code, entry = 0, np.int64(several[place])
                place += 1
                more -= 1
            else:
                code, size = decode(text, at, stop)
                entry = np.int64(entries[pages[code >> PAGE_BITS], code & _ENTRY])
                if code == 0:
                    entry = np.int64(BORDER)
                if not normalized and (
                    entry & CONTEXT or 0 < (entry >> CLASS_SHIFT & _CLASS) < rank
                ):
                    return IN_CONTEXT
                at += size
                if entry & _KIND == SEVERAL:
                    place = entry >> CODE_SHIFT
                    more = np.int64(several[place])
                    place += 1
                    continue
            rank = entry >> CLASS_SHIFT & _CLASS
            kind = entry & _KIND
            if kind not in (WORD, NOTHING) and word >= 0:
                spans[count, 0], spans[count, 1] = word, out
                count += 1
                word = -1
            if kind in (WORD, ALONE):
                start = out
                out = _encode(entry >> CODE_SHIFT or code, plain, out)
                if kind == WORD:
                    word = start if word < 0 else word
                else:
                    spans[count, 0], spans[count, 1] = start, out
                    count += 1
    if word >= 0:
        spans[count, 0], spans[count, 1] = word, out
        count += 1
    return count
