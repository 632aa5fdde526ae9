"""Narrow columns of texts: all that near-duplicates are proposed by."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from imitation_data.dedup.bands import Banding, banding
from imitation_data.dedup.shingling import Shingling
from imitation_data.normalize import normalized
from imitation_data.text.column import strings

_NOT_COMPARED = bytes(16)
_MARKS = dict.fromkeys((1, 2, 3), "")  # of roles, see `imitation_data.text.compared`


@dataclass(frozen=True)
class NearOptions:
    """What counts as a near-duplicate, and how hard it is looked for.

    Attributes:
        threshold: the least Jaccard similarity of two shingle sets, above 0 and up to 1.
        recall: wanted probability that a pair right at the threshold is compared at all.
        most_compared: rows that one row is compared with; beyond that, those that share the most
            buckets with it. The report says when it was reached.
        shingling: how texts become sets.
    """

    threshold: float = 0.7
    recall: float = 0.985
    most_compared: int = 256
    shingling: Shingling = field(default_factory=Shingling)

    def __post_init__(self) -> None:
        if self.most_compared < 1:
            raise ValueError(f"most_compared is {self.most_compared}; expected 1 or more")
        _ = self.banding

    @property
    def banding(self) -> Banding:
        """The bands that follow from threshold and recall."""
        return banding(self.threshold, self.recall, self.shingling.permutations)


class Sketch(NamedTuple):
    """The narrow columns of some texts; all that candidates are found by.

    Attributes:
        counts: shingles of each text, repeats counted; 0 for short texts; int32, (n,).
        openings: hash of the first tokens, uint64, (n,).
        keys: band keys, uint32, (bands, n).
        equal: XXH3-128 of the normalised text of short ones, 0 for others; uint64, (2, n).
    """

    counts: NDArray[np.int32]
    openings: NDArray[np.uint64]
    keys: NDArray[np.uint32]
    equal: NDArray[np.uint64]


@dataclass(frozen=True)
class StoredSets:
    """Shingle sets that were made before, in place of texts.

    Attributes:
        offsets: where each begins, and the last one ends; int64, (n + 1,).
        shingles: uint64.
    """

    offsets: NDArray[np.int64]
    shingles: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.offsets) - 1


Texts = Iterable[pa.Array | StoredSets]


def sketch(texts: pa.Array, options: NearOptions, threads: int = 1) -> Sketch:
    """Sketch texts; nulls and blank ones are not compared."""
    bands = options.banding
    signed = options.shingling.band_keys(texts, bands.bands, bands.rows, threads)
    equal = equal_keys(texts, signed.counts)
    return Sketch(signed.counts, signed.openings, signed.values, equal)


def equal_keys(texts: pa.Array, counts: NDArray[np.int32]) -> NDArray[np.uint64]:
    """The column `equal` of a `Sketch`."""
    equal = np.zeros((2, len(texts)), np.uint64)
    short = np.flatnonzero(counts == 0)
    if len(short):
        some = strings(texts, short)
        halves = [_digest(text) if text and _says(text) else _NOT_COMPARED for text in some]
        equal[:, short] = np.frombuffer(b"".join(halves), ">u8").reshape(-1, 2).T
    return equal


def _says(text: str) -> bool:
    """Whether there is more than white space (and marks of roles) in a text."""
    return bool(text.translate(_MARKS).strip())


def _digest(text: str) -> bytes:
    return xxhash.xxh3_128_digest(normalized(text).encode())


def joined(sketches: Sequence[Sketch]) -> Sketch:
    """Put sketches one after the other."""
    if len(sketches) == 1:
        return sketches[0]
    return Sketch(
        np.concatenate([one.counts for one in sketches]),
        np.concatenate([one.openings for one in sketches]),
        np.concatenate([one.keys for one in sketches], axis=1),
        np.concatenate([one.equal for one in sketches], axis=1),
    )
