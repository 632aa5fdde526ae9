"""The tokenizers of sacrebleu as tables: what each code point does to the words around it.

sacrebleu 2.6 cuts text by regular expressions that are applied one after the other. What they come
to can be told from each character and its neighbours, in one pass: see `imitation_data.bleu.words`.
"""

from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Tokenizer = Literal["13a", "intl", "zh", "char", "none"]

# A point stands alone unless digits are on both sides of it; a dash, after a digit.
WORD, SPACE, ALONE, POINT, DIGIT, DASH = range(6)
LAST = 0x110000

_POINTS, _SIGNS = ".,", '!"#$%&()*+/:;<=>?@[\\]^_`{|}~'
# What the tokenizer `zh` of sacrebleu takes for Chinese, first and last code point.
_CHINESE = (
    (0x2001, 0x2A6D),  # meant to be U+20000 to U+2A6D6, which Python reads as two characters each
    (0x2E80, 0x2FDF),
    (0x2FF0, 0x303F),
    (0x3100, 0x312F),
    (0x31A0, 0x31BF),
    (0x31C0, 0x31EF),
    (0x3200, 0x4DB5),
    (0x4E00, 0x9FBB),
    (0xF900, 0xFA2D),
    (0xFA30, 0xFA6A),
    (0xFA70, 0xFAD9),
    (0xFE10, 0xFE1F),
    (0xFE30, 0xFE4F),
    (0xFF00, 0xFFEF),
)


class Rules(NamedTuple):
    """A tokenizer for the kernels.

    Attributes:
        classes: of each code point, uint8.
        padded: whether a text has a space before its first and after its last character.
        stripped: whether white space before the first character is not there.
    """

    classes: NDArray[np.uint8]
    padded: bool
    stripped: bool


@cache
def rules(tokenizer: Tokenizer) -> Rules:
    """Make the table of a tokenizer.

    Raises:
        ValueError: there is none of that name.
    """
    if tokenizer not in {"13a", "intl", "zh", "char", "none"}:
        raise ValueError(f"tokenizer is {tokenizer!r}; expected 13a, intl, zh, char or none")
    classes = np.full(LAST, ALONE if tokenizer == "char" else WORD, np.uint8)
    if tokenizer in {"13a", "zh"}:
        for characters, kind in ((_SIGNS, ALONE), (_POINTS, POINT), ("0123456789", DIGIT)):
            classes[[ord(one) for one in characters]] = kind
        classes[ord("-")] = DASH
    if tokenizer == "zh":
        for first, last in _CHINESE:
            classes[first : last + 1] = ALONE
    if tokenizer == "intl":
        for kind, name in ((DIGIT, "N"), (POINT, "P"), (ALONE, "S")):
            classes[_category(name)] = kind
    classes[[code for code in range(0x3001) if chr(code).isspace()]] = SPACE
    classes.flags.writeable = False
    return Rules(classes, tokenizer == "13a", tokenizer == "zh")


def _category(name: str) -> NDArray[np.int64]:
    """All code points of a general category, as sacrebleu's own engine has them."""
    import regex  # noqa: PLC0415 - for one of the tokenizers

    every = "".join(map(chr, [*range(0xD800), *range(0xE000, LAST)]))
    found = regex.findall(rf"\p{{{name}}}", every)
    return np.array([ord(one) for one in found], np.int64)
