"""Compiled: lines of text cut into the words by which benchmark items are found."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imitation_data.text.characters import Characters
from imitation_data.text.compiled import kernel
from imitation_data.text.tokens import IN_CONTEXT, tokenize, word_hash

DENSE = 4  # in `line`: a character of a script without spaces


class View(NamedTuple):
    """How a text is cut into words.

    Attributes:
        characters: the table of `imitation_data.text.characters`.
        signs: ASCII that is no word, bool, (256,).
        squeezed: whether words go on until white space, without what else stands in them, as in a
            text that lost its punctuation.
    """

    characters: Characters
    signs: NDArray[np.bool_]
    squeezed: bool


class Desk(NamedTuple):
    """Working memory of one thread.

    Attributes:
        plain, spans: of `tokenize`.
        glued: one word, uint8.
        dense: DENSE for words of a line that are single characters, else 0; uint8.
        hashes: of the words of a line, uint64.
        ids: words of a conversation, int32.
        line: 2 for words that begin a turn, 1 for those that begin a line, uint8.
        role: of the turn that each stands in, from 1 in the order of ROLES; 0 where unknown.
        seen: marks on a probe's words, int64.
        diagonals: of the hits that are looked at, int64.
    """

    plain: NDArray[np.uint8]
    spans: NDArray[np.int64]
    glued: NDArray[np.uint8]
    dense: NDArray[np.uint8]
    hashes: NDArray[np.uint64]
    ids: NDArray[np.int32]
    line: NDArray[np.uint8]
    role: NDArray[np.uint8]
    seen: NDArray[np.int64]
    diagonals: NDArray[np.int64]


@kernel
def words_in(
    text: NDArray[np.uint8],
    start: int,
    stop: int,
    view: View,
    desk: Desk,
    normalized: bool,
) -> int:
    """Hash the words of a line into the desk; return how many, or IN_CONTEXT."""
    plain, spans, glued, hashes = desk.plain, desk.spans, desk.glued, desk.hashes
    kinds = desk.dense
    count = tokenize(text, (start, stop), view.characters, plain, spans, normalized)
    if count == IN_CONTEXT:
        return IN_CONTEXT
    out, size = 0, 0
    for place in range(count):
        first, last = spans[place, 0], spans[place, 1]
        sign = last - first == 1 and view.signs[plain[first]]
        if not view.squeezed:
            if not sign:
                hashes[out] = word_hash(plain.ctypes.data + first, last - first)
                kinds[out] = DENSE if plain[first] >= 0xE0 else 0
                out += 1
            continue
        # Words go on until white space, whatever stands between their letters.
        dense = plain[first] >= 0xE0
        apart = place == 0 or dense
        if place:
            apart |= plain[spans[place - 1, 0]] >= 0xE0
            for at in range(spans[place - 1, 1], first):
                apart |= plain[at] <= 0x20
        if apart and size:
            hashes[out] = word_hash(glued.ctypes.data, size)
            kinds[out] = DENSE if glued[0] >= 0xE0 else 0
            out, size = out + 1, 0
        if not sign:
            glued[size : size + last - first] = plain[first:last]
            size += last - first
    if size:
        hashes[out] = word_hash(glued.ctypes.data, size)
        kinds[out] = DENSE if glued[0] >= 0xE0 else 0
        out += 1
    return out
