"""Benchmark items found in texts, each with what stands there."""

import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.leakage.benchmarks import Benchmark, Item
from imitation_data.leakage.probes import NEVER, ProbeSet, desk_for, hashed
from imitation_data.leakage.scan import EXACT, read_rows
from imitation_data.leakage.words import Desk
from imitation_data.normalize import normalized
from imitation_data.text.column import Buffers, Column, buffers_of, in_order, pieces, strings, taken

_ROW, _PROBE, _START, _STOP, _WHOLE, _ANSWER, _ROLE = range(7)
_MARKS = "\x01\x02\x03"  # of roles, see `imitation_data.text.compared`
_DENSE = "\u0e00-\u0eff\u1780-\u17ff\u2e80-\U0003ffff"
_PIECE = re.compile(rf"[{_MARKS}{_DENSE}]|[^\s{_MARKS}{_DENSE}]+")


@dataclass(frozen=True)
class Leaks:
    """Items found in rows: by row, then by item, each pair once.

    Attributes:
        row: int64.
        item: place among the items of all benchmarks, int64.
        score: float64; from 0 to 1, with an answer beside it up to 0.2 more; 1.5 for an item that a
            turn ends with, word for word, and 2 for one that is all of a turn.
        coverage: weight of the item's words that agree, 0 to 1, float64.
        whole: whether the item stands there word for word, bool.
        answer: words of its answer that stand near it, int64.
        role: of the turn it begins in, from 1 in the order of ROLES, 0 where unknown; int64.
        span: words of the row, from and before; int64, (n, 2).
        squeezed: whether words were told apart by white space alone, bool.
        probe: which of the item's probes it was, int64.
    """

    row: NDArray[np.int64]
    item: NDArray[np.int64]
    score: NDArray[np.float64]
    coverage: NDArray[np.float64]
    whole: NDArray[np.bool_]
    answer: NDArray[np.int64]
    role: NDArray[np.int64]
    span: NDArray[np.int64]
    squeezed: NDArray[np.bool_]
    probe: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def only(self, keep: NDArray[np.bool_]) -> "Leaks":
        """Some of them."""
        return Leaks(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


class _Desk(threading.local):
    """One thread's working memory; it grows and is used again."""

    def __init__(self) -> None:
        self._longest = 0
        self._desk = desk_for(0)

    def sized(self, longest: int) -> Desk:
        """Working memory for texts of so many bytes."""
        if longest > self._longest:
            self._longest = max(longest, 1 << 16)
            self._desk = desk_for(self._longest)
        return self._desk


_DESK = _Desk()


class Leakage:
    """Benchmarks ready to be looked for.

    Args:
        benchmarks: which; items are numbered through all of them.
    """

    def __init__(self, benchmarks: Sequence[Benchmark]) -> None:
        self.benchmarks = tuple(benchmarks)
        self.items: tuple[Item, ...] = tuple(
            item for benchmark in benchmarks for item in benchmark.items
        )
        self.of = np.repeat(
            np.arange(len(benchmarks)), [len(benchmark.items) for benchmark in benchmarks]
        )
        self._sets = (ProbeSet.of(benchmarks), ProbeSet.of(benchmarks, squeezed=True))

    @cached_property
    def unseeable(self) -> dict[int, str]:
        """Items that cannot be found, by number, and why."""
        one, two = (probes.unseeable() for probes in self._sets)
        return {item: why for item, why in one.items() if item in two}

    @cached_property
    def exact_only(self) -> NDArray[np.bool_]:
        """Items that are found only where they are all of a turn: they tell too little."""
        least = np.full(len(self.items), NEVER)
        for probes in self._sets:
            np.minimum.at(least, probes.probes.item, probes.probes.limit)
        return np.asarray((least >= EXACT) & (least < NEVER))

    def find(
        self,
        texts: Iterable[pa.Array],
        threads: int = 1,
        without: NDArray[np.int64] | None = None,
    ) -> Leaks:
        """Find items in texts.

        Args:
            texts: conversations as `imitation_data.text.compared` joins them, or any texts; nulls
                count as empty.
            threads: how many to use; the answer does not depend on it.
            without: an item of each row that is not looked for in it, or -1.

        Raises:
            TypeError: something else than strings is among the texts.
            StepError: a text is not UTF-8.
        """
        found: list[NDArray[np.float64]] = [np.zeros((0, 10))]
        before = 0
        for array in Column(texts):
            buffers = buffers_of(array)
            left_out = np.full(len(array), -1) if without is None else without[before:]
            tasks = [
                _Task(
                    array,
                    Buffers(buffers.text, buffers.offsets[rows.start : rows.stop + 1]),
                    rows.start,
                    left_out[rows],
                )
                for rows in pieces(buffers.offsets)
            ]
            for part in in_order(self._piece, tasks, threads):
                part[:, _ROW] += before
                found.append(part)
            before += len(array)
        return _leaks(np.concatenate(found), self._sets)

    def _piece(self, task: "_Task") -> NDArray[np.float64]:
        """The finds of one piece, under both views: seven numbers, two scores, and the view."""
        found: list[NDArray[np.float64]] = []
        rows = np.arange(len(task.without))
        for view, probes in enumerate(self._sets):
            again = _read(task.piece, probes, task.without, found, (rows + task.first, view, False))
            if again.any():
                some = rows[again]
                texts = strings(task.array, task.first + some)
                lines = pa.array([_lines(text or "") for text in texts], pa.large_string())
                told = (some + task.first, view, True)
                _read(buffers_of(lines), probes, task.without[some], found, told)
        return np.concatenate(found)

    def spans(self, leaks: Leaks, texts: Iterable[pa.Array]) -> list[tuple[int, int]]:
        """Where each leak stands in its row's text, in characters, from and before."""
        rows = np.unique(leaks.row)
        known = {row: text or "" for row, text in taken(Column(texts), rows).items()}
        found = [(0, 0)] * len(leaks)
        for view, probes in enumerate(self._sets):
            mine = np.flatnonzero(leaks.squeezed == bool(view))
            some = np.unique(leaks.row[mine]).tolist()
            cut = {row: [match.span() for match in _PIECE.finditer(known[row])] for row in some}
            words = [known[row][a:b] for row in some for a, b in cut[row]]
            counts = np.diff(hashed(words, probes.view)[1])
            parts = np.split(counts, np.cumsum([len(cut[row]) for row in some]))
            ends = {row: np.cumsum(part) for row, part in zip(some, parts, strict=False)}
            for one in mine.tolist():
                row = int(leaks.row[one])
                first = int(np.searchsorted(ends[row], leaks.span[one, 0], "right"))
                last = int(np.searchsorted(ends[row], leaks.span[one, 1], "left"))
                bounds = cut[row]
                found[one] = bounds[first][0], bounds[min(last, len(bounds) - 1)][1]
        return found


@dataclass(frozen=True)
class _Task:
    """One piece of a column: its first row, and an item of each row that is not looked for."""

    array: pa.Array
    piece: Buffers
    first: int
    without: NDArray[np.int64]


def _read(
    piece: Buffers,
    probes: ProbeSet,
    without: NDArray[np.int64],
    found: list[NDArray[np.float64]],
    told: tuple[NDArray[np.int64], int, bool],
) -> NDArray[np.bool_]:
    """Add the finds of some rows; return which must be normalised first.

    Args:
        piece: the rows.
        probes: what is looked for.
        without: an item of each row that is not.
        found: added to.
        told: places of the rows, the view, and whether they were normalised.
    """
    places, view, ready = told
    again = np.zeros(len(piece.offsets) - 1, bool)
    desk = _DESK.sized(int(np.diff(piece.offsets).max(initial=0)))
    numbers, scores = read_rows(*piece, probes.view, probes.probes, desk, ready, without, again)
    numbers[:, _ROW] = places[numbers[:, _ROW]]
    seen = np.full((len(numbers), 1), view)
    found.append(np.hstack([numbers, scores, seen]).astype(np.float64))
    return again


def _lines(text: str) -> str:
    return "\n".join(map(normalized, text.split("\n")))


def _leaks(told: NDArray[np.float64], sets: Sequence[ProbeSet]) -> Leaks:
    """The best find of each item in each row."""
    numbers = told[:, :7].astype(np.int64)
    squeezed = told[:, 9] > 0
    item = sets[0].probes.item[numbers[:, _PROBE]]  # both views have the same probes
    row = numbers[:, _ROW]
    order = np.lexsort((numbers[:, _PROBE], squeezed, -told[:, 7], item, row))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(row[order]) != 0) | (np.diff(item[order]) != 0)
    best = order[first]
    return Leaks(
        row[best],
        item[best],
        told[best, 7],
        told[best, 8],
        numbers[best, _WHOLE] > 0,
        numbers[best, _ANSWER],
        numbers[best, _ROLE],
        numbers[best][:, [_START, _STOP]],
        squeezed[best],
        numbers[best, _PROBE],
    )
