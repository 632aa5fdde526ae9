"""Near-duplicates of any column of texts: proposed by MinHash bands, verified, decided in order.

Signatures and band keys come first, then buckets; only texts that share a bucket with another have
their shingle sets made, and only pairs whose exact Jaccard similarity reaches the threshold count.
Texts of fewer tokens than a shingle has are duplicates only of texts that are equal under
`imitation_data.normalize.normalized`.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from numpy.typing import NDArray

from imitation_data.dedup.bands import Banding
from imitation_data.dedup.batches import Batch, Proposals
from imitation_data.dedup.clusters import chains, connect
from imitation_data.dedup.pairs import lists, settle
from imitation_data.dedup.sketch import NearOptions, Sketch, Texts, joined, sketch
from imitation_data.text.column import Column, in_order

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
        cluster: the first text of the cluster each is in, itself when alone; int64, (n,). Fixed
            texts are not compared with each other.
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
    def banding(self) -> Banding:
        """The bands by which pairs were proposed, also after `rethreshold`."""
        return self._state.banding

    @property
    def kept(self) -> NDArray[np.int64]:
        """Indices of the texts that stay."""
        return np.flatnonzero(self.other < 0)

    @property
    def silent(self) -> NDArray[np.bool_]:
        """Which texts are null or blank; they are compared with nothing and stay."""
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
        """What would have been decided at a higher threshold; nothing is signed again.

        Texts are read again only where the shingle sets of all candidates do not fit in memory.

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
    fixed: NDArray[np.bool_]
    banding: Banding
    proposals: Proposals
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
    seconds = {"signatures": time.perf_counter() - started}
    ranked = policy_order(column) if order is None else order
    narrow = joined(sketches or [sketch(pa.array([], pa.string()), asked)])
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
    stays = np.zeros(len(narrow.counts), bool) if fixed is None else fixed
    _refuse_order(order, stays, len(narrow.counts))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    found = Proposals(narrow, order, stays, texts, options.shingling, threads)
    light = narrow._replace(keys=narrow.keys[:0])
    state = _State(light, order, rank, stays, options.banding, found, dict(seconds or {}))
    return _settled(state, options, clusters=True)


def _refuse_order(order: NDArray[np.int64], fixed: NDArray[np.bool_], count: int) -> None:
    if not np.array_equal(np.sort(order), np.arange(count)):
        raise ValueError(f"order has {len(order)} entries; expected each of 0 to {count - 1} once")
    if len(fixed) != count:
        raise ValueError(f"fixed has {len(fixed)} entries; expected {count}, one a text")
    if (np.diff(fixed[order].astype(np.int8)) > 0).any():
        raise ValueError("order names a fixed text after another one; expected fixed ones first")


def _settled(state: _State, options: NearOptions, *, clusters: bool) -> Matches:
    """Decide at a threshold, a batch of candidates after the other."""
    count, proposals = len(state.sketch.counts), state.proposals
    other, similarity = np.full(count, -1, np.int64), np.zeros(count)
    cluster = np.arange(count)
    numbers, seconds = [(0, 0, 0)], 0.0
    for batch in proposals.batches():
        started = time.perf_counter()
        rows, sizes = batch.rows, batch.given.sizes.astype(np.int64)
        lost, shared, roots, told = _decided(batch, options, clusters=clusters)
        gone = np.flatnonzero(lost >= 0)
        other[rows[gone]] = rows[lost[gone]]
        both = sizes[gone] + sizes[lost[gone]] - shared[gone]
        similarity[rows[gone]] = shared[gone] / both
        cluster[rows] = rows[roots]
        numbers += told
        seconds += time.perf_counter() - started
    equal = _equal(state)
    other = np.where(equal >= 0, equal, other)
    similarity[equal >= 0] = 1.0
    cluster = np.where(equal >= 0, equal, cluster)
    opening = _openings(state, other)
    short = np.asarray((state.sketch.counts == 0) & state.sketch.equal.any(axis=0))
    compared, capped, passed_over = (sum(each) for each in zip(*numbers, strict=True))
    taken = {**state.seconds, **proposals.seconds, "verification": seconds}
    work = Work(len(proposals.rows), compared, capped, passed_over, taken)
    return Matches(options, other, similarity, short, opening, cluster, work, state)


def _decided(
    batch: Batch, options: NearOptions, *, clusters: bool
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64], list[tuple[int, int, int]]]:
    """What each candidate loses to, the shingles they share, its cluster, and what it took."""
    given, count = batch.given, len(batch.rows)
    lost, shared = np.full(count, -1, np.int64), np.zeros(count, np.int32)
    roots = np.arange(count)
    asked = (options.threshold, options.most_compared, lost, shared)
    own = lists(given)
    chained = chains(given) if clusters else None

    def decide(group: NDArray[np.int64]) -> tuple[int, int, int]:
        numbers = settle(group, given, batch.maps, own, *asked)
        if chained is not None:
            connect(group, given, batch.maps, chained, *asked, roots)
        return numbers

    return lost, shared, roots, in_order(decide, batch.groups, len(batch.groups))


def _equal(state: _State) -> NDArray[np.int64]:
    """For each short text the first equal one in policy order, or -1."""
    narrow = state.sketch
    stated = (narrow.counts == 0) & narrow.equal.any(axis=0)
    short = state.order[stated[state.order]]
    found = np.full(len(narrow.counts), -1, np.int64)
    if len(short):
        together = np.lexsort((narrow.equal[1, short], narrow.equal[0, short]))
        keys = narrow.equal[:, short[together]]
        new = np.ones(len(short), bool)
        new[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
        keeper = short[together[np.flatnonzero(new)[np.cumsum(new) - 1]]]  # the sort is stable
        mine = short[together]
        found[mine] = np.where(keeper == mine, -1, keeper)
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
