"""The novelty gate of Self-Instruct: a text joins the pool if it is not too like one that is in it.

Wang et al. (2023) keep an instruction if its ROUGE-L with every instruction kept so far is at most
0.7. The decisions here are those of the package rouge_score 0.1.2 with `score(candidate, accepted)`
for each accepted text, without stemming: its tokens, its longest common subsequence, its F-measure
in float64. (The order of the two does not matter: it swaps precision and recall, and with them two
factors and two terms, which leaves every bit of the F-measure.)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from imitation_data.generate.rouge import (
    ADDED,
    JUDGED,
    LISTED,
    MAP_WORDS,
    PASSED,
    RENEWED,
    ROWS,
    Desk,
    Pool,
    judge,
    list_again,
)
from imitation_data.generate.tokens import Numbering, grown

Tokens = Literal["any", "rouge"]
CHUNK = 1 << 22  # characters taken together
FEWEST = 64  # texts for which the order of tokens is made for the first time


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a text.

    Attributes:
        accepted: whether it is now in the pool.
        score: if rejected, its F-measure with the nearest text, 0 to 1; else 0, not computed.
        nearest: if rejected, which accepted text is nearest to it, the first among equals, by order
            of acceptance from 0; else -1.
    """

    accepted: bool
    score: float
    nearest: int


_ACCEPTED = Verdict(accepted=True, score=0.0, nearest=-1)


class Novelty:
    """A pool of texts of which none is too like an earlier one.

    A text is rejected if its highest ROUGE-L F-measure with an accepted text is above the limit.

    ROUGE's tokens are runs of a to z and 0 to 9. With `tokens="any"`, a text of whose letters and
    digits these are less than half has tokens of any script: runs of letters, marks and digits, and
    in scripts written without spaces each character. A text without tokens, such as "?" or an
    emoji, then counts as 1.0 like an equal one, white space around it aside, and 0.0 like others.
    With `tokens="rouge"`, a text without a to z and 0 to 9 is like no other, as in rouge_score.
    """

    def __init__(self, limit: float = 0.7, *, tokens: Tokens = "any") -> None:
        """Begin an empty pool.

        Args:
            limit: highest F-measure of a new text with an accepted one, 0 to 1.
            tokens: "any" or "rouge".

        Raises:
            ValueError: if a setting is none of these.
        """
        if not 0 <= limit <= 1:
            raise ValueError(f"limit is {limit}; an F-measure lies between 0 and 1")
        if tokens not in get_args(Tokens):
            raise ValueError(f"tokens is {tokens!r}; known: {', '.join(get_args(Tokens))}")
        self._limit = float(limit)
        self._any_script = tokens == "any"
        self._numbering = Numbering(any_script=self._any_script)
        self._pool, self._desk = _empty_pool(), _empty_desk()
        self._blank: dict[str, int] = {}  # texts without tokens, and where they were accepted

    def __len__(self) -> int:
        """Number of texts accepted."""
        return int(self._pool.counts[ROWS])

    def add(self, texts: Sequence[str]) -> None:
        """Accept texts without judging them: the seeds."""
        for chunk in _chunks(texts):
            self._take(chunk, ADDED)

    def offer(self, texts: Sequence[str]) -> list[Verdict]:
        """Judge texts one after the other; each that is accepted counts for the next."""
        return [verdict for chunk in _chunks(texts) for verdict in self._take(chunk, JUDGED)]

    def _take(self, texts: Sequence[str], way: int) -> list[Verdict]:
        tokens, ends = self._numbering.number(texts)
        sizes = np.diff(ends, prepend=0)
        ways = np.full(len(texts), way, np.int8)
        blank = {row: texts[row].strip() for row in np.flatnonzero(sizes == 0).tolist()}
        if self._any_script and way == JUDGED and self._limit < 1:
            seen = set(self._blank)
            for row, text in blank.items():
                if text in seen:
                    ways[row] = PASSED
                seen.add(text)
        before = len(self)
        scores, nearest = self._judge(tokens, ends, ways, int(sizes.max()))
        numbers = before - 1 + np.cumsum((ways != PASSED) & (nearest < 0))
        for row, text in blank.items():
            first = self._blank.setdefault(text, int(numbers[row]))
            if ways[row] == PASSED:
                scores[row], nearest[row] = 1.0, first
        return [
            Verdict(accepted=False, score=score, nearest=row) if row >= 0 else _ACCEPTED
            for score, row in zip(scores.tolist(), nearest.tolist(), strict=True)
        ]

    def _judge(
        self,
        tokens: NDArray[np.int32],
        ends: NDArray[np.int64],
        ways: NDArray[np.int8],
        longest: int,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Take texts of up to `longest` tokens; see `rouge.judge`."""
        scores, nearest = np.zeros(len(ends)), np.full(len(ends), -1, np.int64)
        self._know_tokens(longest)
        done = 0
        while done < len(ends):
            pool, desk, limit = self._pool, self._desk, self._limit
            done = judge(tokens, ends, ways, done, limit, pool, desk, scores, nearest)
            if done == len(ends):
                break
            if len(self) >= 2 * pool.counts[RENEWED]:
                self._renew()
            else:
                self._make_room(int(ends[done] - (ends[done - 1] if done else 0)))
        return scores, nearest

    def _know_tokens(self, longest: int) -> None:
        """Make room for the tokens known by now, and for texts of up to `longest`."""
        room, before = len(self._numbering.known.ends), len(self._pool.order)
        if room > before:
            order, lists = grown(self._pool.order, room), grown(self._pool.lists, room)
            order[before:] = -1 - np.arange(before, len(order))  # rarer than all, the latest first
            self._pool = self._pool._replace(order=order, lists=lists)
            heads, tails = (np.full(len(order), -1, np.int32) for _ in range(2))
            masks = grown(self._desk.masks, room)
            self._desk = self._desk._replace(masks=masks, heads=heads, tails=tails)
        if longest > len(self._desk.keys):
            self._desk = self._desk._replace(
                keys=grown(self._desk.keys, longest),
                runs=grown(self._desk.runs, longest),
                bits=grown(self._desk.bits, longest),
                row=grown(self._desk.row, longest),
            )

    def _make_room(self, size: int) -> None:
        """Make room for another text of `size` tokens."""
        pool, rows = self._pool, len(self)
        filled = int(pool.ends[rows - 1]) if rows else 0
        if len(pool.tokens) >= filled + size and len(pool.ends) > rows:
            self._pool = pool._replace(listed=grown(pool.listed, len(pool.listed) + 1))
            return
        self._pool = pool._replace(
            tokens=grown(pool.tokens, filled + size),
            ends=grown(pool.ends, rows + 1),
            maps=grown(pool.maps, rows + 1),
            met=grown(pool.met, rows + 1),
        )
        self._desk = self._desk._replace(found=grown(self._desk.found, rows + 1))

    def _renew(self) -> None:
        """Order tokens by how often they were met by now, and list all texts anew."""
        known, pool = self._numbering.known, self._pool
        count = int(known.count[0])
        pool.order[np.argsort(known.uses[:count], kind="stable")] = np.arange(count)
        while True:
            self._pool.lists[:] = 0
            self._pool.counts[LISTED] = 0
            if list_again(self._limit, self._pool, self._desk):
                break
            listed = grown(self._pool.listed, len(self._pool.listed) + 1)
            self._pool = self._pool._replace(listed=listed)
        self._pool.counts[RENEWED] = len(self)


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut texts into parts of about CHUNK characters, each of one text at least."""
    begin, size = 0, 0
    for place, text in enumerate(texts):
        if place > begin and size + len(text) > CHUNK:
            yield texts[begin:place]
            begin, size = place, 0
        size += len(text)
    if begin < len(texts):
        yield texts[begin:]


def _empty_pool() -> Pool:
    return Pool(
        tokens=np.empty(4096, np.int32),
        ends=np.empty(256, np.int64),
        maps=np.empty((256, MAP_WORDS), np.uint64),
        met=np.zeros(256, np.int64),
        order=np.empty(0, np.int64),
        lists=np.empty((0, 3), np.int64),
        listed=np.empty(8192, np.uint64),
        counts=np.array([0, 0, 0, FEWEST // 2], np.int64),
    )


def _empty_desk() -> Desk:
    return Desk(
        keys=np.empty(0, np.int64),
        found=np.empty(256, np.int32),
        map=np.empty(MAP_WORDS, np.uint64),
        masks=np.zeros(0, np.uint64),
        heads=np.empty(0, np.int32),
        tails=np.empty(0, np.int32),
        runs=np.empty((0, 2), np.int32),
        bits=np.empty(0, np.uint64),
        row=np.empty(0, np.uint64),
    )
