"""Where two near-duplicates differ, in few words."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from textwrap import wrap

import numpy as np

CONTEXT, SPAN = 24, 80  # characters shown beside the difference, and of it
AROUND, SHOWN_LINES = 2, 400  # equal lines shown beside different ones; lines of a text


def difference(gone: str, kept: str) -> str:
    """The span in which two texts differ, as `before [gone|kept] after`; empty if they are equal.

    What both texts begin and end with is left out but for a few characters; long spans are cut.
    Case counts only where nothing else differs.
    """
    if gone == kept:
        return ""
    one, two = _codes(_folded(gone)), _codes(_folded(kept))
    if len(one) == len(two) and not (one != two).any():
        one, two = _codes(gone), _codes(kept)
    least = min(len(one), len(two))
    begin = _agree(one[:least], two[:least])
    end = _agree(one[begin:][::-1][: least - begin], two[begin:][::-1][: least - begin])
    while begin and gone[begin - 1].isalnum():
        begin -= 1  # back to where the word begins
    while end and gone[len(gone) - end].isalnum():
        end -= 1
    mine, theirs = gone[begin : len(gone) - end], kept[begin : len(kept) - end]
    tail = gone[len(gone) - end :] if end else ""
    head = gone[max(0, begin - CONTEXT) : begin]
    head = f"…{head}" if begin > CONTEXT else head
    tail = f"{tail[:CONTEXT]}…" if len(tail) > CONTEXT else tail
    return f"{head}[{_cut(mine)}|{_cut(theirs)}]{tail}"


def _folded(text: str) -> str:
    """The text in lower case, so that capitals alone are no difference; never of another length."""
    lower = text.lower()
    return lower if len(lower) == len(text) else text


def _codes(text: str) -> "np.ndarray[tuple[int], np.dtype[np.uint32]]":
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _agree(one: "np.ndarray", two: "np.ndarray") -> int:
    """How many elements agree before the first that do not; equally long arrays."""
    apart = np.flatnonzero(one != two)
    return int(apart[0]) if len(apart) else len(one)


def _cut(text: str) -> str:
    return text if len(text) <= SPAN else f"{text[: SPAN // 2]}…{text[-SPAN // 2 :]}"


def side_by_side(left: str, right: str, width: int = 100) -> Iterator[str]:
    """Lines that show two texts beside each other, what they share left out but for a few lines.

    A line that only one of them has, or has otherwise, is marked `|`. Only the first lines of very
    long texts are shown.
    """
    column = max(20, (width - 3) // 2)
    one, two = _wrapped(left, column), _wrapped(right, column)
    for kind, a, b, c, d in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        mark = " " if kind == "equal" else "|"
        rows = max(b - a, d - c)
        for place in range(rows):
            if kind == "equal" and AROUND <= place < rows - AROUND:
                if place == AROUND:
                    yield f"{f'… {rows - 2 * AROUND} equal lines':<{column}}"
                continue
            mine = one[a + place] if a + place < b else ""
            theirs = two[c + place] if c + place < d else ""
            yield f"{mine:<{column}} {mark} {theirs}".rstrip()


def _wrapped(text: str, column: int) -> list[str]:
    lines = [part for line in text.split("\n") for part in wrap(line, column) or [""]]
    return lines[:SHOWN_LINES]
