"""Near-duplicates as a step of a recipe."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.dataset_step import Decision
from imitation_data.dedup.bands import Scheme, banding, check_signature
from imitation_data.dedup.policy import policy_order, source_ranks
from imitation_data.errors import StepError
from imitation_data.identity import Identity
from imitation_data.text.compared import On, compared

if TYPE_CHECKING:
    from imitation_data.dedup.sketch import NearOptions

Keep = Literal["longest", "earliest", "best"]


@dataclass(frozen=True)
class NearDedup:
    """Drop rows whose shingles are those of a row that stays, up to a verified threshold.

    Rows are taken in policy order: source priority, then `keep`, ties by id, a hash of the origin,
    and part. A row goes if and only if its exact Jaccard similarity with a row already kept reaches
    the threshold, so nothing is chained, a second pass finds nothing, and the answer does not
    depend on the order of the input. Texts of fewer than `ngram` tokens go only when they are
    equal. Rows without the compared turns stay.

    Attributes:
        on: what is compared. `conversation`: all turns. `prompt`: the first user turn. `user`,
            `assistant`: all turns of that role.
        threshold: the least Jaccard similarity of the sets of shingles.
        ngram: tokens in a shingle: words, or characters of scripts without spaces.
        priority: source names, the one whose rows stay first; the others follow in recipe order.
        keep: which of several rows of one source stays: the `longest` conversation, the `earliest`
            (lowest `by`) or the `best` (highest `by`). Rows without a value come last.
        by: `tokens`, or `meta.NAME` for a number or an ISO date that the reader kept.
        recall: wanted probability that a pair right at the threshold is compared at all.
        what_if: other thresholds; the report says how many rows the higher ones would drop.
        permutations: minima in a signature.
        seed: of the permutations.
        scheme: `poly64`, or `xxh32` for signatures that datasketch can read.
        most_compared: rows that one row is compared with, those most like it first.
    """

    on: On = "conversation"
    threshold: float = 0.7
    ngram: int = 5
    priority: tuple[str, ...] = ()
    keep: Keep = "longest"
    by: str = ""
    recall: float = 0.985
    what_if: tuple[float, ...] = (0.8, 0.9)
    permutations: int = 128
    seed: int = 1
    scheme: Scheme = "poly64"
    most_compared: int = 256

    REVISION: ClassVar[int] = 1
    LIBRARIES: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name, known in (("on", get_args(On)), ("keep", get_args(Keep))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}; expected one of {known}")
        if (self.keep == "longest") != (not self.by):
            raise ValueError(
                f"keep is {self.keep!r} and by is {self.by!r}; earliest and best need by"
            )
        if self.by and self.by != "tokens" and not self.by.startswith("meta."):
            raise ValueError(f"by is {self.by!r}; expected tokens or meta.NAME")
        if wrong := [value for value in self.what_if if not 0 < value <= 1]:
            raise ValueError(f"what_if has {wrong[0]}; expected above 0 and up to 1")
        if self.most_compared < 1:
            raise ValueError(f"most_compared is {self.most_compared}; expected 1 or more")
        check_signature(self.ngram, self.permutations, self.seed, self.scheme)
        banding(self.threshold, self.recall, self.permutations)

    @property
    def options(self) -> "NearOptions":
        """The same for the search."""
        from imitation_data.dedup.shingling import Shingling  # noqa: PLC0415
        from imitation_data.dedup.sketch import NearOptions  # noqa: PLC0415 - loads the compiler

        shingling = Shingling(self.ngram, self.permutations, self.seed, self.scheme)
        return NearOptions(self.threshold, self.recall, self.most_compared, shingling)

    def texts(self, table: pa.Table) -> pa.ChunkedArray:
        """The compared text of each row, null where there is none."""
        return compared(table.column("messages"), self.on)

    def sketch(self, table: pa.Table) -> dict[str, NDArray[Any]]:
        """The narrow columns that candidates are found by, and the value that decides who stays."""
        from imitation_data.dedup.sketch import sketch  # noqa: PLC0415 - loads the compiler

        texts = self.texts(table).combine_chunks()
        columns: dict[str, NDArray[Any]] = dict(sketch(texts, self.options)._asdict())
        if self.by:
            columns["by"] = _values(table, self.by)
        return columns

    def match(
        self,
        rows: Identity,
        sketches: Mapping[str, NDArray[Any]],
        texts: Iterable[pa.ChunkedArray],
        sources: Sequence[str],
        threads: int,
    ) -> Decision:
        """Drop every row that reaches the threshold with a kept one."""
        from imitation_data.dedup.near import match  # noqa: PLC0415 - loads the compiler
        from imitation_data.dedup.near_report import Findings  # noqa: PLC0415
        from imitation_data.dedup.sketch import Sketch  # noqa: PLC0415
        from imitation_data.text.column import Column  # noqa: PLC0415

        value = sketches.get("by", rows.characters).astype(np.float64)
        if (without := int(np.isnan(value).sum())) and without == len(value):
            raise StepError(
                f"near_dedup: {self.by} is a number or an ISO date in none of {without:,} rows; "
                "name tokens, or what the reader keeps in meta"
            )
        sign = 1 if self.keep == "earliest" else -1
        preference = np.where(np.isnan(value), np.inf, sign * value)
        order = policy_order(rows, source_ranks(self.priority, sources), preference)
        narrow = Sketch(*(sketches[name] for name in Sketch._fields))
        pieces = Column(texts)
        found = match(narrow, pieces, self.options, order, threads=threads)
        told = Findings(found, order, pieces)
        return Decision(
            reason=f"near_duplicate_{self.on}",
            limit=f"similarity {self.threshold:g} of {self.ngram}-token shingles of {self.on}",
            drop=found.other >= 0,
            other=found.other,
            found=told.words(),
            evidence=told.evidence,
            note=told.note() + (f"; {without:,} rows without {self.by}" if without else ""),
            tables=tuple(told.tables(self.what_if)),
            shown=tuple(told.shown()),
        )


def _values(table: pa.Table, by: str) -> NDArray[np.float64]:
    """A number of each row: the token count, or a key of `meta`; NaN where there is none."""
    if by == "tokens":
        counted = table.column("tokens").cast(pa.float64()).fill_null(np.nan)
        return np.asarray(counted.to_numpy(), np.float64)
    name = by.removeprefix("meta.")
    found = (orjson.loads(meta).get(name) for meta in table.column("meta").to_pylist())
    return np.array([number_of(value) for value in found], np.float64)


def number_of(value: object) -> float:
    """A number as it is, an ISO date or time as seconds since 1970, anything else NaN."""
    if isinstance(value, bool) or value is None:
        return np.nan
    if isinstance(value, date):  # a datetime is one, too
        value = value.isoformat()
    if isinstance(value, str) and "-" in value[1:]:
        try:
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            pass  # perhaps 1e-3
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return np.nan
    return number if np.isfinite(number) else np.nan
