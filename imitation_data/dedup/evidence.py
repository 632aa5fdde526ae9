"""Where two near-duplicates differ, in few words."""

import numpy as np

CONTEXT, SPAN = 24, 80  # characters shown beside the difference, and of it


def difference(gone: str, kept: str) -> str:
    """The span in which two texts differ, as `before [gone|kept] after`; empty if they are equal.

    What both texts begin and end with is left out but for a few characters; long spans are cut.
    """
    if gone == kept:
        return ""
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


def _codes(text: str) -> "np.ndarray[tuple[int], np.dtype[np.uint32]]":
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _agree(one: "np.ndarray", two: "np.ndarray") -> int:
    """How many elements agree before the first that do not; equally long arrays."""
    apart = np.flatnonzero(one != two)
    return int(apart[0]) if len(apart) else len(one)


def _cut(text: str) -> str:
    return text if len(text) <= SPAN else f"{text[: SPAN // 2]}…{text[-SPAN // 2 :]}"
