"""What each word of a probe weighs: nothing in templates, little in what several items share."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imitation_data.leakage.hits import AT
from imitation_data.leakage.tables import runs_of

SHARED, FEW = 0.02, 20  # of a benchmark's items that have a run, and how many: it is a template
_PLACE = (1 << AT) - 1


@dataclass(frozen=True)
class Runs:
    """All runs of all probes.

    Attributes:
        values: hash of each, uint64.
        at: probe and place of each, as the kernel has them, int64.
        held: items of the same benchmark that have it, int64.
        shared: whether it is a template, bool.
        size: n, by probe.
        benchmark, item: of each probe.
    """

    values: NDArray[np.uint64]
    at: NDArray[np.int64]
    held: NDArray[np.int64]
    shared: NDArray[np.bool_]
    size: NDArray[np.int64]
    benchmark: NDArray[np.int64]
    item: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        tokens: NDArray[np.int32],
        starts: NDArray[np.int64],
        size: NDArray[np.int64],
        benchmark: NDArray[np.int64],
        item: NDArray[np.int64],
    ) -> "Runs":
        """Find the runs of all probes, and in how many items each is."""
        values, at = np.empty(len(tokens), np.uint64), np.empty(len(tokens), np.int64)
        count = runs_of(tokens, starts, size, values, at)
        values, at = values[:count], at[:count]
        probe = at >> AT
        held = _items_with(values, benchmark[probe], item[probe])
        items = np.bincount(benchmark[np.unique(item, return_index=True)[1]])
        most = np.maximum(FEW, SHARED * items)
        return cls(values, at, held, held > most[benchmark[probe]], size, benchmark, item)


def _items_with(
    values: NDArray[np.uint64], benchmark: NDArray[np.int64], item: NDArray[np.int64]
) -> NDArray[np.int64]:
    """In how many items of its benchmark each run is."""
    order = np.lexsort((item, benchmark, values))
    value, bench, owner = values[order], benchmark[order], item[order]
    new = np.ones(len(order), bool)
    new[1:] = (value[1:] != value[:-1]) | (bench[1:] != bench[:-1])
    fresh = new.copy()
    fresh[1:] |= owner[1:] != owner[:-1]
    group = np.cumsum(new) - 1
    held = np.empty(len(order), np.int64)
    held[order] = np.bincount(group, fresh).astype(np.int64)[group] if len(order) else 0
    return held


@dataclass(frozen=True)
class Elsewhere:
    """How common words are in items of other benchmarks, so that small ones can tell, too.

    Attributes:
        items: how many there are, by benchmark.
        counts: how many of them have each word, (benchmarks, words), int64.
    """

    items: NDArray[np.int64]
    counts: NDArray[np.int64]


def weights_of(
    tokens: NDArray[np.int32], starts: NDArray[np.int64], runs: Runs, elsewhere: Elsewhere
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Weigh the words of all probes.

    A word's share is 1 over the square of the number of items that have the rarest run around it,
    0 where all runs around it are templates. Half of its weight is that share; half is the share
    times the logarithm of how few items have the word (inverse document frequency, Spärck Jones
    1972), in its benchmark and in those of the package.

    Returns:
        Weights, which sum to 1 in each probe, float32; and how much each probe tells about which
        item it is, in nats: the second half's sum before scaling, every word once.
    """
    probes = len(starts) - 1
    probe = np.repeat(np.arange(probes), np.diff(starts))
    share = np.zeros(len(tokens))
    kept = ~runs.shared
    at, held = runs.at[kept], runs.held[kept]
    place = starts[at >> AT] + (at & _PLACE)
    size = runs.size[at >> AT]
    for step in range(int(size.max(initial=0))):
        reach = step < size
        np.maximum.at(share, place[reach] + step, 1 / held[reach] ** 2)
    rare = share * _rarity(tokens, probe, runs, elsewhere)
    order = np.lexsort((np.arange(len(tokens)), tokens, probe))
    again = np.zeros(len(tokens), bool)
    again[order[1:]] = (np.diff(tokens[order]) == 0) & (np.diff(probe[order]) == 0)
    told = np.bincount(probe, np.where(again, 0, rare), minlength=probes)
    weights = np.zeros(len(tokens))
    for part in (share, rare):
        total = np.bincount(probe, part, minlength=probes)
        weights += part / np.where(total > 0, total, 1)[probe] / 2
    return weights.astype(np.float32), np.asarray(told, np.float64)


def _rarity(
    tokens: NDArray[np.int32], probe: NDArray[np.int64], runs: Runs, elsewhere: Elsewhere
) -> NDArray[np.float64]:
    """The logarithm of how few items have each word: of the benchmark, and of others."""
    found = np.zeros(len(tokens))
    for benchmark in np.unique(runs.benchmark).tolist():
        mine = runs.benchmark[probe] == benchmark
        items = len(np.unique(runs.item[runs.benchmark == benchmark]))
        pairs = np.unique(tokens[mine].astype(np.int64) << 32 | runs.item[probe[mine]])
        known, counts = np.unique(pairs >> 32, return_counts=True)
        df = counts[np.searchsorted(known, tokens[mine])]
        df = df + elsewhere.counts[benchmark, tokens[mine]]
        items += int(elsewhere.items[benchmark])
        found[mine] = np.maximum(0, np.log((items + 1) / (df + 1)))
    return found
