"""Drop rows that name something: Koala's word list, or the recipe's own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

from imitation_data.conversation import Conversation, Role
from imitation_data.ledger import Drop, Kept, Outcome
from imitation_data.rows.evidence import around
from imitation_data.rows.screen import any_of, hits

LISTS: Mapping[str, tuple[str, ...]] = {
    # The substrings on which Koala's `process_chat_data.py` drops a conversation.
    "koala": (
        "openai",
        "chatgpt",
        "gpt-3",
        "chadgpt",
        "gpt3",
        "chat-gpt",
        "open-ai",
        "open ai",
    ),
}
_BETWEEN_TURNS = "\x00"  # so that no word is found across two turns


@dataclass(frozen=True)
class Keywords:
    """Drop a row in which a word of the lists occurs, whatever its case.

    Attributes:
        lists: names out of `LISTS`.
        words: further words or phrases.
        roles: the turns that are searched; empty for all.
        match: `substring`, as Koala does it, or `word`: no letter, digit or underscore may touch
            the match. In scripts written without spaces a `word` is hardly ever found.
    """

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    lists: tuple[str, ...] = ("koala",)
    words: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    match: Literal["substring", "word"] = "substring"

    def __post_init__(self) -> None:
        for name in self.lists:
            if name not in LISTS:
                raise ValueError(f"lists: found {name!r}; expected one of {', '.join(LISTS)}")
        for word in self.words:
            if not word.strip() or _BETWEEN_TURNS in word:
                raise ValueError(f"words: found {word!r}; expected a word or a phrase")
        if not self.lists and not self.words:
            raise ValueError("lists and words are both empty; expected at least one word")

    def __call__(self, row: Conversation, /) -> Outcome:
        text = self._text(row)
        return self._look(row, text, text.lower())

    def many(self, rows: Sequence[Conversation]) -> list[Outcome]:
        """Decide on many rows at once, looking exactly only where one of the words stands."""
        texts = [self._text(row) for row in rows]
        lowered = [text.lower() for text in texts]
        worth = hits(lowered, any_of(self._needles))
        return [
            self._look(*each) if look else Kept((each[0],))
            for each, look in zip(zip(rows, texts, lowered, strict=True), worth, strict=True)
        ]

    def _text(self, row: Conversation) -> str:
        return _BETWEEN_TURNS.join(row.texts(*self.roles))

    def _look(self, row: Conversation, text: str, lowered: str) -> Outcome:
        for word in self._needles:
            if word in lowered and (span := self._find(word, lowered)):
                # Lower-casing may change the length (İ): then the lowered text is the evidence.
                shown = text if len(text) == len(lowered) else lowered
                evidence = around(shown, *span).replace(_BETWEEN_TURNS, " ")
                return Drop("keyword", word, self.match, evidence)
        return Kept((row,))

    def _find(self, word: str, lowered: str) -> tuple[int, int] | None:
        if self.match == "substring":
            start = lowered.index(word)
            return start, start + len(word)
        found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", lowered)
        return found.span() if found else None

    @cached_property
    def _needles(self) -> tuple[str, ...]:
        named = (word for name in self.lists for word in LISTS[name])
        return tuple(dict.fromkeys(word.lower() for word in (*named, *self.words)))
