"""Where two texts differ: words that are gone, words that are new, and what stands between them.

Texts are cut into words, scripts that write none (Chinese, Japanese, Thai …) into characters. What
both begin and end with is taken away, the rest compared by the greedy algorithm of Myers ("An
O(ND) Difference Algorithm and Its Variations", 1986). A text with too many differences is compared
by lines, and one with too many lines is told as a whole, so that no text takes long.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from regex import Pattern

Mark = Literal["same", "old", "new", "cut"]
Item = TypeVar("Item")

WORK = 400_000  # comparisons spent on a pair of texts at each of the two levels
CONTEXT = 60  # characters shown on either side of a difference
LONGEST = 1200  # characters shown of one that is longer


@dataclass(frozen=True)
class Piece:
    """A stretch of text.

    Attributes:
        mark: `same` in both texts, in the `old` one, in the `new` one; or `cut`: left out.
        text: the stretch; of one that is cut the empty string.
        length: its characters.
    """

    mark: Mark
    text: str
    length: int

    @classmethod
    def of(cls, mark: Mark, text: str) -> "Piece":
        """A stretch that is shown."""
        return cls(mark, text, len(text))


def difference(old: str, new: str, work: int = WORK) -> tuple[Piece, ...]:
    """Tell how one text became another; nothing is left out.

    Args:
        old: the text before.
        new: the text after.
        work: comparisons that may be spent.

    Returns:
        Pieces that, without the new ones, make up `old`, and without the old ones `new`.
    """
    if old == new:
        return (Piece.of("same", old),) if old else ()
    words = compared(_words(old), _words(new), work)
    if words is None:
        lines = compared(old.splitlines(keepends=True), new.splitlines(keepends=True), work)
        words = _by_words(lines or [("old", old), ("new", new)], work)
    return tuple(_joined(_settled(words)))


def _by_words(lines: Sequence[tuple[Mark, str]], work: int) -> list[tuple[Mark, str]]:
    """Compare by words what lines differ in, where that is little enough."""
    runs = list(_runs(lines))
    found: list[tuple[Mark, str]] = []
    for same, items in runs:
        old, new = ("".join(text for one, text in items if one == mark) for mark in ("old", "new"))
        if not same and old and new:
            words = compared(_words(old), _words(new), work // len(runs))
            found += words or [("old", old), ("new", new)]
        else:
            found += items
    return found


def _runs(marked: Iterable[tuple[Mark, str]]) -> Iterator[tuple[bool, list[tuple[Mark, str]]]]:
    """Stretches that are the same, and those that are not, in turns."""
    return ((same, list(items)) for same, items in groupby(marked, lambda one: one[0] == "same"))


@cache
def _pattern() -> "Pattern[str]":
    import regex  # noqa: PLC0415 - knows scripts and what belongs to one character

    scripts = ("Han", "Hiragana", "Katakana", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan")
    wordless = "".join(rf"\p{{{script}}}" for script in scripts)
    return regex.compile(
        rf"[{wordless}]\p{{M}}*+|[[\p{{L}}\p{{N}}\p{{M}}_]--[{wordless}]]++|\s++|\X", regex.V1
    )


def _words(text: str) -> list[str]:
    words: list[str] = _pattern().findall(text)
    return words


def compared(
    old: Sequence[Item], new: Sequence[Item], work: int = WORK
) -> list[tuple[Mark, Item]] | None:
    """Mark every item of two sequences as `same`, `old` or `new`, in the order of both.

    Returns:
        The marked items; None when it takes more than `work` comparisons.
    """
    least = min(len(old), len(new))
    begin = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    ends = zip(reversed(old), reversed(new), strict=False)
    same = takewhile(lambda pair: pair[0] == pair[1], ends)
    end = min(sum(1 for _ in same), least - begin)
    one, two = old[begin : len(old) - end], new[begin : len(new) - end]
    if one and two:
        middle = _shortest(one, two, work)
        if middle is None:
            return None
    else:
        middle = [*(("old", item) for item in one), *(("new", item) for item in two)]
    tail = old[len(old) - end :]
    return [*(("same", item) for item in old[:begin]), *middle, *(("same", item) for item in tail)]


def _shortest(
    old: Sequence[Item], new: Sequence[Item], work: int
) -> list[tuple[Mark, Item]] | None:
    """The shortest way from one sequence to the other, by furthest points on each diagonal."""
    furthest = {1: 0}
    trace: list[dict[int, int]] = []
    for edits in range(len(old) + len(new) + 1):
        trace.append(dict(furthest))
        for diagonal in range(-edits, edits + 1, 2):
            down = diagonal == -edits or (
                diagonal != edits and furthest[diagonal - 1] < furthest[diagonal + 1]
            )
            x = furthest[diagonal + 1] if down else furthest[diagonal - 1] + 1
            start = x
            y = x - diagonal
            while x < len(old) and y < len(new) and old[x] == new[y]:
                x, y = x + 1, y + 1
            furthest[diagonal] = x
            work -= 1 + x - start
            if x >= len(old) and y >= len(new):
                return _path(old, new, trace)
        work -= edits  # the copy
        if work < 0:
            return None
    return None


def _path(
    old: Sequence[Item], new: Sequence[Item], trace: list[dict[int, int]]
) -> list[tuple[Mark, Item]]:
    """Walk back from the end to the beginning."""
    x, y = len(old), len(new)
    found: list[tuple[Mark, Item]] = []
    for edits in reversed(range(len(trace))):
        furthest = trace[edits]
        diagonal = x - y
        down = diagonal == -edits or (
            diagonal != edits and furthest[diagonal - 1] < furthest[diagonal + 1]
        )
        before = diagonal + 1 if down else diagonal - 1
        from_x = furthest[before] if edits else 0
        from_y = from_x - before if edits else 0
        while x > from_x and y > from_y:
            x, y = x - 1, y - 1
            found.append(("same", old[x]))
        if edits:
            found.append(("new", new[from_y]) if down else ("old", old[from_x]))
        x, y = from_x, from_y
    return found[::-1]


def _settled(marked: Sequence[tuple[Mark, str]]) -> Iterator[tuple[Mark, str]]:
    """Between two differences a lone space belongs to both; what is gone stands first."""
    runs = list(_runs(marked))
    gone: list[str] = []
    come: list[str] = []
    for place, (same, items) in enumerate(runs):
        text = "".join(item for _, item in items)
        if not same:
            gone += (item for mark, item in items if mark == "old")
            come += (item for mark, item in items if mark == "new")
        elif 0 < place < len(runs) - 1 and text.isspace() and "\n" not in text:
            gone.append(text)
            come.append(text)
        else:
            yield from (("old", "".join(gone)), ("new", "".join(come)), ("same", text))
            gone, come = [], []
    yield from (("old", "".join(gone)), ("new", "".join(come)))


def _joined(marked: Iterable[tuple[Mark, str]]) -> Iterator[Piece]:
    return (Piece.of(mark, text) for mark, text in marked if text)


def shortened(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Leave out long stretches: of what is the same all but the edges, of the rest the middle."""
    found: list[Piece] = []
    for place, piece in enumerate(pieces):
        if piece.mark == "same":
            head = CONTEXT if place else 0
            tail = CONTEXT if place < len(pieces) - 1 else 0
        else:
            head = tail = LONGEST // 2
        found += _cut(piece, head, tail)
    return tuple(found)


def beginning(mark: Mark, text: str) -> tuple[Piece, ...]:
    """A whole text, its end left out where it is long."""
    return tuple(_cut(Piece.of(mark, text), LONGEST, 0))


def _cut(piece: Piece, head: int, tail: int) -> Iterator[Piece]:
    left = piece.length - head - tail
    if left <= CONTEXT:  # as long as the note that it is left out
        yield piece
        return
    if head:
        yield replace(piece, text=piece.text[:head], length=head)
    yield Piece("cut", "", left)
    if tail:
        yield replace(piece, text=piece.text[-tail:], length=tail)
