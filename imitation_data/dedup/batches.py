"""Candidates in batches that fit in memory: whole components, with their shingle sets."""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from imitation_data.dedup.clusters import components
from imitation_data.dedup.pairs import (
    Candidates,
    copy_sets,
    draw_maps,
    number_buckets,
    renumber,
)
from imitation_data.dedup.shingling import Shingling
from imitation_data.dedup.sketch import Sketch, StoredSets, Texts
from imitation_data.text.column import in_order
from imitation_data.text.simd import MAP_WORDS

MEMORY = 1 << 29  # bytes of shingle sets at a time


@dataclass(frozen=True)
class Batch:
    """Candidates that share buckets with each other only.

    Attributes:
        rows: which texts they are, in policy order.
        given: their buckets and sets; a candidate is its place in `rows`.
        maps: their bitmaps.
        groups: places that can be decided about side by side.
    """

    rows: NDArray[np.int64]
    given: Candidates
    maps: NDArray[np.uint64]
    groups: list[NDArray[np.int64]]


class Proposals:
    """Texts that share a bucket with another one.

    Args:
        narrow: the sketch of all texts; its band keys are not needed afterwards.
        order: the policy order.
        fixed: texts that stay whatever they are like.
        texts: gone through once for every batch.
        shingling: how texts become sets.
        threads: how many to use.

    Attributes:
        rows: the candidates, in policy order.
        seconds: time taken by stage so far.
    """

    def __init__(
        self,
        narrow: Sketch,
        order: NDArray[np.int64],
        fixed: NDArray[np.bool_],
        texts: Texts,
        shingling: Shingling,
        threads: int,
    ) -> None:
        started = time.perf_counter()
        self._counts, self._fixed, self._texts = narrow.counts, fixed, texts
        self._shingling, self._threads = shingling, threads
        ids, count = _numbered(narrow.keys, threads)
        ranked = order[np.asarray((ids >= 0).any(axis=0))[order]]
        roots = components(np.ascontiguousarray(ids[:, ranked].T), count)
        together = np.argsort(roots, kind="stable")
        self.rows, self._roots = ranked[together], roots[together]
        self._buckets = np.ascontiguousarray(ids[:, self.rows].T)
        self._count = count
        self._whole: Batch | None = None
        self._sets = np.empty(0, np.uint64)
        self.seconds = {"bands": time.perf_counter() - started, "sets": 0.0}

    def batches(self) -> Iterator[Batch]:
        """Yield all candidates; a batch is good until the next one is asked for."""
        if self._whole is not None:
            yield self._whole
            return
        room = self._counts[self.rows].astype(np.int64)
        sizes = np.bincount(self._roots, room, len(self.rows))
        number = ((np.cumsum(sizes) - sizes) * 8 // MEMORY).astype(np.int64)[self._roots]
        for one in np.unique(number):
            started = time.perf_counter()
            batch = self._batch(np.flatnonzero(number == one))
            self.seconds["sets"] += time.perf_counter() - started
            if len(batch.rows) == len(self.rows):
                self._whole = batch
            yield batch

    def _batch(self, places: NDArray[np.int64]) -> Batch:
        rows, buckets, count = self.rows[places], self._buckets[places], self._count
        if len(places) < len(self.rows):
            count = renumber(buckets, np.full(count, -1, np.int32))
        first = np.zeros(count + 1, np.int64)
        np.cumsum(np.bincount(buckets[buckets >= 0], minlength=count), out=first[1:])
        starts, sizes = self._fill(rows)
        given = Candidates(buckets, first, self._sets, starts[rows], sizes[rows], self._fixed[rows])
        maps = np.zeros((len(rows), MAP_WORDS), np.uint64)
        cuts = np.linspace(0, len(rows), self._threads + 1).astype(int).tolist()
        in_order(lambda some: draw_maps(given, maps, *some), list(pairwise(cuts)), self._threads)
        _, roots = np.unique(self._roots[places], return_inverse=True)
        return Batch(rows, given, maps, _dealt(roots.reshape(-1), self._threads))

    def _fill(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Make the sets of some texts; where each begins in `_sets`, and its size, by text."""
        ends = np.cumsum(self._counts[rows], dtype=np.int64)
        starts, sizes = (
            np.full(len(self._counts), -1, np.int64),
            np.zeros(len(self._counts), np.int32),
        )
        starts[rows] = ends - self._counts[rows]
        if len(self._sets) < (total := int(ends[-1])):
            self._sets = _memory(total)
        before = 0
        for piece in self._texts:
            some = slice(before, before + len(piece))
            before += len(piece)
            if not (starts[some] >= 0).any():
                continue
            if isinstance(piece, StoredSets):
                copy_sets(piece.offsets, piece.shingles, starts[some], sizes[some], self._sets)
            else:
                self._shingling.sets(piece, starts[some], sizes[some], self._sets, self._threads)
        return starts, sizes


def _numbered(keys: NDArray[np.uint32], threads: int) -> tuple[NDArray[np.int32], int]:
    """Number the buckets of all bands that hold several texts."""
    ids = np.empty(keys.shape, np.int32)

    def one(band: int) -> int:
        return int(number_buckets(keys[band], ids[band]))

    found = in_order(one, range(len(keys)), threads)
    before = 0
    for band, count in enumerate(found):
        np.add(ids[band], before, out=ids[band], where=ids[band] >= 0)
        before += count
    return ids, before


def _dealt(roots: NDArray[np.int64], threads: int) -> list[NDArray[np.int64]]:
    """Deal components to threads, the largest first to whoever has least; places ascend."""
    sizes = np.bincount(roots)
    load, owner = [0] * threads, np.zeros(len(sizes), np.int64)
    for root in np.argsort(-sizes, kind="stable").tolist():
        least = load.index(min(load))
        owner[root] = least
        load[least] += int(sizes[root])
    return [np.flatnonzero(owner[roots] == one) for one in range(threads)]


def _memory(count: int) -> NDArray[np.uint64]:
    """Room for shingles; where one component alone needs much, in a file that is gone later."""
    if 8 * count <= 4 * MEMORY:
        return np.empty(count, np.uint64)
    with tempfile.NamedTemporaryFile(prefix="imitation-sets-") as file:
        return np.memmap(file, np.uint64, "w+", shape=(count,))
