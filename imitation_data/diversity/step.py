"""Diversity as a step of a recipe: it measures and drops nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.bleu.options import Direction
from imitation_data.bleu.tokenizers import Tokenizer
from imitation_data.dataset_step import Decision, Pair, Shown
from imitation_data.diversity.options import DiversityOptions
from imitation_data.identity import Identity, scrambled
from imitation_data.text.compared import On, compared

PAIRS = 10  # shown


@dataclass(frozen=True)
class MeasureDiversity:
    """Measure how alike rows are, as BLEU of each with the most similar other; drop nothing.

    The report shows the mean (the measure of "The False Promise of Imitating Proprietary LLMs"),
    the distribution, each source for itself, the most similar pairs, distinct n-grams, and how
    texts begin.

    Attributes:
        on: what is compared. `prompt`: the first user turn. `conversation`: all turns. `user`,
            `assistant`: all turns of that role.
        tokenizer: of sacrebleu: `13a`, `intl`, `zh`, `char` or `none`.
        direction: which text is the hypothesis: `query`, `corpus` (the other one) or `both`, the
            higher score.
        copies: whether texts with the same words count as others.
        limit: BLEU above which pairs are counted, 0 to 100.
        sample: how many texts are held against all others; 0 for all of them. The mean of a sample
            comes with a 95 % confidence interval.
        seed: of the sample.
    """

    on: On = "prompt"
    tokenizer: Tokenizer = "13a"
    direction: Direction = "query"
    copies: bool = True
    limit: float = 20.0
    sample: int = 0
    seed: int = 0

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if self.on not in get_args(On):
            raise ValueError(f"on is {self.on!r}; expected one of {get_args(On)}")
        _ = self.options

    @property
    def options(self) -> DiversityOptions:
        """The same for the measurement."""
        return DiversityOptions(
            self.tokenizer,
            self.direction,
            self.copies,
            self.limit,
            self.sample,
            self.seed,
        )

    def texts(self, table: pa.Table) -> pa.ChunkedArray:
        """The compared text of each row, null where there is none."""
        return compared(table.column("messages"), self.on)

    def sketch(self, table: pa.Table) -> dict[str, NDArray[Any]]:
        """Nothing: texts are read when all of them are there."""
        del table
        return {}

    def match(
        self,
        rows: Identity,
        sketches: Mapping[str, NDArray[Any]],
        texts: Iterable[pa.ChunkedArray],
        sources: Sequence[str],
        threads: int,
    ) -> Decision:
        """Measure; every row stays."""
        from imitation_data.dedup.near_report import differences  # noqa: PLC0415
        from imitation_data.diversity.measure import measure  # noqa: PLC0415 - loads the compiler
        from imitation_data.diversity.report import note, tables  # noqa: PLC0415

        del sketches
        luck = scrambled(rows, f"{self.seed}/diversity")
        found = measure(texts, self.options, luck, (rows.source, sources), threads)
        pairs = list(found.most_similar(PAIRS))
        other = np.full(len(rows), -1, np.int64)
        for row, with_, _ in pairs:
            other[row] = with_
        spans = differences(np.flatnonzero(other >= 0), other, texts)
        shown = [Pair(row, with_, f"BLEU {one:.1f}", spans[row]) for row, with_, one in pairs]
        nobody = np.full(len(rows), -1, np.int64)
        return Decision(
            reason="",
            limit="",
            drop=nobody >= 0,
            other=nobody,
            note=note(found, self.on),
            tables=tuple(tables(found, self.on)),
            shown=(Shown("Most similar pairs of different words", tuple(shown)),),
        )
