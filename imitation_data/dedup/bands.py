"""How a signature is cut into bands, and which pairs that finds.

Two texts of Jaccard similarity s agree in each minimum with probability s, in a band of r minima
with s^r, and in at least one of b bands with 1 - (1 - s^r)^b (Leskovec, Rajaraman and Ullman,
Mining of Massive Datasets, 3.4).
"""

from dataclasses import dataclass
from typing import Literal, get_args

Scheme = Literal["poly64", "xxh32"]
MOST_PERMUTATIONS = 4096


def check_signature(ngram: int, permutations: int, seed: int, scheme: str) -> None:
    """Refuse settings of signatures that make no sense.

    Raises:
        ValueError: names the setting, what was found and what was expected.
    """
    if ngram < 1:
        raise ValueError(f"ngram is {ngram}; expected 1 or more tokens")
    if not 1 <= permutations <= MOST_PERMUTATIONS:
        raise ValueError(f"permutations is {permutations}; expected 1 to {MOST_PERMUTATIONS}")
    if scheme not in get_args(Scheme):
        raise ValueError(f"scheme is {scheme!r}; expected one of {get_args(Scheme)}")
    if not 0 <= seed < 1 << 32:
        raise ValueError(f"seed is {seed}; expected 0 to {(1 << 32) - 1}")


@dataclass(frozen=True, slots=True)
class Banding:
    """So many bands of so many minima each."""

    bands: int
    rows: int

    def found(self, similarity: float) -> float:
        """The probability that a pair of this similarity shares a bucket."""
        return 1.0 - (1.0 - similarity**self.rows) ** self.bands

    def curve(self, step: float = 0.05) -> list[tuple[float, float]]:
        """Pairs of similarity and probability, from 0 to 1."""
        steps = round(1 / step)
        return [(round(at * step, 10), self.found(at * step)) for at in range(steps + 1)]


def banding(threshold: float, recall: float, permutations: int) -> Banding:
    """Choose the longest bands that find a pair at the threshold with the wanted probability.

    Longer bands propose fewer pairs in vain. Of the minima as many are used as fit.

    Args:
        threshold: Jaccard similarity, above 0 and up to 1.
        recall: wanted probability at the threshold, above 0 and below 1.
        permutations: minima in a signature.

    Raises:
        ValueError: an argument is out of range, or not even bands of one minimum reach it.
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold is {threshold}; expected above 0 and up to 1")
    if not 0 < recall < 1:
        raise ValueError(f"recall is {recall}; expected above 0 and below 1")
    for rows in range(permutations, 0, -1):
        fits = Banding(permutations // rows, rows)
        if fits.found(threshold) >= recall:
            return fits
    needed = Banding(permutations, 1).found(threshold)
    raise ValueError(
        f"{permutations} permutations find a pair of similarity {threshold} with a probability of "
        f"{needed:.3f} at most, and recall is {recall}; ask for more permutations or less recall"
    )
