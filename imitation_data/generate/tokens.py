"""From texts to numbers of tokens: ROUGE's own, and those of scripts for which it has none."""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from imitation_data.text.characters import UNSPACED
from imitation_data.text.compiled import inlined, kernel

Scalar = TypeVar("Scalar", bound=np.generic)

_U64 = np.uint64
_ONE = np.uint64(1)
_PRIME, _MIX = np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)  # FNV-1a's; the golden ratio
_SPACE = 32
_LATIN = b"abcdefghijklmnopqrstuvwxyz0123456789"
_OTHER = re.compile(r"[^\W_\x00-\x7f]")  # what str.isalnum counts beyond ASCII
_ALONE = (*UNSPACED, (0xFF66, 0xFF9F))  # and half-width kana


class Vocabulary(NamedTuple):
    """Numbers of tokens. Arrays have room for more tokens than there are.

    Attributes:
        slots: hash table, the number of a token + 1, or 0; int32, a power of two.
        letters: the tokens' bytes, one after the other, uint8.
        ends: where each token's bytes end, int64.
        uses: how often each was met, int64.
        count: how many there are, int64, (1,).
    """

    slots: NDArray[np.int32]
    letters: NDArray[np.uint8]
    ends: NDArray[np.int64]
    uses: NDArray[np.int64]
    count: NDArray[np.int64]


@inlined
def _hash(letters: NDArray[np.uint8], begin: int, end: int) -> np.uint64:
    value = _MIX
    for at in range(begin, end):
        value = (value ^ _U64(letters[at])) * _PRIME
    return (value * _MIX) >> _U64(30)


@kernel
def _number(text: NDArray[np.uint8], begin: int, end: int, known: Vocabulary) -> int:
    """The number of a token, which is a new one if it was never met."""
    mask = _U64(len(known.slots) - 1)
    at = _hash(text, begin, end) & mask
    while known.slots[at] != 0:
        token = known.slots[at] - 1
        start = known.ends[token - 1] if token > 0 else 0
        if known.ends[token] - start == end - begin:
            same = 0
            while same < end - begin and known.letters[start + same] == text[begin + same]:
                same += 1
            if same == end - begin:
                return token
        at = (at + _ONE) & mask
    token = known.count[0]
    start = known.ends[token - 1] if token > 0 else 0
    known.letters[start : start + end - begin] = text[begin:end]
    known.ends[token] = start + end - begin
    known.slots[at] = token + 1
    known.count[0] += 1
    return token


@kernel
def _enter_again(known: Vocabulary) -> None:
    """Fill an empty hash table with the tokens there are."""
    mask, start = _U64(len(known.slots) - 1), 0
    for token in range(known.count[0]):
        at = _hash(known.letters, start, known.ends[token]) & mask
        while known.slots[at] != 0:
            at = (at + _ONE) & mask
        known.slots[at] = token + 1
        start = known.ends[token]


@kernel
def _number_all(
    text: NDArray[np.uint8],
    bounds: NDArray[np.int64],
    spaced: NDArray[np.bool_],
    begin: int,
    known: Vocabulary,
    tokens: NDArray[np.int32],
    ends: NDArray[np.int64],
) -> int:
    """Number the tokens of texts in lower case.

    Args:
        text: bytes of all texts, one after the other.
        bounds: where each text begins and the last ends, int64, (n + 1,).
        spaced: texts whose tokens are what stands between spaces; those of others are runs of
            letters and digits of ASCII. bool, (n,).
        begin: the text to begin with.
        known: numbers of tokens.
        tokens: filled with numbers, int32.
        ends: filled with where each text's end, int64, (n,).

    Returns:
        The text for which `known` may have no room, or n.
    """
    filled = ends[begin - 1] if begin > 0 else 0
    for row in range(begin, len(spaced)):
        size, count = bounds[row + 1] - bounds[row], known.count[0]
        letters = known.ends[count - 1] if count > 0 else 0
        if letters + size > len(known.letters) or count + size // 2 + 1 > len(known.ends):
            return row
        first, by_space = -1, spaced[row]
        for at in range(bounds[row], bounds[row + 1] + 1):
            inside = False
            if at < bounds[row + 1]:
                byte = text[at]
                inside = (97 <= byte <= 122) or (48 <= byte <= 57)
                if by_space:
                    inside = byte != _SPACE
            if inside:
                if first < 0:
                    first = at
            elif first >= 0:
                token = _number(text, first, at, known)
                known.uses[token] += 1
                tokens[filled] = token
                filled += 1
                first = -1
        ends[row] = filled
    return len(spaced)


class _Spaced(dict[int, str]):
    """For `str.translate`: tokens of any script, with a space where one ends."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if not character.isalnum() and unicodedata.category(character)[0] != "M":
            entry = " "
        elif any(first <= code <= last for first, last in _ALONE) and not character.isdecimal():
            entry = f" {character} "
        else:
            entry = character
        self[code] = entry
        return entry


_SPACED = _Spaced()


def spell(text: str, *, any_script: bool) -> tuple[bytes, bool]:
    """Write a text so that its tokens can be told by bytes.

    Args:
        text: anything, lone surrogates included.
        any_script: whether a text most of whose letters and digits are not a to z and 0 to 9 has
            tokens of any script; else only those in a to z and 0 to 9 count.

    Returns:
        The text in lower case, and whether its tokens are what stands between spaces: "Łódź, 北京"
        gives ("łódź  北  京 ", True). Otherwise they are the runs of a to z and 0 to 9.
    """
    lowered = text.lower()
    if lowered.isascii() or not any_script:
        return lowered.encode("ascii", "replace"), False
    ascii_only = lowered.encode("ascii", "ignore")
    latin = len(ascii_only) - len(ascii_only.translate(None, _LATIN))
    if latin >= len(_OTHER.findall(lowered)):
        return lowered.encode("ascii", "replace"), False
    return lowered.translate(_SPACED).encode(), True


class Numbering:
    """Numbers tokens by their first appearance.

    Attributes:
        known: the tokens so far.
    """

    def __init__(self, *, any_script: bool) -> None:
        self._any_script = any_script
        self.known = Vocabulary(
            np.zeros(2048, np.int32),
            np.empty(8192, np.uint8),
            np.empty(1024, np.int64),
            np.zeros(1024, np.int64),
            np.zeros(1, np.int64),
        )

    def number(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Number the tokens of texts.

        Returns:
            The tokens of all texts, one after the other, int32; where each text's end, int64.
        """
        spelled = [spell(text, any_script=self._any_script) for text in texts]
        written = np.frombuffer(b"".join(letters for letters, _ in spelled), np.uint8)
        bounds = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(letters) for letters, _ in spelled], out=bounds[1:])
        spaced = np.array([spaced for _, spaced in spelled], np.bool_)
        tokens = np.empty(len(written) // 2 + len(texts), np.int32)
        ends = np.empty(len(texts), np.int64)
        done = 0
        while done < len(texts):
            done = _number_all(written, bounds, spaced, done, self.known, tokens, ends)
            if done < len(texts):
                self._grow(int(bounds[done + 1] - bounds[done]))
        return tokens[: ends[-1] if len(texts) else 0], ends

    def _grow(self, size: int) -> None:
        """Make room for a text of `size` bytes, at least as much again as there is."""
        known = self.known
        count, room = int(known.count[0]), len(known.ends)
        while room < count + size // 2 + 1 or room < 2 * count:
            room *= 2
        self.known = known._replace(
            slots=np.zeros(2 * room, np.int32),
            letters=grown(known.letters, len(known.letters) + size),
            ends=grown(known.ends, room),
            uses=grown(known.uses, room),
        )
        _enter_again(self.known)


def grown(array: NDArray[Scalar], least: int) -> NDArray[Scalar]:
    """The array with room for `least` rows: itself, or a copy twice as long, the rest zeros."""
    if len(array) >= least:
        return array
    wider = np.zeros((max(least, 2 * len(array)), *array.shape[1:]), array.dtype)
    wider[: len(array)] = array
    return wider
