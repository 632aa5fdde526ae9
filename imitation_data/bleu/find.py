"""Highest sentence BLEU, and all pairs above a limit, over columns of texts."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.bleu.index import Index
from imitation_data.bleu.options import BleuOptions
from imitation_data.bleu.score import NOTHING
from imitation_data.bleu.search import Corpus, above, nearest
from imitation_data.bleu.tokenizers import Tokenizer
from imitation_data.bleu.vocabulary import Vocabulary
from imitation_data.text.column import in_order

BATCH, EXPANDED = 256, 64  # queries a thread takes at a time
IDENTICAL = 100.0
NEARLY = 1e-9  # scores so close are one score
PLAIN = BleuOptions()


class Pairs(NamedTuple):
    """Pairs of texts.

    Attributes:
        queries: places among the queries, int64, (n,).
        others: places among the corpus, int64, (n,).
        scores: sentence BLEU of each, 0 to 100, float64, (n,).
    """

    queries: NDArray[np.int64]
    others: NDArray[np.int64]
    scores: NDArray[np.float64]


class Nearest(NamedTuple):
    """The most similar text for each query.

    Attributes:
        scores: highest sentence BLEU, 0 to 100, float64, (n,); 0 where no text shares a word.
        others: the text of the corpus that has it, the first among equals; -1 where none shares a
            word; int64, (n,).
    """

    scores: NDArray[np.float64]
    others: NDArray[np.int64]


class Bleu:
    """Texts ready to be compared.

    Args:
        corpus: arrays of strings, or one; nulls count as empty.
        queries: the same; None to hold each text of the corpus against all the others.
        options: what a score is.

    Attributes:
        numbered: the words of the corpus.

    Raises:
        TypeError: something else than strings is among the texts.
        ValueError: there is no such tokenizer.
        StepError: a text is not UTF-8.
    """

    def __init__(
        self,
        corpus: Iterable[pa.Array],
        queries: Iterable[pa.Array] | None = None,
        options: BleuOptions = PLAIN,
    ) -> None:
        self.options = options
        words = Vocabulary(options.tokenizer)
        ours = words.numbered(corpus)
        theirs = None if queries is None else words.numbered(queries, grow=False)
        self.numbered = ours
        self._index = Index.of(ours, theirs)
        self._alone = queries is None

    @cached_property
    def _corpus(self) -> Corpus:
        index = self._index
        forms = index.corpus
        kinds, kind = np.unique(index.lengths[: len(forms.first)], return_inverse=True)
        logs = np.log(np.maximum(np.arange(int(index.lengths.max(initial=0)) + 2), 1))
        return Corpus(*index.grams, index.lengths, forms.first, kind.astype(np.int32), kinds, logs)

    @property
    def words(self) -> NDArray[np.int64]:
        """How many words each query has, int64, (n,)."""
        index = self._index
        return index.lengths[index.base :][index.queries.of]

    def nearest(self, threads: int = 1, only: NDArray[np.int64] | slice = slice(None)) -> Nearest:
        """Find the most similar text for each query.

        Args:
            threads: how many to use; the answer does not depend on it.
            only: places of the queries that are meant, all of them by default.
        """
        index = self._index
        count = len(index.queries.first)
        # A copy has the highest score there is; what could equal it is looked for all the same.
        scores = np.where(self._copied, 0.0, NOTHING)
        others = np.full(count, -1, np.int64)

        form = index.queries.of[only]
        rows = np.unique(form).astype(np.int64)

        def work(batch: tuple[int, int]) -> None:
            some = rows[slice(*batch)]
            for reverse in self.options.reversals:
                nearest(self._corpus, some, index.base, reverse, self._twins, scores, others)

        in_order(work, _batches(len(rows)), threads)
        nobody = len(index.corpus.of)
        found = np.append(index.corpus.first, nobody)[others][form]
        copied = np.flatnonzero(self._copied[form])
        found[copied] = np.minimum(found[copied], self._copies()[only][copied])
        found[found == nobody] = -1
        return Nearest(100 * np.exp(scores[form]), found)

    def above(self, limit: float, threads: int = 1) -> Iterator[Pairs]:
        """Find all pairs above a score, a batch at a time, by query and then by text.

        With both directions, a pair has the higher of its two scores. A score within 1e-9 of the
        limit is not above it.

        Args:
            limit: BLEU, 0 to 100.
            threads: how many to use; the answer does not depend on it.
        """
        of = self._index.queries.of

        def work(batch: tuple[int, int]) -> Pairs:
            rows = np.arange(*batch)
            return self._expanded(self._pairs(of[rows].astype(np.int64), limit), rows, limit)

        batches = _batches(len(of), EXPANDED)
        for first in range(0, len(batches), threads):
            yield from in_order(work, batches[first : first + threads], threads)

    def count_above(
        self, limit: float, threads: int = 1, only: NDArray[np.int64] | slice = slice(None)
    ) -> NDArray[np.int64]:
        """Count for each query the texts above a score, as `above` finds them; int64, (n,)."""
        index = self._index
        forms, sizes = index.queries, index.corpus.texts
        counts = np.zeros(len(forms.first), np.int64)
        rows = np.unique(forms.of[only]).astype(np.int64)

        def work(batch: tuple[int, int]) -> None:
            some = rows[slice(*batch)]
            pairs = self._pairs(some, limit)
            np.add.at(counts, some[pairs.queries], sizes[pairs.others])

        in_order(work, _batches(len(rows)), threads)
        if limit < IDENTICAL:
            counts += np.where(self._copied, forms.texts - 1, 0)
        return counts[forms.of[only]]

    @cached_property
    def _twins(self) -> NDArray[np.int64]:
        """For each form of the queries, the form of the corpus that it is not held against."""
        left_out = self._alone or not self.options.copies
        return self._index.twins if left_out else np.full(len(self._index.twins), -1)

    @cached_property
    def _copied(self) -> NDArray[np.bool_]:
        """Forms that several texts of a corpus have that is held against itself; not empty ones."""
        index = self._index
        if not (self._alone and self.options.copies):
            return np.zeros(len(index.queries.first), bool)
        return np.asarray((index.corpus.texts > 1) & (index.lengths > 0))

    @cached_property
    def _members(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The texts of the corpus by form, and where those of each form begin."""
        forms = self._index.corpus
        heads = np.concatenate([[0], np.cumsum(forms.texts)])
        return np.argsort(forms.of, kind="stable"), heads

    def _copies(self) -> NDArray[np.int64]:
        """For each text the first other one of its form, or whatever comes next where none is."""
        forms = self._index.corpus
        texts, heads = self._members
        second = texts[np.minimum(heads[:-1] + 1, len(texts) - 1)]
        first = forms.first[forms.of]
        return np.where(first == np.arange(len(first)), second[forms.of], first)

    def _pairs(self, rows: NDArray[np.int64], limit: float) -> Pairs:
        """Pairs of forms, without copies; queries by their place in `rows`."""
        index, least = self._index, np.log(max(limit, NEARLY) / 100)
        found = [
            above(self._corpus, rows, index.base, reverse, self._twins, least)
            for reverse in self.options.reversals
        ]
        one, two, scores = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.lexsort((-scores, two, one))
        one, two, scores = one[order].astype(np.int64), two[order].astype(np.int64), scores[order]
        new = np.ones(len(one), bool)
        new[1:] = (np.diff(one) != 0) | (np.diff(two) != 0)
        return Pairs(one[new], two[new], 100 * np.exp(scores[new]))

    def _expanded(self, pairs: Pairs, rows: NDArray[np.int64], limit: float) -> Pairs:
        """From pairs of places in `rows` and forms to pairs of texts, copies among them."""
        index, (texts, heads) = self._index, self._members
        copied = np.flatnonzero(self._copied[index.queries.of[rows]] & (limit < IDENTICAL))
        same = index.queries.of[rows[copied]]
        places = np.concatenate([pairs.queries, copied])
        forms = np.concatenate([pairs.others, same])
        scores = np.concatenate([pairs.scores, np.full(len(copied), IDENTICAL)])
        sizes = index.corpus.texts[forms]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        queries = rows[np.repeat(places, sizes)]
        others, scores = texts[np.repeat(heads[forms], sizes) + within], np.repeat(scores, sizes)
        meant = (queries != others) if self._alone else np.ones(len(queries), bool)
        order = np.lexsort((others[meant], queries[meant]))
        return Pairs(*(array[meant][order] for array in (queries, others, scores)))


def sentence_bleu(hypothesis: str, reference: str, tokenizer: Tokenizer = "13a") -> float:
    """Sentence BLEU of one text against another, 0 to 100."""
    texts = Bleu([pa.array([reference])], [pa.array([hypothesis])], BleuOptions(tokenizer))
    return float(texts.nearest().scores[0])


def _batches(count: int, size: int = BATCH) -> list[tuple[int, int]]:
    return [(first, min(count, first + size)) for first in range(0, count, size)]
