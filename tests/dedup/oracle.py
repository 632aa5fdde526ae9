"""Near-duplicates the slow and obvious way: what the kernels must equal."""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import combinations, islice
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from imitation_data.normalize import normalized
from imitation_data.text.characters import ALONE, NOTHING, WORD, kind_of
from tests.conftest import SHARED

Shingle = tuple[str, ...]
kind = cache(kind_of)


def tokens(text: str) -> list[str]:
    """Words, and characters that stand alone, of the normalised text."""
    found, word = [], ""
    for character in normalized(text):
        if kind(ord(character)) == WORD:
            word += character
        elif kind(ord(character)) != NOTHING:
            found += [word] if word else []
            found += [character] if kind(ord(character)) == ALONE else []
            word = ""
    return [*found, word] if word else found


def shingles(text: str, ngram: int) -> list[Shingle]:
    """Every run of so many tokens, repeats included."""
    cut = tokens(text)
    return [tuple(cut[at : at + ngram]) for at in range(len(cut) - ngram + 1)]


def jaccard(one: set[Shingle], two: set[Shingle]) -> float:
    """Of all shingles, the share that both have."""
    return len(one & two) / len(one | two)


class Answer(NamedTuple):
    """What becomes of each text; `other` is -1 for those that stay."""

    other: list[int]
    similarity: list[float]
    cluster: list[int]


def decide(
    texts: Sequence[str | None],
    order: Iterable[int],
    threshold: float,
    ngram: int,
    fixed: frozenset[int] = frozenset(),
) -> Answer:
    """Compare every text with every kept one before it; connect every pair that is like.

    Texts of fewer tokens than a shingle has are like those that are equal when normalised, and a
    text that is null is like none.
    """
    texts = [
        text if text and text.translate({1: "", 2: "", 3: ""}).strip() else None for text in texts
    ]
    sets = [None if text is None else set(shingles(text, ngram)) for text in texts]
    plain = [None if text is None else normalized(text) for text in texts]
    order = list(order)

    def alike(one: int, two: int) -> float:
        if sets[one] is None or sets[two] is None or bool(sets[one]) != bool(sets[two]):
            return 0.0
        if not sets[one]:
            return float(plain[one] == plain[two])
        return jaccard(sets[one], sets[two])

    other, similarity = [-1] * len(texts), [0.0] * len(texts)
    kept: list[int] = []
    for row in order:
        for before in kept if row not in fixed else ():
            if (found := alike(row, before)) >= threshold:
                other[row], similarity[row] = before, found
                break
        else:
            kept.append(row)
    pairs = [pair for pair in combinations(order, 2) if alike(*pair) >= threshold]
    return Answer(other, similarity, connected(len(texts), order, pairs))


def connected(count: int, order: Iterable[int], pairs: Iterable[tuple[int, int]]) -> list[int]:
    """For each of `count` rows the first in order of all that pairs connect it with."""
    cluster = list(range(count))
    rank = {row: place for place, row in enumerate(order)}
    members = {row: [row] for row in cluster}
    for one, two in pairs:
        first, second = sorted((cluster[one], cluster[two]), key=rank.__getitem__)
        if first != second:
            members[first] += members[second]
            for row in members.pop(second):
                cluster[row] = first
    return cluster


class Likeness(NamedTuple):
    """Pairs of rows with a Jaccard similarity of at least so much; the lower row first."""

    one: np.ndarray
    two: np.ndarray
    similarity: np.ndarray


def all_pairs(texts: Sequence[str], ngram: int, threshold: float) -> Likeness:
    """Compare every text with every other, through the shingles that texts share."""
    number: dict[Shingle, int] = {}
    sets = [
        [number.setdefault(one, len(number)) for one in set(shingles(text, ngram))]
        for text in texts
    ]
    sizes = np.array([len(one) for one in sets], np.int64)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    columns = np.array([one for row in sets for one in row], np.int64)
    has = sp.csr_matrix(
        (np.ones(len(columns), np.int32), columns, ends), (len(texts), max(1, len(number)))
    )
    also = has.T.tocsr()
    found = []
    for first in range(0, len(texts), 500):
        both = (has[first : first + 500] @ also).tocoo()
        one, two, shared = both.row + first, both.col, both.data.astype(np.int64)
        similarity = shared / (sizes[one] + sizes[two] - shared)
        wanted = (one < two) & (similarity >= threshold)
        found.append((one[wanted], two[wanted], similarity[wanted]))
    return Likeness(*(np.concatenate(part) for part in zip(*found, strict=True)))


def real_texts(count: int) -> list[str]:
    """Texts as people and models wrote them: English, templated and Chinese, in equal parts."""
    alpaca = json.loads((SHARED / "data/alpaca/alpaca_data.json").read_text(encoding="utf-8"))
    found = [f"{one['instruction']}\n{one['input']}\n{one['output']}" for one in alpaca]
    found = found[: count - 2 * (count // 3)]
    for name, text_of in (("p3", _p3), ("smile_zh", _smile)):
        with (SHARED / f"data/{name}.jsonl").open(encoding="utf-8") as lines:
            found += [text_of(json.loads(line)) for line in islice(lines, count // 3)]
    return found


def _p3(one: dict[str, str]) -> str:
    return f"{one['prompt']}\n{one['completion']}"


def _smile(one: dict[str, list[dict[str, str]]]) -> str:
    return "\n".join(turn["content"] for turn in one["dialog"])
