"""Texts as what BLEU sees of them: distinct sequences of words, and their n-grams."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imitation_data.bleu.grams import (
    NONE,
    ORDERS,
    collect,
    gathered,
    invert,
    keys_of,
    number,
    repeats,
    same,
)
from imitation_data.bleu.vocabulary import Numbered


class Grams(NamedTuple):
    """The n-grams of texts, and the texts of the corpus by n-gram; those of all orders together.

    Attributes:
        heads: where each text's set begins in `members`, and the last ends; int64, (4, n + 1).
        members: numbers of n-grams, int32; no two orders share a number.
        first: where the texts that hold each n-gram begin in `holders`, and the last's end; int64.
        holders: texts of the corpus, ascending, int32.
    """

    heads: NDArray[np.int64]
    members: NDArray[np.int32]
    first: NDArray[np.int64]
    holders: NDArray[np.int32]


@dataclass(frozen=True)
class Forms:
    """Texts of one side without those whose words are the same as another's.

    Attributes:
        of: the form of each text, int32.
        first: the first text of each form, int64; forms stand in the order of their length.
        texts: how many there are of each, int64.
    """

    of: NDArray[np.int32]
    first: NDArray[np.int64]
    texts: NDArray[np.int64]

    @classmethod
    def among(cls, texts: Numbered) -> "Forms":
        """Find the forms."""
        of = np.empty(len(texts.starts) - 1, np.int32)
        first = same(texts.ids, texts.starts, of)
        order = np.argsort(np.diff(texts.starts)[first], kind="stable")
        rank = np.empty(len(first), np.int32)
        rank[order] = np.arange(len(first))
        of = rank[of]
        return cls(of, first[order], np.bincount(of, minlength=len(first)))


@dataclass(frozen=True)
class Index:
    """What the search needs.

    Attributes:
        corpus, queries: forms; the same object where a corpus is held against itself.
        twins: for each form of the queries the same one of the corpus, -1 where there is none.
        lengths: words of each form, of the corpus and then of the queries; int64.
        grams: for a corpus against itself those in two forms or more, else those on both sides.
    """

    corpus: Forms
    queries: Forms
    twins: NDArray[np.int64]
    lengths: NDArray[np.int64]
    grams: Grams

    @property
    def base(self) -> int:
        """Where the queries begin among all forms."""
        return 0 if self.queries is self.corpus else len(self.corpus.first)

    @classmethod
    def of(cls, corpus: Numbered, queries: Numbered | None = None) -> "Index":
        """Index a corpus for the queries, or for itself."""
        forms = Forms.among(corpus)
        theirs = forms if queries is None else Forms.among(queries)
        sides = [(corpus, forms)] if queries is None else [(corpus, forms), (queries, theirs)]
        texts = _joined(sides)
        count = len(forms.first)
        twins = np.arange(count) if queries is None else _twins(texts, count)
        return cls(forms, theirs, twins, np.diff(texts.starts), _grams(texts, count))


def _joined(sides: Sequence[tuple[Numbered, Forms]]) -> Numbered:
    """The forms of all sides, one after the other."""
    lengths = [np.diff(texts.starts)[forms.first] for texts, forms in sides]
    parts = []
    for (texts, forms), sizes in zip(sides, lengths, strict=True):
        part = np.empty(int(sizes.sum()), np.int32)
        gathered(texts.ids, texts.starts, forms.first, part)
        parts.append(part)
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    return Numbered(np.concatenate(parts), starts)


def _twins(texts: Numbered, corpus: int) -> NDArray[np.int64]:
    """The form of the corpus that is the same as each that follows, or -1."""
    of = np.empty(len(texts.starts) - 1, np.int32)
    first = same(texts.ids, texts.starts, of)[of[corpus:]]
    return np.where(first < corpus, first, -1)


def _grams(texts: Numbered, corpus: int) -> Grams:
    """The n-grams of all orders; one that does not count is in none that does."""
    ids, starts = texts
    keys = np.empty(len(ids), np.uint64)
    heads = np.empty((ORDERS, len(starts)), np.int64)
    members: list[NDArray[np.int32]] = []
    holders: list[NDArray[np.int32]] = []
    first = [np.zeros(1, np.int64)]
    for order in range(1, ORDERS + 1):
        keys_of(ids, starts, order, keys)
        now = np.empty(len(ids), np.int32)
        known = number(keys, starts, corpus, False, now)  # noqa: FBT003
        ids = now
        more, again = np.full(len(ids), NONE, np.int32), 0
        if repeats(ids, starts, known, keys):
            again = number(keys, starts, corpus, False, more)  # noqa: FBT003
        mine = np.empty(int((ids >= 0).sum()), np.int32)
        collect(ids, keys, more, known, starts, heads[order - 1], mine)
        mine = mine[: heads[order - 1, -1]].copy()
        where, held = np.empty(known + again + 1, np.int64), np.empty(len(mine), np.int32)
        invert(heads[order - 1], mine, corpus, where, held)
        heads[order - 1] += sum(len(one) for one in members)
        members.append(mine + np.int32(sum(len(one) for one in first) - 1))
        first.append(where[1:] + sum(len(one) for one in holders))
        holders.append(held[: where[-1]].copy())
    return Grams(heads, np.concatenate(members), np.concatenate(first), np.concatenate(holders))


def distinct(texts: Numbered) -> list[tuple[int, int]]:
    """Distinct and all n-grams of each order, from 1 to 4, over all texts."""
    ids, starts = texts
    keys = np.empty(len(ids), np.uint64)
    found = []
    for order in range(1, ORDERS + 1):
        total = keys_of(ids, starts, order, keys)
        now = np.empty(len(ids), np.int32)
        found.append((number(keys, starts, len(starts) - 1, True, now), total))  # noqa: FBT003
        ids = now
    return found
