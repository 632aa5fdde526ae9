"""What a report says of near-duplicates: how alike, where they differ, and what to look at."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from imitation_data.dataset_step import Pair, Shown, Table
from imitation_data.dedup.evidence import difference
from imitation_data.dedup.near import Matches
from imitation_data.dedup.short import alike
from imitation_data.text.column import taken
from imitation_data.text.compared import readable

CALLS = 10  # pairs shown of each kind
FEW = 1000  # rows whose texts are read without looking at their size first
GATHERED = 1 << 28  # bytes of text held at a time for evidence


class Findings:
    """Matches, with the texts they were found in.

    Args:
        found: what was decided.
        order: the policy order.
        texts: the texts, gone through as often as needed.
        roles: whether control characters in them stand for roles.
    """

    def __init__(
        self,
        found: Matches,
        order: NDArray[np.int64],
        texts: Iterable[pa.Array],
        *,
        roles: bool = True,
    ) -> None:
        self._found, self._order, self._texts, self._roles = found, order, texts, roles

    @cached_property
    def evidence(self) -> list[str]:
        """Where each removed text differs from the one it lost to; empty for the others."""
        found = self._found
        return differences(found.removed, found.other, self._texts, roles=self._roles)

    @cached_property
    def short_and_alike(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Kept short texts that are spelled like another one, that one, and how alike they are."""
        return alike(self._found, self._order, self._texts)

    def words(self) -> list[str]:
        """How alike each removed text and the one it lost to are; empty for the others."""
        found = self._found
        words = [""] * len(found.other)
        for row in found.removed.tolist():
            words[row] = f"similarity {found.similarity[row]:.3f}"
            if found.short[row]:
                words[row] = "equal text"
        return words

    def note(self) -> str:
        """How it was looked for, in a line; says when a limit was met."""
        bands, work = self._found.banding, self._found.work
        words = (
            f"{bands.bands} bands of {bands.rows}; {work.candidates:,} candidates, "
            f"{work.compared:,} pairs compared"
        )
        if work.capped:
            words += (
                f"; {work.capped:,} rows had more than {self._found.options.most_compared:,} "
                f"others to be compared with, {work.passed_over:,} pairs were passed over"
            )
        return words

    def tables(self, what_if: Sequence[float]) -> Iterator[Table]:
        """The detection curve, other thresholds, and what else was seen."""
        found = self._found
        curve = found.banding.curve()[1:]
        rows = [(f"{at:.2f}", f"{100 * chance:.1f} %") for at, chance in curve]
        bars = tuple(round(100 * chance, 2) for _, chance in curve)
        title = "Pairs that are found, by their similarity"
        yield Table(title, ("Similarity", "Found"), tuple(rows), bars)
        rows = [(f"{found.options.threshold:g}", f"{len(found.removed):,}")]
        for value in sorted(set(what_if)):
            if value > found.options.threshold:
                gone = found.rethreshold(value, clusters=False).removed
                rows.append((f"{value:g}", f"{len(gone):,}"))
        yield Table("Rows dropped at other thresholds", ("Threshold", "Dropped"), tuple(rows))
        sizes = np.bincount(found.cluster, minlength=1)
        kinds = (
            ("clusters of rows connected by such pairs", f"{int((sizes > 1).sum()):,}"),
            ("rows in the largest cluster", f"{int(sizes.max(initial=0)):,}"),
            ("short rows, compared for equality only", f"{int(found.short.sum()):,}"),
            ("kept rows that begin like another one", f"{int((found.opening >= 0).sum()):,}"),
        )
        yield Table("What else was seen", ("", "Count"), kinds)

    def shown(self) -> Iterator[Shown]:
        """The closest calls, texts that begin alike, and short texts that are alike."""
        found = self._found
        calls = found.closest_calls(CALLS)
        spans = self.evidence
        pairs = [
            Pair(row, int(found.other[row]), f"similarity {found.similarity[row]:.3f}", spans[row])
            for row in calls.tolist()
        ]
        yield Shown("Closest calls: dropped, nearest the threshold", tuple(pairs))
        begin = self._order[found.opening[self._order] >= 0][:CALLS]
        yield self._pairs("Kept, though they begin alike", begin, found.opening, {})
        rows, other, similarity = self.short_and_alike
        nearest = np.lexsort((rows, -similarity))[:CALLS]
        like = np.full(len(found.other), -1, np.int64)
        like[rows] = other
        words = {int(rows[at]): f"characters {similarity[at]:.3f} alike" for at in nearest}
        yield self._pairs("Kept, though short and alike", rows[nearest], like, words)

    def _pairs(
        self,
        title: str,
        rows: NDArray[np.int64],
        other: NDArray[np.int64],
        words: Mapping[int, str],
    ) -> Shown:
        spans = differences(rows, other, self._texts, roles=self._roles) if len(rows) else []
        pairs = [
            Pair(row, int(other[row]), words.get(row, ""), spans[row]) for row in rows.tolist()
        ]
        return Shown(title, tuple(pairs))


def differences(
    rows: NDArray[np.int64],
    other: NDArray[np.int64],
    texts: Iterable[pa.Array],
    *,
    roles: bool = True,
) -> list[str]:
    """Where some rows differ from their other row; empty for the rest."""
    found = [""] * len(other)
    for some, known in gathered(rows, other, texts):
        for row in some.tolist():
            mine, theirs = known[row], known[int(other[row])]
            if mine is not None and theirs is not None:  # an index holds no texts
                span = difference(mine, theirs)
                found[row] = readable(span) if roles else span
    return found


def gathered(
    rows: NDArray[np.int64], other: NDArray[np.int64], texts: Iterable[pa.Array]
) -> Iterator[tuple[NDArray[np.int64], dict[int, str | None]]]:
    """Go through rows in groups, with the texts of each and of its other row at hand."""
    if len(rows) <= FEW:
        yield rows, taken(texts, np.unique(np.concatenate([rows, other[rows]])))
        return
    sizes = [pc.binary_length(piece).fill_null(0).to_numpy() for piece in texts]
    size = np.concatenate(sizes).astype(np.int64)
    group = np.cumsum(size[rows] + size[other[rows]]) // GATHERED
    for number in np.unique(group):
        some = rows[group == number]
        yield some, taken(texts, np.unique(np.concatenate([some, other[some]])))
