"""A check of rows against benchmarks: what was found, what could be seen, in words and tables."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.bleu.find import Bleu
from imitation_data.bleu.options import BleuOptions
from imitation_data.conversation import ROLES
from imitation_data.dataset_step import Mask, Table
from imitation_data.leakage.certificate import Sight, certify
from imitation_data.leakage.find import Leakage, Leaks
from imitation_data.text.column import Column, strings, taken
from imitation_data.text.compared import readable

ROWS = 1000  # real ones that items are planted into
SHOWN = 240  # characters of a span or an item
_USER = chr(ROLES.index("user") + 1)
_TURNS = [chr(place + 1) for place in range(len(ROLES))]


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        leakage: what was looked for.
        rows: how many rows were read.
        leaks: items found by coverage.
        spans: what stands there, one a leak.
        places: where, in characters of the row's text, from and before.
        bleu: rows whose prompt has a BLEU above the limit with an item, that item, and the score.
        limit: that limit, 0 where BLEU was not asked for.
        sights: the certificate; empty where it was not asked for.
        planted: real rows that items were planted into.
    """

    leakage: Leakage
    rows: int
    leaks: Leaks
    spans: Sequence[str]
    places: Sequence[tuple[int, int]]
    bleu: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
    limit: float
    sights: tuple[Sight, ...]
    planted: int

    @cached_property
    def flagged(self) -> NDArray[np.bool_]:
        """Rows that hold an item, (rows, benchmarks)."""
        found = np.zeros((self.rows, len(self.leakage.benchmarks)), bool)
        for rows, items in ((self.leaks.row, self.leaks.item), self.bleu[:2]):
            found[rows, self.leakage.of[items]] = True
        return found

    def touched(self, number: int, rows: NDArray[np.bool_] | None = None) -> list[str]:
        """Ids of a benchmark's items that stand in some row, in the benchmark's order."""
        where = np.concatenate([self.leaks.row, self.bleu[0]])
        items = np.concatenate([self.leaks.item, self.bleu[1]])
        items = np.unique(items if rows is None else items[rows[where]])
        mine = items[self.leakage.of[items] == number]
        return [self.leakage.items[item].id for item in mine.tolist()]

    def acts(self, on: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Which leaks something is done about: by score, then by benchmark."""
        of = self.leakage.of[self.leaks.item]
        return np.where(self.leaks.whole, on["word_for_word"][of], on["coverage"][of])

    def told(
        self, dropping: Mapping[str, NDArray[np.bool_]]
    ) -> tuple[NDArray[np.bool_], list[str], list[str]]:
        """Which rows go, what was found in each of them, and what stands there.

        Args:
            dropping: by score, the benchmarks for which rows go; bool, one a benchmark.
        """
        words, spans = [""] * self.rows, [""] * self.rows
        goes = self.acts(dropping)
        for leak in np.lexsort((self.leaks.item, -self.leaks.score, self.leaks.row)).tolist():
            row = int(self.leaks.row[leak])
            if not words[row] and goes[leak]:
                words[row], spans[row] = self.found(leak), self.spans[leak]
        best = np.lexsort((self.bleu[1], -self.bleu[2], self.bleu[0]))
        for row, item, score in zip(*(one[best].tolist() for one in self.bleu), strict=True):
            if not words[row] and dropping["bleu"][self.leakage.of[item]]:
                words[row] = f"{self._called(item)} BLEU {score:.1f}"
        return np.array([bool(one) for one in words], bool), words, spans

    def masks(
        self, masking: Mapping[str, NDArray[np.bool_]], gone: NDArray[np.bool_]
    ) -> Iterator[Mask]:
        """What is replaced in rows that stay, by row; spans that touch are one."""
        leaks = np.flatnonzero(self.acts(masking) & ~gone[self.leaks.row])
        for row in np.unique(self.leaks.row[leaks]).tolist():
            mine = leaks[self.leaks.row[leaks] == row].tolist()
            spans: list[tuple[int, int]] = []
            for start, stop in sorted(self.places[leak] for leak in mine):
                if spans and start <= spans[-1][1]:
                    spans[-1] = spans[-1][0], max(stop, spans[-1][1])
                else:
                    spans.append((start, stop))
            found = "; ".join(self.found(leak) for leak in mine)
            yield Mask(row, tuple(spans), found, self.spans[mine[0]])

    def note(self) -> str:
        """How many rows hold items, on one line."""
        told = [
            f"{name} {one['touched_items']:,} of {one['items']:,} items in "
            f"{one['flagged_rows']:,} rows"
            for name, one in self.summary().items()
        ]
        return "; ".join(told)

    def _called(self, item: int) -> str:
        benchmark = self.leakage.benchmarks[int(self.leakage.of[item])]
        return f"{benchmark.name}/{self.leakage.items[item].id}"

    def evidence(self, leak: int) -> str:
        """What stands in the row, beside the item."""
        item = self.leakage.items[int(self.leaks.item[leak])]
        return f"[{_short(self.spans[leak])}|{_short(item.question)}]"

    def found(self, leak: int) -> str:
        """What was found, in a few words."""
        leaks = self.leaks
        words = self._called(int(leaks.item[leak]))
        words += " word for word" if leaks.whole[leak] else f" covered {leaks.coverage[leak]:.2f}"
        return words + (", answer beside it" if leaks.answer[leak] else "")

    def touched_json(
        self, stays: NDArray[np.bool_] | None = None, masked: Collection[int] = ()
    ) -> dict[str, Any]:
        """What `leakage.json` holds: items that stand in rows, to be left out of a score.

        Args:
            stays: rows that stay; items of the others are listed as removed. All stay by default.
            masked: rows of which what was found is replaced; listed as removed, too.
        """
        if stays is not None:
            stays = stays & ~np.isin(np.arange(self.rows), list(masked))
        told = {}
        for number, one in enumerate(self.leakage.benchmarks):
            touched = self.touched(number, stays)
            gone = [item for item in self.touched(number) if item not in set(touched)]
            told[one.name] = {
                "title": one.title,
                "license": one.license,
                "origin": one.origin,
                "checksum": one.checksum,
                "items": len(one.items),
                "touched": touched,
                "removed": gone,
            }
        return {"format": 1, "benchmarks": told}

    def summary(self) -> dict[str, Any]:
        """Figures of each benchmark as plain values."""
        return {
            one.name: self._summary(number) for number, one in enumerate(self.leakage.benchmarks)
        }

    def _summary(self, number: int) -> dict[str, Any]:
        one, leakage = self.leakage.benchmarks[number], self.leakage
        mine = leakage.of[self.leaks.item] == number
        unseeable = [item for item in leakage.unseeable if leakage.of[item] == number]
        facts: dict[str, Any] = {
            "title": one.title,
            "license": one.license,
            "origin": one.origin,
            "checksum": one.checksum,
            "items": len(one.items),
            "unseeable": len(unseeable),
            "exact_turn_only": int(leakage.exact_only[leakage.of == number].sum()),
            "touched_items": len(self.touched(number)),
            "flagged_rows": int(self.flagged[:, number].sum()),
            "word_for_word": len(np.unique(self.leaks.row[mine & self.leaks.whole])),
            "roles": {
                role: len(np.unique(self.leaks.row[mine & (self.leaks.role == place)]))
                for place, role in enumerate(ROLES, start=1)
            },
        }
        if self.limit:
            rows, items, _ = self.bleu
            facts["bleu_rows"] = len(np.unique(rows[leakage.of[items] == number]))
        if self.sights:
            sight = self.sights[number]
            facts["certificate"] = {
                "recall": {name: round(value, 6) for name, value in sight.recall.items()},
                "false_flags": round(sight.false_flags, 6),
                "control": sight.control,
                "planted_into": self.planted,
                "unseeable": dict(sight.unseeable),
            }
        return facts

    def tables(self) -> Iterator[Table]:
        """What a report and the card show."""
        facts = self.summary()
        yield Table(
            "Benchmarks looked for",
            ("Benchmark", "Items", "Cannot be seen", "Touched items", "Flagged rows", "Checksum"),
            [
                (
                    f"{name} ({one['origin']})",
                    f"{one['items']:,}",
                    f"{one['unseeable']:,}",
                    f"{one['touched_items']:,}",
                    f"{one['flagged_rows']:,}",
                    one["checksum"],
                )
                for name, one in facts.items()
            ],
            card=True,
        )
        if self.sights:
            yield certificate_table(self.sights)


def certificate_table(sights: Sequence[Sight]) -> Table:
    """Recall by the way in which items were planted, and false flags."""
    ways = list(dict.fromkeys(way for sight in sights for way in sight.recall))
    header = ("Benchmark", *(way.replace("_", " ") for way in ways), "false flags")
    rows = [
        (
            sight.benchmark,
            *(f"{100 * sight.recall[way]:.1f} %" if way in sight.recall else "" for way in ways),
            f"{100 * sight.false_flags:.2f} % of {sight.control:,}",
        )
        for sight in sights
    ]
    return Table("Certificate: recall of items planted into these rows", header, rows, card=True)


@dataclass(frozen=True)
class Check:
    """How rows are checked.

    Attributes:
        bleu: BLEU of a prompt with an item, 0 to 100, above which the row is flagged, too; 0 for
            not looking.
        certificate: whether recall is measured.
        seed: of what is planted where.
    """

    bleu: float = 0.0
    certificate: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.bleu < 100:  # noqa: PLR2004 - percent
            raise ValueError(f"bleu is {self.bleu:g}; expected 0 (not looked at) to 100")

    def run(
        self,
        leakage: Leakage,
        texts: Iterable[pa.Array],
        luck: NDArray[np.uint64],
        threads: int = 1,
    ) -> Checked:
        """Check rows.

        Args:
            leakage: what is looked for.
            texts: conversations as `imitation_data.text.compared` joins them, or any texts; gone
                through several times.
            luck: a random number of each row; items are planted into those with the lowest.
            threads: how many to use; the answer does not depend on it.
        """
        column = Column(texts)
        leaks = leakage.find(column, threads)
        bleu = _bleu(leakage, column, self.bleu, threads)
        some = taken(column, np.unique(leaks.row))
        spans = leakage.spans(leaks, column)
        shown = [
            readable((some[row] or "")[start:stop])
            for row, (start, stop) in zip(leaks.row.tolist(), spans, strict=True)
        ]
        sights: tuple[Sight, ...] = ()
        clean = np.setdiff1d(np.arange(len(luck)), leaks.row)
        chosen = np.sort(clean[np.argsort(luck[clean], kind="stable")[:ROWS]])
        if self.certificate:
            into = [text or "" for text in taken(column, chosen).values()]
            sights = certify(leakage, into, self.seed, threads)
        return Checked(
            leakage, len(luck), leaks, shown, spans, bleu, self.bleu, sights, len(chosen)
        )


def _bleu(
    leakage: Leakage, column: Column, limit: float, threads: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows whose first user turn has a BLEU above the limit with an item."""
    if not limit or not leakage.items:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    items = pa.array([item.question for item in leakage.items], pa.large_string())
    prompts = (_prompts(piece) for piece in column)
    pairs = list(Bleu(items, prompts, BleuOptions(direction="both")).above(limit, threads))
    rows, others, scores = zip(*pairs, strict=True) if pairs else ((), (), ())
    none = np.zeros(0, np.int64)
    return (
        np.concatenate([none, *rows]),
        np.concatenate([none, *others]),
        np.concatenate([np.zeros(0), *scores]),
    )


def _prompts(piece: pa.Array) -> pa.Array:
    """The first user turn of each conversation, or all of a text without turns."""
    found = []
    for text in strings(piece, np.arange(len(piece))):
        turns = text or ""
        if turns[:1] in _TURNS:
            turns = turns.partition(_USER)[2]
            turns = turns[: min((at for at in map(turns.find, _TURNS) if at >= 0), default=None)]
        found.append(turns)
    return pa.array(found, pa.large_string())


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
