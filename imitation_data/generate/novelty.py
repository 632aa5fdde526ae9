"""The novelty gate of Self-Instruct: exact ROUGE-L against all texts accepted so far.

Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries", as the package `rouge_score`
computes it without a stemmer. Pairs whose lengths or shared tokens rule a higher score out are not
aligned.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_ROUGE = re.compile(r"[a-z0-9]+")
_WORDS = re.compile(r"[^\W_]+")
_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_SLACK = 1e-9  # more than float rounding takes from an F-measure


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a text.

    Attributes:
        accepted: whether it joined.
        score: of a rejected text, its highest F-measure; 0 for an accepted one.
        nearest: the accepted text that has it, the first of several; -1 for an accepted one.
    """

    accepted: bool
    score: float = 0.0
    nearest: int = -1


class Novelty:
    """Accepts texts that are unlike all accepted before.

    Args:
        limit: F-measure above which a text is rejected.
        tokens: `rouge` for ROUGE's own tokens, of ASCII letters and digits; `any` takes words of
            any script where these are less than half of a text's letters and digits.

    Raises:
        ValueError: the limit is not between 0 and 1.
    """

    def __init__(self, limit: float = 0.7, *, tokens: Literal["any", "rouge"] = "any") -> None:
        if not 0 <= limit <= 1:
            raise ValueError(f"limit is {limit}; expected 0 to 1")
        self._limit, self._any = limit, tokens == "any"
        self._texts: list[list[str]] = []
        self._holding: dict[tuple[str, int], list[int]] = defaultdict(list)
        self._bare: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, texts: Sequence[str]) -> None:
        """Accept texts without judging them."""
        for text in texts:
            self._accept(text, self._tokens(text))

    def offer(self, texts: Sequence[str]) -> list[Verdict]:
        """Judge texts one after the other; each that is accepted counts for the next."""
        verdicts = []
        for text in texts:
            tokens = self._tokens(text)
            verdict = self._nearest(text, tokens)
            if verdict.accepted:
                self._accept(text, tokens)
            verdicts.append(verdict)
        return verdicts

    def _accept(self, text: str, tokens: list[str]) -> None:
        number = len(self._texts)
        self._texts.append(tokens)
        for element in _elements(tokens):
            self._holding[element].append(number)
        if not tokens:
            self._bare.setdefault(text.strip(), number)

    def _tokens(self, text: str) -> list[str]:
        lower = text.lower()
        found = _ROUGE.findall(lower)
        if not self._any or lower.isascii():
            return found
        letters = sum(char.isalnum() for char in lower)
        if 2 * sum(map(len, found)) >= letters > 0:
            return found
        composed = unicodedata.normalize("NFC", lower)
        return _WORDS.findall(_SPACELESS.sub(r" \g<0> ", composed))

    def _nearest(self, text: str, tokens: list[str]) -> Verdict:
        if not tokens:
            same = self._bare.get(text.strip(), -1) if self._any else -1
            return Verdict(same < 0, float(same >= 0), same)
        shared: Counter[int] = Counter()
        elements = _elements(tokens)
        for element in elements:
            shared.update(self._holding.get(element, ()))
        best, nearest = self._limit, -1
        for number in sorted(shared):
            other = self._texts[number]
            if 2 * shared[number] / (len(tokens) + len(other)) < best - _SLACK:
                continue
            score = _f_measure(_lcs(tokens, other), len(other), len(tokens))
            if score > best:
                best, nearest = score, number
        return Verdict(nearest < 0, best if nearest >= 0 else 0.0, nearest)


def _elements(tokens: list[str]) -> list[tuple[str, int]]:
    """Tokens with the number of their occurrence, so that a multiset is a set."""
    seen: Counter[str] = Counter()
    found = []
    for token in tokens:
        found.append((token, seen[token]))
        seen[token] += 1
    return found


def _lcs(one: list[str], two: list[str]) -> int:
    """Length of the longest common subsequence, a column in one number (Hyyrö 2004)."""
    places: dict[str, int] = defaultdict(int)
    for place, token in enumerate(one):
        places[token] |= 1 << place
    mask = (1 << len(one)) - 1
    column = mask
    for token in two:
        matched = column & places.get(token, 0)
        column = ((column + matched) | (column - matched)) & mask
    return len(one) - column.bit_count()


def _f_measure(common: int, accepted: int, offered: int) -> float:
    """F-measure in the operations and the order of `rouge_score`."""
    precision, recall = common / accepted, common / offered
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0
