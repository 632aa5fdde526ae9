"""Drop rows whose answers repeat themselves: one character, whole lines, or runs of words."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from imitation_data.conversation import Conversation, Role
from imitation_data.ledger import Drop, Kept, Outcome
from imitation_data.rows.evidence import around

_THREE_ALIKE = re.compile(r"(\S)\1\1")
_RULES = "-=_*.#~+|…·•–—─━│┃═║"  # tables and headings are drawn with these
_DRAWN = re.compile(rf"[\s{re.escape(_RULES)}]+")
WINDOW = 50_000  # words looked at together, so that memory is bounded on any text


@dataclass(frozen=True)
class Repetition:
    """Look at each turn of the roles by itself; drop the row at the first that repeats too much.

    The line and n-gram measures follow Rae et al. 2021 (Gopher, arXiv 2112.11446, table A1), who
    drop web pages at 0.30 for lines and 0.15 for 5-grams. Answers of a chat repeat more in good
    faith (songs, tables, quizzes), so the defaults catch only answers stuck in a loop.

    Attributes:
        max_run: how often one visible character may stand in a row (`repeated_character`); those
            that tables and rules are drawn with (`-=_*.#` …) may do so without end.
        max_line_share: share of a turn's lines that repeat an earlier one (`repeated_lines`), 0 to
            1; looked at from `min_lines` non-blank lines on.
        max_ngram_share: share of a turn's words that lie in a run of `ngram` words which stood
            there before (`repeated_words`), 0 to 1; looked at from `min_words` words on. In text
            without spaces (Chinese) characters take the place of words, in runs twice as long.
        roles: the turns that are looked at.
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    max_run: int = 100
    max_line_share: float = 0.6
    min_lines: int = 5
    max_ngram_share: float = 0.6
    ngram: int = 5
    min_words: int = 50
    roles: tuple[Role, ...] = ("assistant",)

    def __post_init__(self) -> None:
        for name, least in (("max_run", 2), ("min_lines", 2), ("ngram", 1), ("min_words", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: found {getattr(self, name)}; expected {least} or more")
        for name in ("max_line_share", "max_ngram_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: found {getattr(self, name)}; expected 0 to 1")

    def __call__(self, row: Conversation, /) -> Outcome:
        for text in row.texts(*self.roles):
            if drop := self._run(text) or self._lines(text) or self._words(text):
                return drop
        return Kept((row,))

    def _run(self, text: str) -> Drop | None:
        size = self.max_run + 1
        step = size // 3
        # A run of `size` characters holds three neighbours of any sample taken every third of it.
        for match in _THREE_ALIKE.finditer(text[::step]):
            char = match[1]
            if char in _RULES:
                continue
            start = match.start() * step
            while start and text[start - 1] == char:
                start -= 1
            if text.startswith(char * size, start):
                end = start + size
                while end < len(text) and text[end] == char:
                    end += 1
                found = f"{char!r} {end - start} times"
                return Drop("repeated_character", found, self.max_run, around(text, start, end))
        return None

    def _lines(self, text: str) -> Drop | None:
        if text.count("\n") + 1 < self.min_lines:
            return None
        lines = [line for line in map(str.strip, text.split("\n")) if line]
        if len(lines) < self.min_lines:
            return None
        share = (len(lines) - len(set(lines))) / len(lines)
        if share <= self.max_line_share:
            return None
        return Drop("repeated_lines", share, self.max_line_share)

    def _words(self, text: str) -> Drop | None:
        if len(text) < 2 * self.min_words - 1:  # words and the spaces between them
            return None
        units, size = self._units(text)
        least = self.min_words * size // self.ngram
        if len(units) < least or self._bound(units) <= self.max_ngram_share:
            return None
        if units is text:
            units = _DRAWN.sub("", text)
        if len(units) < least:
            return None
        share = sum(_repeated(window, size) for window in _windows(units)) / len(units)
        if share <= self.max_ngram_share:
            return None
        return Drop("repeated_words", share, self.max_ngram_share)

    def _units(self, text: str) -> tuple[Sequence[str], int]:
        """Words, or characters where nothing between spaces is a word; and how many make a run."""
        units = text.split()
        if len(text) > (40 if text.isascii() else 12) * len(units):
            return text, 2 * self.ngram
        return units, self.ngram

    def _bound(self, units: Sequence[str]) -> float:
        """Bound the share: a word inside a repeated run stood there before."""
        distinct = sum(len(set(window)) for window in _windows(units))
        return (len(units) - distinct) / len(units)


def _windows(units: Sequence[str]) -> list[Sequence[str]]:
    return [units[start : start + WINDOW] for start in range(0, len(units), WINDOW)]


def _repeated(units: Sequence[str], size: int) -> int:
    """Count the units that lie in a run of `size` units which stood earlier in the sequence."""
    seen = set()
    count = end = 0
    for stop, run in enumerate(
        zip(*(units[offset:] for offset in range(size)), strict=False), size
    ):
        if run in seen:
            count += stop - max(end, stop - size)
            end = stop
        else:
            seen.add(run)
    return count
