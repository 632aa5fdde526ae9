"""How prompts begin: their first words, and the verb that says what to do."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

from imitation_data.normalize import normalized

HEAD = 240  # characters looked at
WORDS = 2  # of an opening
REACH = 6  # words among which the verb stands

# A character of a script without spaces is a word; so is a run of other letters and digits.
_ALONE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_ALONE}]|[^\W_{_ALONE}]+(?:['’][^\W_{_ALONE}]+)*")
# Words that stand before the verb in a request; anything else, and it is no request.
_BEFORE = frozenset(
    (
        *("please", "kindly", "can", "could", "would", "will", "you", "i", "i'd", "we", "want"),
        *("need", "like", "to", "help", "me", "us", "now", "then", "first", "next", "just", "so"),
        *("and", "ok", "okay", "hi", "hello", "hey"),
    )
)


@cache
def verbs() -> frozenset[str]:
    """Verbs that English instructions begin with."""
    text = files("imitation_data.diversity").joinpath("verbs.txt").read_text(encoding="utf-8")
    return frozenset(text.split())


def opening(text: str) -> tuple[str, str]:
    """The first words of a text, folded, and its opening verb, or nothing."""
    words = _WORD.findall(normalized(text[:HEAD]))
    first = " ".join(words[:WORDS])
    for word in words[:REACH]:
        if word in verbs() and word not in _BEFORE:
            return first, word
        if word not in _BEFORE:
            break
    return first, ""


@dataclass
class Openings:
    """Counts of how texts begin.

    Attributes:
        words: of first words.
        verbs: of opening verbs, where there is one of an English list.
        texts: how many were looked at.
    """

    words: Counter[str] = field(default_factory=Counter)
    verbs: Counter[str] = field(default_factory=Counter)
    texts: int = 0

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Openings":
        """Count the openings of some texts."""
        found = cls()
        for text in texts:
            first, verb = opening(text)
            found.texts += 1
            if first:
                found.words[first] += 1
            if verb:
                found.verbs[verb] += 1
        return found


def most_common(counts: Counter[str], count: int) -> list[tuple[str, int]]:
    """The most common ones, ties in alphabetical order."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:count]
