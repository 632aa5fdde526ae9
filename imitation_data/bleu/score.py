"""Compiled: scores from matches, and the most that texts can score of which less is known.

Scores are logarithms, natural, of BLEU between 0 and 1.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imitation_data.text.compiled import inlined, kernel

NOTHING = -np.inf
EQUAL = 1e-12  # logarithms so close are one score
_HALF = np.log(0.5)


class Kinds(NamedTuple):
    """What a score begins with, by the kind of a text's length.

    Attributes:
        length: the kinds, int64.
        order: the highest order that the hypothesis has, int64.
        base: brevity and totals, float64.
    """

    length: NDArray[np.int64]
    order: NDArray[np.int64]
    base: NDArray[np.float64]


@kernel
def lay(kinds: Kinds, length: int, reverse: bool, logs: NDArray[np.float64]) -> None:
    """What does not depend on matches, for a query of so many words."""
    for place in range(len(kinds.length)):
        other = kinds.length[place]
        hypothesis, reference = (other, length) if reverse else (length, other)
        order = min(4, hypothesis)
        total = 0.0
        for n in range(order):
            total += logs[hypothesis - n]
        kinds.order[place] = order
        kinds.base[place] = NOTHING
        if hypothesis > 0:
            kinds.base[place] = min(0.0, 1.0 - reference / hypothesis) - total / order


@inlined
def score_of(
    one: int,
    two: int,
    three: int,
    four: int,
    order: int,
    base: float,
    logs: NDArray[np.float64],
) -> float:
    """The score of so many matches; orders without any are smoothed (`exp` of sacrebleu)."""
    # Lower orders match at least as often: the orders without matches are the last ones.
    total = logs[one] + logs[two] + logs[three] + logs[four]
    zeros = order - min(order, (one > 0) + (two > 0) + (three > 0) + (four > 0))
    total += zeros * (zeros + 1) // 2 * _HALF
    return base + total / order if one > 0 else NOTHING


@kernel
def without(known: int, most: NDArray[np.int64], kinds: Kinds, logs: NDArray[np.float64]) -> float:
    """The most that a text can score that shares no n-gram of order `known` (0 to 4) or above."""
    best = NOTHING
    one, two, three = most[0], most[1], most[2]
    for place in range(len(kinds.length)):
        length, order = kinds.length[place], kinds.order[place]
        if known == 0 or kinds.base[place] == NOTHING:
            continue
        score = score_of(
            min(one, length),
            min(two, max(0, length - 1)) if known > 1 else 0,
            min(three, max(0, length - 2)) if known > 2 else 0,
            min(most[3], max(0, length - 3)) if known > 3 else 0,
            order,
            kinds.base[place],
            logs,
        )
        best = max(best, score)
    return best


@kernel
def window(
    least: float,
    most: NDArray[np.int64],
    kinds: Kinds,
    kind: NDArray[np.int32],
    logs: NDArray[np.float64],
) -> tuple[int, int]:
    """Texts whose length allows the score, as the first and the one after the last."""
    low, high = len(kinds.length), 0
    for place in range(len(kinds.length)):
        length = kinds.length[place]
        score = score_of(
            min(most[0], length),
            min(most[1], max(0, length - 1)),
            min(most[2], max(0, length - 2)),
            min(most[3], max(0, length - 3)),
            kinds.order[place],
            kinds.base[place],
            logs,
        )
        if score >= least:
            low, high = min(low, place), place + 1
    if high == 0:
        return 0, 0
    return np.searchsorted(kind, low), np.searchsorted(kind, high)


@inlined
def better(
    score: float, text: int, best: float, other: int, rank: NDArray[np.int64]
) -> tuple[float, int]:
    """The better of a text and the best so far."""
    higher = score > best + EQUAL
    equal = score > NOTHING and score >= best - EQUAL
    if higher or (equal and (other < 0 or rank[text] < rank[other])):
        return score, text
    return best, other
