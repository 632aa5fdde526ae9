"""Which version stands before which, pre-releases included (semver.org 2.0.0, clause 11)."""

import re
from collections.abc import Iterable

from imitation_data.versions.store import StoredVersion

_N = r"(?:0|[1-9][0-9]{0,17})"
NUMBER = rf"{_N}\.{_N}\.{_N}(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
_FORM = re.compile(NUMBER)

Order = tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]


def order_of(version: str) -> Order:
    """Sort key of `1.2.3` or `1.2.3-rc.1`; a pre-release stands before its release.

    Raises:
        ValueError: it has another form.
    """
    if not _FORM.fullmatch(version):
        raise ValueError(f"{version!r} is no version; expected major.minor.patch[-pre-release]")
    numbers, _, pre = version.partition("-")
    words = tuple(
        (not word.isdigit(), len(word) if word.isdigit() else 0, word)
        for word in pre.split(".")
        if word
    )
    return tuple(map(int, numbers.split("."))), not pre, words


def previous_of(stored: StoredVersion, versions: Iterable[StoredVersion]) -> StoredVersion | None:
    """The newest release before a version; None where there is none."""
    mine = order_of(str(stored.version))
    releases = (one for one in versions if "-" not in str(one.version))
    before = [one for one in releases if order_of(str(one.version)) < mine]
    return max(before, key=lambda one: order_of(str(one.version)), default=None)
