"""Near-duplicates of any column of texts: proposed by MinHash bands, verified, decided in order.

Signatures and band keys come first, then buckets; only texts that share a bucket with another have
their shingle sets made, and only pairs whose exact Jaccard similarity reaches the threshold count.
Texts of fewer tokens than a shingle has are duplicates only of texts that are equal under
`imitation_data.normalize.normalized`.
"""

import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from imitation_data.dedup.clusters import chains, components, connect
from imitation_data.dedup.pairs import (
    MAP_WORDS,
    Candidates,
    copy_sets,
    draw_maps,
    lists,
    number_buckets,
    settle,
)
from imitation_data.dedup.shingling import Column, Shingling, in_order
from imitation_data.dedup.sketch import NearOptions, Sketch, StoredSets, Texts, joined, sketch

MEMORY = 1 << 30  # bytes of shingle sets; more of them lie in a file that is gone with the process


@dataclass(frozen=True)
class Work:
    """What it took.

    Attributes:
        candidates: texts that share a bucket with another.
        compared: pairs whose similarity was computed.
        capped: texts that had more to be compared with than `most_compared` allows.
        passed_over: pairs not compared for that.
        seconds: by stage. Never part of anything that is hashed.
    """

    candidates: int = 0
    compared: int = 0
    capped: int = 0
    passed_over: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Matches:
    """What was found about each of n texts.

    Attributes:
        options: what was asked.
        other: the kept text that each removed one loses to, the first in policy order, or -1;
            int64, (n,).
        similarity: exact Jaccard similarity to it, 1.0 for equal short texts; float64, (n,).
        short: texts of fewer tokens than a shingle has, bool, (n,).
            False for nulls, which are not compared.
        opening: the first kept text in policy order that begins alike, or -1; kept texts only.
        cluster: the first text of the cluster each is in, itself when alone; int64, (n,).
        work: what it took.
    """

    options: NearOptions
    other: NDArray[np.int64]
    similarity: NDArray[np.float64]
    short: NDArray[np.bool_]
    opening: NDArray[np.int64]
    cluster: NDArray[np.int64]
    work: Work
    _state: "_State"

    @property
    def kept(self) -> NDArray[np.int64]:
        """Indices of the texts that stay."""
        return np.flatnonzero(self.other < 0)

    @property
    def silent(self) -> NDArray[np.bool_]:
        """Which texts are null; they are compared with nothing and stay."""
        narrow = self._state.sketch
        return np.asarray((narrow.counts == 0) & ~narrow.equal.any(axis=0))

    @property
    def removed(self) -> NDArray[np.int64]:
        """Indices of the texts that go."""
        return np.flatnonzero(self.other >= 0)

    def closest_calls(self, count: int = 10) -> NDArray[np.int64]:
        """Indices of the removals nearest the threshold: the ones to read first."""
        gone = self.removed
        order = np.lexsort((self._state.rank[gone], self.similarity[gone]))
        return gone[order[:count]]

    def rethreshold(self, threshold: float, *, clusters: bool = True) -> "Matches":
        """What would have been decided at a higher threshold; no text is read again.

        Args:
            threshold: the same, or higher.
            clusters: whether to connect rows to clusters, too.

        Raises:
            ValueError: the threshold is lower, and pairs below the first were not looked for.
        """
        if threshold < self.options.threshold:
            raise ValueError(
                f"threshold is {threshold}; these matches were looked for at "
                f"{self.options.threshold}, so only that or more can be told"
            )
        options = replace(self.options, threshold=threshold)
        return _settled(self._state, options, clusters=clusters)


@dataclass(frozen=True)
class _State:
    """What decisions are made from: texts by rank, and the candidates among them."""

    sketch: Sketch
    order: NDArray[np.int64]
    rank: NDArray[np.int64]
    rows: NDArray[np.int64]  # of the candidates, in policy order
    given: Candidates
    fixed: NDArray[np.bool_]
    maps: NDArray[np.uint64]
    groups: list[NDArray[np.int64]]  # of candidates that can be decided about side by side
    seconds: dict[str, float]


def policy_order(texts: Iterable[pa.Array]) -> NDArray[np.int64]:
    """Longest text first, ties by the hash of the text, then by place; int64, (n,)."""
    lengths, digests = [np.zeros(0, np.int64)], [b""]
    for piece in texts:
        full = piece.fill_null("") if piece.null_count else piece
        lengths.append(pc.utf8_length(full).cast(pa.int64()).to_numpy(zero_copy_only=False))
        digests += [xxhash.xxh3_64_digest(text.encode()) for text in full.to_pylist()]
    length = np.concatenate(lengths)
    digest = np.frombuffer(b"".join(digests), ">u8")
    return np.lexsort((digest, -length)).astype(np.int64)


def find(
    texts: Iterable[pa.Array],
    options: NearOptions | None = None,
    *,
    order: NDArray[np.int64] | None = None,
    fixed: NDArray[np.bool_] | None = None,
    threads: int = 1,
) -> Matches:
    """Find near-duplicates in a column.

    Args:
        texts: an array, a chunked array, or arrays; strings of any kind.
        options: what counts.
        order: indices of all texts, those that stay first before the others; longest first when
            not given.
        fixed: texts that stay whatever they are like; the order names them first.
        threads: how many to use; the answer does not depend on it.
    """
    asked = options or NearOptions()
    started = time.perf_counter()
    column = Column(texts)
    sketches = [sketch(piece, asked, threads) for piece in column]
    empty = sketch(pa.array([], pa.string()), asked)
    seconds = {"signatures": time.perf_counter() - started}
    ranked = policy_order(column) if order is None else order
    narrow = joined([empty, *sketches])
    return match(narrow, column, asked, ranked, fixed=fixed, threads=threads, seconds=seconds)


def match(  # noqa: PLR0913 - what `find` has, after the sketch
    narrow: Sketch,
    texts: Texts,
    options: NearOptions,
    order: NDArray[np.int64],
    *,
    fixed: NDArray[np.bool_] | None = None,
    threads: int = 1,
    seconds: dict[str, float] | None = None,
) -> Matches:
    """Decide about texts that are sketched already; see `find`."""
    taken = dict(seconds or {})
    stays = np.zeros(len(narrow), bool) if fixed is None else fixed
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    started = time.perf_counter()
    ids, count = _buckets(narrow.keys, threads)
    shares = np.asarray((ids >= 0).any(axis=0))
    rows = order[shares[order]]
    buckets = np.ascontiguousarray(ids[:, rows].T)
    del ids
    first = np.zeros(count + 1, np.int64)
    np.cumsum(np.bincount(buckets[buckets >= 0], minlength=count), out=first[1:])
    taken["bands"] = time.perf_counter() - started
    started = time.perf_counter()
    sets, starts, sizes = _sets(narrow.counts, shares, texts, options.shingling, threads)
    given = Candidates(buckets, first, sets, starts[rows], sizes[rows], stays[rows])
    maps = np.zeros((len(rows), MAP_WORDS), np.uint64)
    cuts = np.linspace(0, len(rows), threads + 1).astype(int)
    in_order(lambda some: draw_maps(given, maps, *some), list(pairwise(cuts.tolist())), threads)
    taken["sets"] = time.perf_counter() - started
    groups = _groups(components(buckets, count), threads)
    state = _State(narrow, order, rank, rows, given, stays, maps, groups, taken)
    return _settled(state, options, clusters=True)


def _buckets(keys: NDArray[np.uint64], threads: int) -> tuple[NDArray[np.int32], int]:
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


def _groups(roots: NDArray[np.int64], threads: int) -> list[NDArray[np.int64]]:
    """Deal components to threads, the largest first to whoever has least; rows ascend."""
    sizes = np.bincount(roots, minlength=len(roots))
    load, owner = [0] * threads, np.zeros(len(roots), np.int64)
    for root in np.argsort(-sizes, kind="stable")[: int((sizes > 0).sum())].tolist():
        least = load.index(min(load))
        owner[root] = least
        load[least] += int(sizes[root])
    return [np.flatnonzero(owner[roots] == one) for one in range(threads)]


def _sets(
    counts: NDArray[np.int32],
    wanted: NDArray[np.bool_],
    texts: Texts,
    shingling: Shingling,
    threads: int,
) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int32]]:
    """The shingle sets of some texts, where each begins, and its size."""
    room = np.where(wanted, counts, 0).astype(np.int64)
    ends = np.cumsum(room)
    starts = np.where(wanted, ends - room, -1)
    sizes = np.zeros(len(counts), np.int32)
    total = int(ends[-1]) if len(ends) else 0
    sets = _memory(total)
    before = 0
    for piece in texts:
        some = slice(before, before + len(piece))
        before += len(piece)
        if isinstance(piece, StoredSets):
            copy_sets(piece.offsets, piece.shingles, starts[some], sizes[some], sets)
        elif wanted[some].any():
            shingling.sets(piece, starts[some], sizes[some], sets, threads)
    return sets, starts, sizes


def _memory(count: int) -> NDArray[np.uint64]:
    if 8 * count <= MEMORY:
        return np.empty(count, np.uint64)
    with tempfile.NamedTemporaryFile(prefix="imitation-sets-") as file:
        return np.memmap(file, np.uint64, "w+", shape=(count,))


def _settled(state: _State, options: NearOptions, *, clusters: bool) -> Matches:
    """Decide at a threshold."""
    taken = dict(state.seconds)
    count, given, rows = len(state.sketch), state.given, state.rows
    started = time.perf_counter()
    lost = np.full(len(rows), -1, np.int64)
    shared = np.zeros(len(rows), np.int32)
    roots = np.arange(len(rows))
    asked = (options.threshold, options.most_compared, lost, shared)
    own, chained = lists(given), chains(given)

    def decide(group: NDArray[np.int64]) -> tuple[int, int, int]:
        numbers = settle(group, given, state.maps, own, *asked)
        if clusters:
            connect(group, given, state.maps, chained, *asked, roots)
        return numbers

    numbers = in_order(decide, state.groups, len(state.groups))
    other = np.full(count, -1, np.int64)
    similarity = np.zeros(count)
    gone = np.flatnonzero(lost >= 0)
    other[rows[gone]] = rows[lost[gone]]
    sizes = given.sizes[gone].astype(np.int64) + given.sizes[lost[gone]] - shared[gone]
    similarity[rows[gone]] = shared[gone] / sizes
    equal = _equal(state)
    other = np.where(equal >= 0, equal, other)
    similarity[equal >= 0] = 1.0
    cluster = np.where(other >= 0, other, np.arange(count))
    cluster[rows] = rows[roots]
    opening = _openings(state, other)
    taken["verification"] = time.perf_counter() - started
    short = np.asarray((state.sketch.counts == 0) & state.sketch.equal.any(axis=0))
    compared, capped, passed_over = (sum(each) for each in zip(*numbers, strict=True))
    work = Work(len(rows), compared, capped, passed_over, taken)
    return Matches(options, other, similarity, short, opening, cluster, work, state)


def _equal(state: _State) -> NDArray[np.int64]:
    """For each short text the first equal one in policy order, or -1."""
    narrow = state.sketch
    stated = (narrow.counts == 0) & narrow.equal.any(axis=0)
    short = state.order[stated[state.order]]
    found = np.full(len(narrow), -1, np.int64)
    if len(short):
        _, first, place = np.unique(
            narrow.equal[:, short], axis=1, return_index=True, return_inverse=True
        )
        keeper = short[first[place.reshape(-1)]]
        found[short] = np.where(keeper == short, -1, keeper)
        found[state.fixed] = -1
    return found


def _openings(state: _State, other: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each kept text the first kept one in policy order that begins alike, or -1."""
    openings = state.sketch.openings
    rows = state.order[(openings[state.order] != 0) & (other[state.order] < 0)]
    found = np.full(len(openings), -1, np.int64)
    if len(rows):
        _, first, place = np.unique(openings[rows], return_index=True, return_inverse=True)
        keeper = rows[first[place.reshape(-1)]]
        found[rows] = np.where(keeper == rows, -1, keeper)
    return found
