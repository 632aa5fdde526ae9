"""The number of the version that comes next, from its rows, its columns and what is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from imitation_data.conversation import SCHEMA
from imitation_data.errors import StoreError
from imitation_data.identity import ids_of
from imitation_data.versions.semver import (
    SIZES,
    Bump,
    Pairs,
    Version,
    column_bump,
    fingerprint,
    is_channel,
    larger,
    row_bump,
    sorted_ids,
)
from imitation_data.versions.store import Store, StoredVersion


@dataclass(frozen=True, slots=True)
class Release:
    """What kind of version a build is asked for.

    Attributes:
        at_least: the smallest bump, whatever the rows ask for; it never makes one smaller.
        channel: of a preview, as `rc`; "" for a release.

    Raises:
        StoreError: there is no such bump, or the channel has another form.
    """

    at_least: Bump = "none"
    channel: str = ""

    def __post_init__(self) -> None:
        if self.at_least not in SIZES:
            raise StoreError(f"at_least is {self.at_least!r}; expected major, minor or patch")
        if self.channel and not is_channel(self.channel):
            raise StoreError(
                f"channel is {self.channel!r}; expected 1 to 20 letters from a to z, as in rc"
            )


PLAIN = Release()


def columns() -> dict[str, str]:
    """The row's columns: types by name, as manifests hold them."""
    return {field.name: str(field.type) for field in SCHEMA}


@dataclass(frozen=True)
class Coming:
    """The version that comes next, as far as the rows decide it.

    Attributes:
        number: what it would have; a rebuild without change is thrown away again.
        bump: what rows and columns ask for; `none` when only other bytes can differ.
        previous: the newest release there is.
        preview: the newest preview of the release that comes, on the channel that is asked for.
        fingerprint: of the rows.
        release: what is asked for.
    """

    number: Version
    bump: Bump
    previous: StoredVersion | None
    preview: StoredVersion | None
    fingerprint: str
    release: Release = PLAIN

    def standing(self, inputs: str) -> StoredVersion | None:
        """The version that this one would only repeat.

        Args:
            inputs: digest of all that makes the version, as its manifest would hold it.
        """
        if self.bump == "none" and self.previous and _inputs(self.previous) == inputs:
            return self.previous
        if self.preview and _inputs(self.preview) == inputs:
            same = self.preview.manifest.get("fingerprint") == self.fingerprint
            return self.preview if same else None
        return None

    def told(self) -> dict[str, object]:
        """What the manifest says of it."""
        own = larger(self.bump, "patch")
        bump = larger(own, self.release.at_least)
        raised = {"asked": {"at_least": bump, "instead_of": own}} if bump != own else {}
        channel = {"channel": self.release.channel} if self.release.channel else {}
        before = str(self.previous.version) if self.previous else None
        return {"bump": bump, "previous": before, **raised, **channel}


def _inputs(stored: StoredVersion) -> object:
    return stored.manifest.get("inputs")


def coming_version(store: Store, name: str, pairs: Pairs, release: Release = PLAIN) -> Coming:
    """Number the version that comes next from its (split, id) pairs.

    Previews count from the newest release as it would; releases pay no heed to previews.

    Raises:
        StoreError: the rows of the version before cannot be read.
    """
    versions = store.versions(name)
    released = [stored for stored in versions if not stored.version.channel]
    previous = released[-1] if released else None
    if previous is None:
        bump: Bump = "first"
        number = Version(1, 0, 0)
    else:
        bump = larger(_column_bump(previous), row_bump(stored_pairs(previous), pairs))
        number = previous.version.bumped(larger(larger(bump, "patch"), release.at_least))
    preview = None
    if release.channel:
        for stored in versions:
            same = stored.version.release == number
            preview = stored if same and stored.version.channel == release.channel else preview
        last = preview.version.pre if preview else None
        number = number.preview(release.channel, last[1] + 1 if last else 1)
    return Coming(number, bump, previous, preview, fingerprint(pairs), release)


def _column_bump(previous: StoredVersion) -> Bump:
    """A manifest without columns asks for nothing: there is nothing to hold against."""
    before = previous.manifest.get("columns")
    if not isinstance(before, Mapping) or not before:
        return "none"
    return column_bump({str(name): str(kind) for name, kind in before.items()}, columns())


def stored_pairs(stored: StoredVersion) -> Pairs:
    """Read the (split, id) pairs of a version: sorted ids by split.

    Raises:
        StoreError: its data cannot be read.
    """
    pairs = {}
    for split, files in stored.data_files().items():
        try:
            tables = [pq.read_table(path, columns=["id"]) for path in files]
        except (OSError, pa.ArrowException) as error:
            raise StoreError(
                f"{stored}: its data cannot be read ({error}); move {stored.path} out of the store"
            ) from error
        pairs[split] = sorted_ids(np.concatenate(list(map(ids_of, tables))))
    return pairs
