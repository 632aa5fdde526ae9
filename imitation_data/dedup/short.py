"""Short texts that are alike: reported, never acted on."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.dedup.near import Matches, find
from imitation_data.dedup.shingling import Shingling
from imitation_data.dedup.sketch import NearOptions
from imitation_data.normalize import normalized

LIKENESS = NearOptions(0.7, shingling=Shingling(ngram=3))  # of character trigrams
MOST = 100_000  # short texts looked at, the first in policy order


def alike(
    found: Matches, order: NDArray[np.int64], texts: Iterable[pa.Array]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Pair kept short texts whose character trigrams are mostly the same.

    Args:
        found: what was decided.
        order: the policy order.
        texts: all texts.

    Returns:
        Texts, for each the first one in policy order that it is like, and the similarity.
    """
    rows = order[(found.short & (found.other < 0))[order]][:MOST]
    wanted = np.sort(rows)
    known: dict[int, str] = {}
    before = 0
    for piece in texts if len(rows) else ():
        mine = wanted[(wanted >= before) & (wanted < before + len(piece))]
        if len(mine):
            some = piece.take(pa.array(mine - before)).to_pylist()
            known.update(zip(mine.tolist(), map(_spelled, some), strict=True))
        before += len(piece)
    spelled = pa.array([known[row] for row in rows.tolist()], pa.large_string())
    pairs = find([spelled], LIKENESS, order=np.arange(len(rows)))
    gone = pairs.removed
    gone = gone[~pairs.short[gone]]
    return rows[gone], rows[pairs.other[gone]], pairs.similarity[gone]


def _spelled(text: str | None) -> str:
    """A text with its letters apart, so that each is a token; a space becomes a sign."""
    return " ".join(normalized(text or "").replace(" ", "|"))
