"""What each character is to shingles: part of a word, a token of its own, or a border.

The table is the Unicode data of one version, written out, so that signatures do not change with the
Python that makes them. `python -m imitation_data.text.characters` rewrites it.

A code point's entry is a uint32: kind in the lowest 3 bits; bit 3 says that the character can only
be normalised together with its neighbours; 6 bits number its canonical combining class; 21 bits
hold the code point it becomes under NFKC, case folding, NFKC. Where it becomes several, as ½ and ß
do, they hold a place in a list: how many there are, and then the entry of each.
"""

import unicodedata
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_name("characters.npz")

BORDER, WORD, ALONE, NOTHING, SEVERAL = range(5)
CONTEXT = 1 << 3
CLASS_SHIFT, CODE_SHIFT = 4, 10
_KIND = 7
PAGE_BITS = 7  # code points share pages of 128
LAST = 0x110000
MORE_BYTES, MORE_TOKENS = 3, 1.5  # what a byte becomes at most

# Scripts written without spaces between words: each character is a token.
# Blocks after Unicode 14, Blocks.txt; half-width and compatibility forms become these.
UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x1B00, 0x1B7F),  # Balinese
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),
    (0x3021, 0x3029),
    (0x3031, 0x303C),
    (0x3040, 0x312F),  # Hiragana, Katakana, Bopomofo
    (0x31A0, 0x31BF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0xA4CF),  # Han, Yi
    (0xA980, 0xA9FF),  # Javanese, Myanmar
    (0xAA60, 0xAADF),  # Myanmar, Tai Viet
    (0xF900, 0xFAFF),
    (0x1AFF0, 0x1B16F),  # Kana
    (0x20000, 0x3FFFF),  # Han
)
# Signs that carry meaning where texts are short: 3 + 4 and 3 - 4 are two questions.
SIGNS = frozenset("#$%&*+-/<=>@\\^|~−‐‑∕÷×")
IGNORED = {0x00AD, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}  # soft hyphen, selectors
ZERO_WIDTH_SPACE = 0x200B
IOTA_BELOW = "\u0345"


class Characters(NamedTuple):
    """The table.

    Attributes:
        pages: the page of each run of 128 code points, uint16.
        entries: of all pages, uint32, (pages, 128).
        several: what characters become that become more than one, uint32.
    """

    pages: NDArray[np.uint16]
    entries: NDArray[np.uint32]
    several: NDArray[np.uint32]


@cache
def table() -> Characters:
    """Load the table."""
    with np.load(FILE) as arrays:
        return Characters(*(arrays[name] for name in Characters._fields))


@cache
def unicode_version() -> str:
    """The version of Unicode the table is made of."""
    with np.load(FILE) as arrays:
        return str(arrays["unicode"])


def kind_of(code: int) -> int:
    """What a character in normal form is: BORDER, WORD, ALONE or NOTHING."""
    character = chr(code)
    category = unicodedata.category(character)
    if code in IGNORED or (category == "Cf" and code != ZERO_WIDTH_SPACE):
        return NOTHING
    if character in SIGNS or category in {"So", "Sm", "Sc"}:
        return ALONE
    if category == "Sk":
        return ALONE if code >= LAST >> 4 else BORDER  # shades of emoji, not loose accents
    if category[0] in "LM" or category[0] == "N":
        alone = category != "Nd" and any(first <= code <= last for first, last in UNSPACED)
        return ALONE if alone else WORD
    return BORDER


def entry_of(code: int, joining: frozenset[int]) -> int:
    """The table's entry of a code point; `joining` compose with a character before them."""
    if 0xD800 <= code < 0xE000:  # noqa: PLR2004 - surrogates
        return BORDER | code << CODE_SHIFT
    character = chr(code)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", character).casefold())
    if len(folded) == 1 and code not in joining and ord(folded) not in joining:
        rank = _ranks()[unicodedata.combining(folded)]
        return kind_of(ord(folded)) | rank << CLASS_SHIFT | ord(folded) << CODE_SHIFT
    borders = all(kind_of(ord(one)) == BORDER for one in folded)
    if borders and not any(map(unicodedata.combining, folded)):
        return BORDER | code << CODE_SHIFT
    return kind_of(code) | CONTEXT | code << CODE_SHIFT


def several_of(code: int, joining: frozenset[int]) -> list[int]:
    """The entries of what a code point becomes if that does not depend on its neighbours.

    Empty where it does, or where so much comes of few bytes that working memory has no room.
    """
    character = chr(code)
    first = unicodedata.normalize("NFKC", character)
    folded = unicodedata.normalize("NFKC", first.casefold())
    heads = {character, first[:1], folded[:1]}
    if IOTA_BELOW in first:  # a mark that other marks may pass, and that then becomes a letter
        return []
    if len(folded) < 2 or any(ord(one) in joining or unicodedata.combining(one) for one in heads):  # noqa: PLR2004
        return []
    kinds = [kind_of(ord(one)) for one in folded]
    words = sum(
        kind == WORD != before for before, kind in zip([BORDER, *kinds], kinds, strict=False)
    )
    size = len(character.encode())
    if len(folded.encode()) > MORE_BYTES * size or kinds.count(ALONE) + words > MORE_TOKENS * size:
        return []
    ranks = [_ranks()[unicodedata.combining(one)] for one in folded]
    return [
        kind | rank << CLASS_SHIFT | ord(one) << CODE_SHIFT
        for kind, rank, one in zip(kinds, ranks, folded, strict=True)
    ]


@cache
def _ranks() -> dict[int, int]:
    """Combining classes numbered in their order; 0 stays 0."""
    classes = sorted({unicodedata.combining(chr(code)) for code in range(LAST)})
    return {value: place for place, value in enumerate(classes)}


def _joining() -> frozenset[int]:
    """Characters that may compose with one before them (NFC_Quick_Check=Maybe, UAX #15)."""
    found = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}
    for code in range(LAST):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):  # noqa: PLR2004
            pair = "".join(chr(int(part, 16)) for part in parts)
            if unicodedata.normalize("NFC", pair) == chr(code):
                found.add(ord(pair[1]))
    return frozenset(found)


def made() -> Characters:
    """Make the table from this Python's Unicode data."""
    joining = _joining()
    whole = np.array([entry_of(code, joining) for code in range(LAST)], np.uint32)
    several: list[int] = []
    for code in np.flatnonzero(whole & CONTEXT).tolist():
        if parts := several_of(code, joining):
            whole[code] = SEVERAL | len(several) << CODE_SHIFT
            several += [len(parts), *parts]
    own = (whole >> CODE_SHIFT == np.arange(LAST)) & (whole & _KIND != SEVERAL)
    # What stays as it is need not name itself: 0 stands for "no change", and pages become equal.
    whole = np.where(own, whole & ((1 << CODE_SHIFT) - 1), whole).reshape(-1, 1 << PAGE_BITS)
    entries, pages = np.unique(whole, axis=0, return_inverse=True)
    first = np.ascontiguousarray(entries)
    return Characters(pages.reshape(-1).astype(np.uint16), first, np.array(several, np.uint32))


def write() -> None:
    """Write the table's file."""
    unicode = np.array(unicodedata.unidata_version)
    np.savez_compressed(FILE, unicode=unicode, **made()._asdict())


if __name__ == "__main__":
    write()
