"""Semantic versions of datasets, computed from rows.

After Croissant 1.1's rules for datasets: a pair of (split, id) missing is MAJOR, pairs only added
is MINOR, anything else that changed is PATCH.
"""

import re
from dataclasses import dataclass
from functools import total_ordering
from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Bump = Literal["first", "major", "minor", "patch", "none"]
Pairs = dict[str, NDArray[np.void]]

_FORM = re.compile(r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """`major.minor.patch` (semver.org 2.0.0, without pre-releases)."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def __lt__(self, other: "Version") -> bool:
        mine = (self.major, self.minor, self.patch)
        return mine < (other.major, other.minor, other.patch)

    @classmethod
    def parse(cls, text: str) -> "Version | None":
        """Read `1.2.3` or `v1.2.3`; None when it is neither."""
        match = _FORM.fullmatch(text)
        return cls(*map(int, match.groups())) if match else None

    def bumped(self, bump: Bump) -> "Version":
        """The version after a change of this size."""
        if bump == "major":
            return Version(self.major + 1, 0, 0)
        if bump == "minor":
            return Version(self.major, self.minor + 1, 0)
        if bump == "patch":
            return Version(self.major, self.minor, self.patch + 1)
        return self


def sorted_ids(ids: NDArray[np.bytes_]) -> NDArray[np.void]:
    """Sort ids of 16 bytes each."""
    return np.sort(ids).view("V16")


def fingerprint(pairs: Pairs) -> str:
    """Hash the multiset of (split, id): 64 hex digits of BLAKE2b-256, whatever the row order.

    Args:
        pairs: each split's ids, sorted, by split name.
    """
    digest = blake2b(digest_size=32)
    for split in sorted(pairs):
        digest.update(f"{split}\0{len(pairs[split])}\0".encode())
        digest.update(pairs[split].tobytes())
    return digest.hexdigest()


def row_bump(old: Pairs, new: Pairs) -> Bump:
    """What the rows alone ask for: major, minor, or none."""
    missing = added = False
    for split in sorted(old.keys() | new.keys()):
        nothing = np.zeros(0, "V16")
        gone, come = _difference(old.get(split, nothing), new.get(split, nothing))
        missing, added = missing or gone, added or come
    return "major" if missing else "minor" if added else "none"


def _difference(old: NDArray[np.void], new: NDArray[np.void]) -> tuple[bool, bool]:
    """Whether ids of `old` are missing from `new`, and the reverse, counting repeats."""
    values, group = np.unique(np.concatenate([old, new]).view("S16"), return_inverse=True)
    size = len(values)
    before = np.bincount(group[: len(old)], minlength=size)
    after = np.bincount(group[len(old) :], minlength=size)
    return bool((before > after).any()), bool((after > before).any())
