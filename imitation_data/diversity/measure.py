"""The paper's measure of diversity: BLEU of each text with the most similar other one.

"The False Promise of Imitating Proprietary LLMs" (Gudibande et al. 2023) reports its mean, 8 % for
ShareGPT's queries against 61 % for Super-NaturalInstructions. Low means diverse. The paper states
neither tokenizer nor direction; here they are options, and BLEU is sacrebleu's. Beside it stands
distinct-n (Li et al. 2016): distinct n-grams divided by all.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats

from imitation_data.bleu.find import Bleu
from imitation_data.bleu.index import distinct
from imitation_data.diversity.openings import Openings
from imitation_data.diversity.options import DiversityOptions
from imitation_data.text.column import Column, pieces_with, strings

BINS = 10  # of the distribution, of 10 BLEU each
SAME = 100 - 1e-9  # a text with the same words, or with its words in nearly the same order
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spread:
    """Highest BLEU with another text, over some texts.

    Attributes:
        name: of the source, or nothing for all.
        texts: how many texts there are.
        scores: of those that were held against the others, ascending.
    """

    name: str
    texts: int
    scores: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """The paper's figure, 0 to 100; NaN without texts."""
        return float(self.scores.mean()) if len(self.scores) else np.nan

    @property
    def median(self) -> float:
        """Half of the texts score less; NaN without texts."""
        return self.quantile(0.5)

    def quantile(self, share: float) -> float:
        """The score that a share of the texts does not pass; NaN without texts."""
        return float(np.quantile(self.scores, share)) if len(self.scores) else np.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Where the mean of all texts lies with 95 % confidence; the mean itself where exact.

        Student's t, for a sample drawn without replacement.
        """
        count = len(self.scores)
        if count == self.texts or count < 2:  # noqa: PLR2004 - no spread of one
            return self.mean, self.mean
        left = (1 - count / self.texts) / count
        wide = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1) * self.scores.std(ddof=1))
        return self.mean - wide * left**0.5, self.mean + wide * left**0.5

    def histogram(self) -> list[int]:
        """Texts in each tenth of the scale, those with the same words as another one in a last."""
        cuts = [*np.linspace(0, 100, BINS + 1)[:-1], SAME, np.inf]
        return [int(count) for count in np.histogram(self.scores, cuts)[0]]


@dataclass(frozen=True)
class Diversity:
    """How alike texts are.

    Attributes:
        options: what was measured.
        rows: how many rows there were, also those without words.
        compared: rows that were held against all others; ascending, int64.
        scores: highest BLEU of each with another, float64.
        others: the row it is with, int64; -1 where no other shares a word.
        above: other texts above the limit, of each; int64.
        spread: over all of them.
        within: the same within each source, where there are several.
        distinct: distinct and all n-grams, orders 1 to 4.
        openings: how texts begin.
    """

    options: DiversityOptions
    rows: int
    compared: NDArray[np.int64]
    scores: NDArray[np.float64]
    others: NDArray[np.int64]
    above: NDArray[np.int64]
    spread: Spread
    within: tuple[Spread, ...]
    distinct: tuple[tuple[int, int], ...]
    openings: Openings

    @property
    def exact(self) -> bool:
        """Whether all texts were held against the others."""
        return len(self.compared) == self.spread.texts

    @property
    def pairs_above(self) -> int:
        """Pairs of a text and another one above the limit; of a sample, what it lets expect."""
        share = self.spread.texts / len(self.compared) if len(self.compared) else 0
        return round(int(self.above.sum()) * share)

    @property
    def pairs(self) -> int:
        """All pairs of a text and another one."""
        return self.spread.texts * (self.spread.texts - 1)

    def most_similar(self, count: int) -> Iterator[tuple[int, int, float]]:
        """Pairs of highest BLEU that are not of the same words, each once, as rows and score."""
        known = set()
        order = np.lexsort((self.compared, -self.scores))
        for place in order[self.scores[order] < SAME].tolist():
            row, other = int(self.compared[place]), int(self.others[place])
            if other < 0 or (other, row) in known:
                continue
            known.add((row, other))
            yield row, other, float(self.scores[place])
            if len(known) == count:
                return


def measure(
    texts: Iterable[pa.Array],
    options: DiversityOptions,
    luck: NDArray[np.uint64],
    sources: tuple[NDArray[np.int16], Sequence[str]],
    threads: int = 1,
) -> Diversity:
    """Measure the diversity of texts.

    Args:
        texts: arrays of strings, gone through twice; null where a row has no text. Rows without a
            word are not measured.
        options: what to measure.
        luck: a random number of each row; those with the lowest are the sample.
        sources: of each row, and their names.
        threads: how many to use; the answer does not depend on it.

    Raises:
        TypeError: something else than strings is among the texts.
        StepError: a text is not UTF-8.
    """
    column = Column(texts)
    bleu = Bleu(column, options=options.bleu)
    rows = np.flatnonzero(bleu.words > 0)
    chosen = rows
    if 0 < options.sample < len(rows):
        chosen = np.sort(rows[np.argsort(luck[rows], kind="stable")[: options.sample]])
    found = bleu.nearest(threads, chosen)
    above = bleu.count_above(options.limit, threads, chosen)
    counted = tuple(distinct(bleu.numbered))
    del bleu
    whole = Spread("", len(rows), np.sort(found.scores))
    spoken = (text for piece in column for text in strings(piece, np.arange(len(piece))))
    return Diversity(
        options=options,
        rows=len(luck),
        compared=chosen,
        scores=found.scores,
        others=found.others,
        above=above,
        spread=whole,
        within=tuple(_within(column, options, (rows, chosen), sources, threads)),
        distinct=counted,
        openings=Openings.of(text for text in spoken if text),
    )


def _within(
    column: Column,
    options: DiversityOptions,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    sources: tuple[NDArray[np.int16], Sequence[str]],
    threads: int,
) -> Iterator[Spread]:
    """The same of each source alone; `rows` are all with words, and those that are compared."""
    of, names = sources
    there = np.unique(of[rows[0]]).tolist()
    for source in there if len(there) > 1 else ():
        mine = rows[0][of[rows[0]] == source]
        chosen = np.isin(mine, rows[1], assume_unique=True)
        some = [piece.take(pa.array(places)) for places, piece in pieces_with(column, mine)]
        scores = Bleu(some, options=options.bleu).nearest(threads, np.flatnonzero(chosen)).scores
        yield Spread(names[source], len(mine), np.sort(scores))
