"""Semantic versions of datasets, computed from rows.

After Croissant 1.1's rules for datasets: a pair of (split, id) missing, or a column removed or of
another type, is MAJOR; pairs or columns only added is MINOR; anything else that changed is PATCH.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import total_ordering
from hashlib import blake2b
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Bump = Literal["first", "major", "minor", "patch", "none"]
Pairs = dict[str, NDArray[np.void]]

_NUMBER = r"(0|[1-9][0-9]{0,17})"
_FORM = re.compile(rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-([a-z]{{1,20}})\.([1-9][0-9]{{0,17}}))?")
_CHANNEL = re.compile(r"[a-z]{1,20}")

SIZES: tuple[Bump, ...] = ("none", "patch", "minor", "major")
"""Bumps of a version that has one before it, the smallest first."""


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A release `1.3.0`, or a preview of one on a channel, `1.3.0-rc.2` (semver.org 2.0.0).

    Attributes:
        major, minor, patch: the release.
        pre: channel (letters from a to z) and number of a preview, from 1; None for a release.
    """

    major: int
    minor: int
    patch: int
    pre: tuple[str, int] | None = None

    def __str__(self) -> str:
        release = f"{self.major}.{self.minor}.{self.patch}"
        return f"{release}-{self.pre[0]}.{self.pre[1]}" if self.pre else release

    def __lt__(self, other: "Version") -> bool:
        return self._place() < other._place()

    def _place(self) -> tuple[int, int, int, bool, tuple[str, int]]:
        """Previews of a release come before it, in the order of channel and number."""
        return (self.major, self.minor, self.patch, self.pre is None, self.pre or ("", 0))

    @classmethod
    def parse(cls, text: str) -> "Version | None":
        """Read `1.2.3`, `1.2.3-rc.1`, or either after a `v`; None when it is neither."""
        match = _FORM.fullmatch(text)
        if not match:
            return None
        major, minor, patch, channel, number = match.groups()
        pre = (channel, int(number)) if channel else None
        return cls(int(major), int(minor), int(patch), pre)

    @property
    def channel(self) -> str:
        """The channel of a preview; "" for a release."""
        return self.pre[0] if self.pre else ""

    @property
    def release(self) -> "Version":
        """The release that this is, or is a preview of."""
        return Version(self.major, self.minor, self.patch)

    def preview(self, channel: str, number: int) -> "Version":
        """A preview of this release."""
        return Version(self.major, self.minor, self.patch, (channel, number))

    def bumped(self, bump: Bump) -> "Version":
        """The release after a change of this size."""
        if bump == "major":
            return Version(self.major + 1, 0, 0)
        if bump == "minor":
            return Version(self.major, self.minor + 1, 0)
        if bump == "patch":
            return Version(self.major, self.minor, self.patch + 1)
        return self


def is_channel(text: str) -> bool:
    """Whether a text may name a channel: 1 to 20 letters from a to z."""
    return _CHANNEL.fullmatch(text) is not None


def larger(one: Bump, other: Bump) -> Bump:
    """The larger of two bumps; there is none larger than `first`."""
    if "first" in {one, other}:
        return "first"
    return max(one, other, key=SIZES.index)


def column_bump(old: Mapping[str, str], new: Mapping[str, str]) -> Bump:
    """What the columns alone ask for, types by name: major, minor, or none."""
    if any(new.get(name) != kind for name, kind in old.items()):
        return "major"
    return "minor" if new.keys() - old.keys() else "none"


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
