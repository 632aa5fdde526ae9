"""Limits on how long a conversation or a turn is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

from imitation_data.conversation import Conversation, Role
from imitation_data.ledger import Drop, Kept, Outcome
from imitation_data.rows import tokens
from imitation_data.rows.words import count_words

UNITS = ("chars", "words", "turns", "tokens")


@dataclass(frozen=True)
class Length:
    """Drop rows outside of limits (`too_short_chars`, `too_long_tokens`, …); a limit is allowed.

    Attributes:
        min_chars, max_chars: Unicode code points.
        min_words, max_words: words as `imitation_data.rows.words` counts them in any script.
        min_turns, max_turns: turns of the roles, always per conversation.
        min_tokens, max_tokens: tokens under `encoding`, without roles or special tokens.
        per: the limits hold for the `conversation` as a whole, or for every single `turn`.
        roles: the turns that count; empty for all.
        encoding: a name tiktoken knows, or `bytes`; loaded only for limits in tokens.
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ("tiktoken",)

    min_chars: int | None = None
    max_chars: int | None = None
    min_words: int | None = None
    max_words: int | None = None
    min_turns: int | None = None
    max_turns: int | None = None
    min_tokens: int | None = None
    max_tokens: int | None = None
    per: Literal["conversation", "turn"] = "conversation"
    roles: tuple[Role, ...] = ()
    encoding: str = "cl100k_base"

    def __post_init__(self) -> None:
        limits = [(unit, self._low(unit), self._high(unit)) for unit in UNITS]
        if all(low is None and high is None for _, low, high in limits):
            raise ValueError("found no limit; expected at least one, such as max_chars: 20000")
        for unit, low, high in limits:
            if min(low or 0, high or 0) < 0:
                raise ValueError(f"{unit}: found a limit below zero; expected 0 or more")
            if low is not None and high is not None and low > high:
                raise ValueError(f"min_{unit} is {low} and max_{unit} is {high}: no row could stay")

    def __call__(self, row: Conversation, /) -> Outcome:
        texts = list(row.texts(*self.roles))
        for limit in self._limits:
            if drop := limit.check(texts):
                return drop
        return Kept((row,))

    def _low(self, unit: str) -> int | None:
        low: int | None = getattr(self, f"min_{unit}")
        return low

    def _high(self, unit: str) -> int | None:
        high: int | None = getattr(self, f"max_{unit}")
        return high

    @cached_property
    def _limits(self) -> tuple["_Limit", ...]:
        return tuple(
            _Limit(unit, low, high, self._measure(unit), whole=self.per == "conversation")
            for unit in UNITS
            for low, high in [(self._low(unit), self._high(unit))]
            if low is not None or high is not None
        )

    def _measure(self, unit: str) -> Callable[[str], int]:
        if unit == "tokens":
            return lambda text: tokens.count(text, self.encoding)
        return count_words if unit == "words" else len


@dataclass(frozen=True)
class _Limit:
    unit: str
    low: int | None
    high: int | None
    measure: Callable[[str], int]
    whole: bool

    def check(self, texts: Sequence[str]) -> Drop | None:
        for size in self._sizes(texts):
            if self.low is not None and size < self.low:
                return Drop(f"too_short_{self.unit}", size, self.low)
            if self.high is not None and size > self.high:
                return Drop(f"too_long_{self.unit}", size, self.high)
        return None

    def _sizes(self, texts: Sequence[str]) -> Sequence[int]:
        if self.unit == "turns":
            return [len(texts)]
        if self.unit == "tokens" and self.low is None and _bytes(texts) <= (self.high or 0):
            return []  # a token is at least one byte: most rows need no tokeniser to be short
        sizes = [self.measure(text) for text in texts]
        return [sum(sizes)] if self.whole else sizes


def _bytes(texts: Sequence[str]) -> int:
    return sum(len(text.encode()) for text in texts)
