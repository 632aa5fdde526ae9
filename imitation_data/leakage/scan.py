"""Compiled: conversations held against the probes of benchmark items.

A probe is what of an item is looked for, as words. Runs of n words that few probes share lead from
a conversation to the probes it may hold; n follows from the probe's length. Each such probe is then
aligned with the conversation where most of its runs stand, and scored by the words that agree.
"""

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from imitation_data.leakage.hits import (
    AT,
    PART,
    PLACE,
    Probes,
    densest,
    find_hits,
    shift_of,
    word_at,
)
from imitation_data.leakage.words import Desk, View, words_in
from imitation_data.text.compiled import kernel
from imitation_data.text.tokens import IN_CONTEXT

Number = TypeVar("Number", np.int64, np.float64)

ENDS = 1.5  # score of a probe that a turn ends with, word for word
EXACT = 2.0  # score of a probe that is all of a turn, word for word
NEAR = 64  # words around a match among which its answer is looked for
LONGEST_ANSWER = 8  # words of an answer that are looked for
CUT = 0.95  # score of a probe that a turn holds the beginning of, and nothing after
ANSWERED = 0.72  # score from which an answer beside a probe counts
SHORT, SHIFTED = 15, 2  # words of a probe whose parts may stand only so many words apart
REACH = 4  # words beside a run that may agree, too
MOSTLY = 0.65  # of a probe's words that must agree for an answer to count
RUN = 0.66  # of a probe that must stand in one run to count as cut off
_MOST = (1 << 20) - 1  # words of a conversation looked at together


class Found(NamedTuple):
    """A probe in a conversation.

    Attributes:
        score: 0 to 1, and above with an answer beside it.
        coverage: weight of the words that agree, 0 to 1.
        start, stop: words of the conversation between which it stands.
        whole: whether all of it stands there, word for word.
        answer: words of its answer that stand near it, 0 where none does.
    """

    score: float
    coverage: float
    start: int
    stop: int
    whole: bool
    answer: int


@kernel
def _answer_near(
    probe: int, start: int, stop: int, ids: NDArray[np.int32], count: int, probes: Probes
) -> int:
    """Words of the longest of a probe's answers that stands around a match, or 0."""
    low, high = max(0, start - NEAR), min(count, stop + NEAR)
    best = 0
    for one in range(probes.answered[probe], probes.answered[probe + 1]):
        begin = probes.answer[one]
        length = min(probes.answer[one + 1] - begin, LONGEST_ANSWER)
        if length <= best:
            continue
        for place in range(low, high - length + 1):
            same = 0
            while same < length and ids[place + same] == probes.answers[begin + same]:
                same += 1
            if same == length:
                best = length
                break
    return best


@kernel
def _whole_turn(
    probe: int,
    hits: NDArray[np.int64],
    first: int,
    last: int,
    desk: Desk,
    count: int,
    probes: Probes,
) -> int:
    """Where a turn begins that is all of a probe and nothing else, or -1."""
    head = probes.starts[probe]
    length = probes.starts[probe + 1] - head
    for one in range(first, last):
        place = hits[one] >> AT & PART
        end = place + length
        if hits[one] & PART or desk.line[place] & 3 != 2 or end > count:
            continue
        if end < count and desk.line[end] & 3 != 2:
            continue
        same = 0
        while same < length and desk.ids[place + same] == probes.tokens[head + same]:
            same += 1
        if same == length:
            return place
    return -1


@kernel
def _scored(
    probe: int,
    hits: NDArray[np.int64],
    first: int,
    last: int,
    mark: int,
    desk: Desk,
    count: int,
    probes: Probes,
) -> Found:
    """Align a probe with a conversation where its hits stand, and score it."""
    tokens, weights, ids, line = probes.tokens, probes.weights, desk.ids, desk.line
    head = probes.starts[probe]
    length, size = probes.starts[probe + 1] - head, probes.size[probe]
    begin, end = first, last
    first, last = densest(hits, first, last, 2 * length + 16)
    shift = shift_of(hits, first, last, desk.diagonals)
    start, stop = count, 0
    for one in range(first, last):
        place, at = hits[one] >> AT & PART, hits[one] & PART
        if length <= SHORT and abs(place - at - shift) > SHIFTED:
            continue  # the same words, in another place
        start, stop = min(start, place), max(stop, place + size)
        for word in range(max(0, at - REACH), min(length, at + size + REACH)):
            other = word + place - at
            if 0 <= other < count and ids[other] == tokens[head + word]:
                desk.seen[word] = mark
    run, longest, ends = 0, 0, 0
    for at in range(max(0, -shift), min(length, count - shift)):
        if ids[at + shift] == tokens[head + at]:
            desk.seen[at] = mark
            run += 1
            if run > longest:
                longest, ends = run, at + 1
        else:
            run = 0
    score, told, agree = 0.0, 0.0, 0
    for at in range(length):
        if desk.seen[at] == mark:
            score += weights[head + at]
            agree += 1
            if ends - longest <= at < ends:
                told += weights[head + at]
    begins = ends == longest
    border = 1 if probes.one_line[probe] else 2
    stops = ends == length or ends + shift >= count or line[ends + shift] & 3 >= border
    weight, cut = score, 0.0
    if begins and stops and longest >= RUN * length and longest >= 4 and told >= 0.3:
        cut = CUT  # cut off where the turn or line ends
    if longest:
        start, stop = min(start, ends - longest + shift), max(stop, ends + shift)
    answer = _answer_near(probe, start, stop, ids, count, probes)
    if score >= ANSWERED and agree >= MOSTLY * length:
        score += 0.2 if answer > 1 else 0.1 * answer
    score = max(score, cut)
    if longest == length and (ends + shift >= count or line[ends + shift] & 3 == 2):
        score = max(score, ENDS)
    turn = _whole_turn(probe, hits, begin, end, desk, count, probes)
    if turn >= 0:
        return Found(EXACT, 1.0, turn, turn + length, True, answer)
    return Found(score, weight, start, stop, longest == length, answer)


@kernel
def _row(
    text: NDArray[np.uint8],
    at: int,
    stop: int,
    view: View,
    probes: Probes,
    desk: Desk,
    normalized: bool,
) -> int:
    """Number the words of a conversation into the desk; return how many, or IN_CONTEXT.

    A turn begins with a byte that stands for its role, as `imitation_data.text.compared` joins
    them.
    """
    count, fresh, role = 0, 2, 0
    while at < stop:
        if 0 < text[at] <= 3:
            fresh, role = 2, text[at]
            at += 1
            continue
        end = at
        while end < stop and text[end] != 0x0A and text[end] > 3:
            end += 1
        some = words_in(text, at, end, view, desk, normalized)
        if some == IN_CONTEXT:
            return IN_CONTEXT
        for one in range(min(some, _MOST - count)):
            desk.line[count] = (fresh if one == 0 else 0) | desk.dense[one]
            desk.role[count] = role
            desk.ids[count] = word_at(probes.slots, probes.words, desk.hashes[one])
            count += 1
        fresh = 1 if some else fresh
        at = end + 1 if (end < stop and text[end] == 0x0A) or end == at else end
    return count


@kernel
def read_rows(
    text: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    view: View,
    probes: Probes,
    desk: Desk,
    normalized: bool,
    without: NDArray[np.int64],
    again: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the probes that conversations hold.

    Args:
        text, offsets: the buffer they lie in, and where each starts and the last stops.
        view: how they are cut into words.
        probes: what is looked for.
        desk: working memory.
        normalized: whether they were normalised already.
        without: an item of each conversation that is not looked for in it, or -1; by probe's item.
        again: filled: conversations that must be normalised first.

    Returns:
        Of each find its row, probe, first word and the one after the last, whether it is whole,
        words of its answer, and role; int64, (n, 7). And its score and coverage; float64, (n, 2).
    """
    out, scores, found = np.empty((64, 7), np.int64), np.empty((64, 2)), 0
    mark = 0
    for row in range(len(offsets) - 1):
        count = _row(text, offsets[row], offsets[row + 1], view, probes, desk, normalized)
        again[row] = count == IN_CONTEXT
        if count <= 0:
            continue
        hits = find_hits(desk, count, probes)
        first = 0
        while first < len(hits):
            probe, last = hits[first] >> PLACE, first
            while last < len(hits) and hits[last] >> PLACE == probe:
                last += 1
            mark += 1
            enough = last - first >= probes.least[probe]
            if enough and probes.item[probe] != without[row]:
                one = _scored(probe, hits, first, last, mark, desk, count, probes)
                if one.score >= probes.limit[probe]:
                    if found == len(out):
                        out, scores = _wider(out), _wider(scores)
                    out[found, 0], out[found, 1] = row, probe
                    out[found, 2], out[found, 3] = one.start, one.stop
                    out[found, 4], out[found, 5] = one.whole, one.answer
                    out[found, 6] = desk.role[one.start]
                    scores[found, 0], scores[found, 1] = one.score, one.coverage
                    found += 1
            first = last
    desk.seen[:] = 0
    return out[:found], scores[:found]


@kernel
def _wider(array: NDArray[Number]) -> NDArray[Number]:
    wide = np.empty((2 * len(array), array.shape[1]), array.dtype)
    wide[: len(array)] = array
    return wide
