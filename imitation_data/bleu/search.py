"""Compiled: for each query the text of highest BLEU, or all above a limit, without trying each.

All texts that share a 4-gram with the query are found through the index, which gives their matches
of that order exactly. With the most that lower orders can add, each has an upper bound, and so have
all texts that share none. The best by its bound is scored; who cannot reach that score is out. If
few are left, they are scored, each order for itself, while their bound allows; if many, or if texts
that share none could still win, the next lower order is walked in the same way.
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from imitation_data.bleu.score import EQUAL, NOTHING, Kinds, better, lay, score_of, window, without
from imitation_data.bleu.sets import fill, in_common
from imitation_data.text.compiled import kernel

Number = TypeVar("Number", np.int32, np.float64)


class Corpus(NamedTuple):
    """What a query is held against.

    Attributes:
        heads, members, first, holders: n-grams, as `imitation_data.bleu.index.Grams` has them.
        lengths: words of each text of either side, int64.
        rank: who wins among equals, of each text of the corpus: the lowest; int64.
        kind: of each text of the corpus, which of `kinds` its length is, int32.
        kinds: the lengths there are, ascending, int64.
        logs: logarithms of whole numbers, up to the longest text.
    """

    heads: NDArray[np.int64]
    members: NDArray[np.int32]
    first: NDArray[np.int64]
    holders: NDArray[np.int32]
    lengths: NDArray[np.int64]
    rank: NDArray[np.int64]
    kind: NDArray[np.int32]
    kinds: NDArray[np.int64]
    logs: NDArray[np.float64]


class Query(NamedTuple):
    """What is looked for, and working memory.

    Attributes:
        most: n-grams of each order that it can have in common with any text, int64, (4,).
        table: its n-grams as hash tables, one an order, int32.
        sizes: of the tables, 0 for those that are not filled; int64, (4,).
        matches: of each order, for each text of the corpus; int32, (4, n).
        touched: texts that share an n-gram of the order walked last, int32, (n,).
    """

    most: NDArray[np.int64]
    table: NDArray[np.int32]
    sizes: NDArray[np.int64]
    matches: NDArray[np.int32]
    touched: NDArray[np.int32]


@kernel
def _kinds(corpus: Corpus) -> Kinds:
    count = len(corpus.kinds)
    return Kinds(corpus.kinds, np.empty(count, np.int64), np.empty(count))


@kernel
def _query(corpus: Corpus) -> Query:
    size = 4
    while size < 4 * len(corpus.logs):
        size *= 2
    texts = len(corpus.kind)
    return Query(
        np.zeros(4, np.int64),
        np.empty((4, size), np.int32),
        np.zeros(4, np.int64),
        np.zeros((4, texts), np.int32),
        np.empty(texts, np.int32),
    )


@kernel
def _walk(
    n: int,
    members: NDArray[np.int32],
    start: int,
    stop: int,
    first: NDArray[np.int64],
    holders: NDArray[np.int32],
    low: int,
    high: int,
    matches: NDArray[np.int32],
    touched: NDArray[np.int32],
) -> int:
    """Count the matches of one order for all texts between two; return how many have any."""
    for text in range(low, high):
        matches[n, text] = 0
    count = 0
    whole = low == 0 and high == len(touched)
    for at in range(start, stop):
        member = members[at]
        place, last = first[member], first[member + 1]
        if not whole:
            place = _seek(holders, place, last, low)
            last = _seek(holders, place, last, high)
        while place < last:
            text = holders[place]
            if matches[n, text] == 0:
                touched[count] = text
                count += 1
            matches[n, text] += 1
            place += 1
    return count


@kernel
def _seek(holders: NDArray[np.int32], first: int, last: int, text: int) -> int:
    """The first place from `first` whose text is not below another."""
    while first < last:
        middle = (first + last) >> 1
        if holders[middle] < text:
            first = middle + 1
        else:
            last = middle
    return first


@kernel
def _sift(
    known: int,
    count: int,
    itself: int,
    least: float,
    query: Query,
    kinds: Kinds,
    kind: NDArray[np.int32],
    logs: NDArray[np.float64],
) -> tuple[int, int, float]:
    """Keep the touched texts that can reach a score.

    Args:
        known: matches are counted from this order (0 to 3) up.
        count: how many are touched; those that can are moved to the front.
        itself: one that is not meant.
        least: the score.

    Returns:
        How many can, and the one that can score most.
    """
    most, matches, touched = query.most, query.matches, query.touched
    one, two, three, four = most[0], most[1], most[2], most[3]
    left, top, highest = 0, -1, NOTHING
    for place in range(count):
        text = touched[place]
        mine = kind[text]
        length = kinds.length[mine]
        score = score_of(
            min(one, length) if known > 0 else matches[0, text],
            min(two, max(0, length - 1)) if known > 1 else matches[1, text],
            min(three, max(0, length - 2)) if known > 2 else matches[2, text],
            matches[3, text] if known < 4 else min(four, max(0, length - 3)),
            kinds.order[mine],
            kinds.base[mine],
            logs,
        )
        if score >= least and text != itself:
            touched[left] = text
            left += 1
            if score > highest:
                top, highest = text, score
    return left, top, highest


@kernel
def _tried(
    text: int,
    at: int,
    known: int,
    least: float,
    query: Query,
    kinds: Kinds,
    corpus: Corpus,
) -> float:
    """Score a text, order for order from `known` down; NOTHING once it cannot reach `least`.

    Args:
        text: of the corpus.
        at: the query among all texts.
        known: matches are counted from this order (0 to 3) up.
        least: the score.
    """
    most, matches, sizes = query.most, query.matches, query.sizes
    heads, members, logs = corpus.heads, corpus.members, corpus.logs
    mine = corpus.kind[text]
    length, order, base = kinds.length[mine], kinds.order[mine], kinds.base[mine]
    one = matches[0, text] if known < 1 else min(most[0], length)
    two = matches[1, text] if known < 2 else min(most[1], max(0, length - 1))
    three = matches[2, text] if known < 3 else min(most[2], max(0, length - 2))
    four = matches[3, text]
    score = score_of(one, two, three, four, order, base, logs)
    for n in range(known - 1, -1, -1):
        if score < least:
            return NOTHING
        if sizes[n] == 0:
            sizes[n] = fill(members, heads[n, at], heads[n, at + 1], query.table, n)
        found = in_common(members, heads[n, text], heads[n, text + 1], query.table, n, sizes[n])
        if n == 2:
            three = found
        elif n == 1:
            two = found
        else:
            one = found
        score = score_of(one, two, three, four, order, base, logs)
    return score if score >= least else NOTHING


@kernel
def _step(
    n: int,
    at: int,
    itself: int,
    least: float,
    query: Query,
    kinds: Kinds,
    corpus: Corpus,
) -> tuple[int, int]:
    """Count the matches of one order; the texts that can still reach a score come first.

    Returns:
        How many can, and the one that can score most.
    """
    low, high = 0, len(corpus.kind)
    if least > NOTHING:
        low, high = window(least, query.most, kinds, corpus.kind, corpus.logs)
    count = _walk(
        n,
        corpus.members,
        corpus.heads[n, at],
        corpus.heads[n, at + 1],
        corpus.first,
        corpus.holders,
        low,
        high,
        query.matches,
        query.touched,
    )
    left, top, _ = _sift(n, count, itself, least, query, kinds, corpus.kind, corpus.logs)
    return left, top


@kernel
def _walks_on(
    n: int, at: int, left: int, least: float, query: Query, kinds: Kinds, corpus: Corpus
) -> bool:
    """Whether the next lower order is walked, too, rather than those left scored one by one."""
    if n == 0:
        return False
    if without(n, query.most, kinds, corpus.logs) >= least:
        return True
    members, first, cost = corpus.members, corpus.first, 0
    for place in range(corpus.heads[n - 1, at], corpus.heads[n - 1, at + 1]):
        cost += first[members[place] + 1] - first[members[place]]
    return left * corpus.lengths[at] > cost


@kernel
def _start(at: int, reverse: bool, laid: int, query: Query, kinds: Kinds, corpus: Corpus) -> int:
    """Begin with a query; return its length."""
    length = corpus.lengths[at]
    if length != laid:
        lay(kinds, length, reverse, corpus.logs)
    for n in range(4):
        query.sizes[n] = 0
        query.most[n] = corpus.heads[n, at + 1] - corpus.heads[n, at]
    return length


@kernel
def nearest(
    corpus: Corpus,
    rows: NDArray[np.int64],
    base: int,
    reverse: bool,
    twins: NDArray[np.int64],
    scores: NDArray[np.float64],
    others: NDArray[np.int64],
) -> None:
    """Find for each query the text of highest BLEU; among equals, the one of lowest rank.

    Args:
        corpus: what queries are held against.
        rows: the queries that are meant, counted from `base`; fastest in the order of their length.
        base: where the queries begin among all texts.
        reverse: whether the query is the reference, and the text of the corpus the hypothesis.
        twins: of each query, the text of the corpus that is not meant, or -1.
        scores: of each query; replaced where there is a better one.
        others: the text of the corpus with it; -1 where none shares a word.
    """
    kinds, query, laid = _kinds(corpus), _query(corpus), -1
    for number in rows:
        at, itself = base + number, twins[number]
        best, other = scores[number], others[number]
        laid = _start(at, reverse, laid, query, kinds, corpus)
        for n in range(3, -1, -1):
            left, top = _step(n, at, itself, best - EQUAL, query, kinds, corpus)
            if top >= 0:
                score = _tried(top, at, n, best - EQUAL, query, kinds, corpus)
                best, other = better(score, top, best, other, corpus.rank)
                least = best - EQUAL
                left, _, _ = _sift(n, left, top, least, query, kinds, corpus.kind, corpus.logs)
            if not _walks_on(n, at, left, best - EQUAL, query, kinds, corpus):
                for place in range(left):
                    text = query.touched[place]
                    score = _tried(text, at, n, best - EQUAL, query, kinds, corpus)
                    best, other = better(score, text, best, other, corpus.rank)
                break
        scores[number], others[number] = best, other


@kernel
def above(
    corpus: Corpus,
    rows: NDArray[np.int64],
    base: int,
    reverse: bool,
    twins: NDArray[np.int64],
    limit: float,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Find all pairs of a query and a text of the corpus above a score.

    Args:
        corpus, rows, base, reverse, twins: as `nearest` takes them.
        limit: the score.

    Returns:
        Place in `rows`, text and score of each pair.
    """
    kinds, query, laid = _kinds(corpus), _query(corpus), -1
    one, two, scores = np.empty(256, np.int32), np.empty(256, np.int32), np.empty(256)
    count, least = 0, limit + EQUAL
    for number in range(len(rows)):
        at, itself = base + rows[number], twins[rows[number]]
        laid = _start(at, reverse, laid, query, kinds, corpus)
        for n in range(3, -1, -1):
            left, _ = _step(n, at, itself, least, query, kinds, corpus)
            if _walks_on(n, at, left, least, query, kinds, corpus):
                continue
            for place in range(left):
                text = query.touched[place]
                score = _tried(text, at, n, least, query, kinds, corpus)
                if score == NOTHING:
                    continue
                if count == len(one):
                    one, two = _wider(one), _wider(two)
                    scores = _wider(scores)
                one[count], two[count], scores[count] = number, text, score
                count += 1
            break
    return one[:count], two[:count], scores[:count]


@kernel
def _wider(array: NDArray[Number]) -> NDArray[Number]:
    wide = np.empty(2 * len(array), array.dtype)
    wide[: len(array)] = array
    return wide
