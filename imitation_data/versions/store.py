"""The store: a folder of datasets, each a folder of versions that exist whole or not at all.

store/<name>/v1.2.0/       a version; `manifest.json` lists its files with their checksums
store/.build/<name>/       what builds leave: working shards, dropped text, the lock
"""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from imitation_data.errors import StoreError
from imitation_data.versions.fetch import fetched
from imitation_data.versions.manifest import FORMAT, MANIFEST, read_manifest, to_bytes
from imitation_data.versions.remote import Mark, Remote, is_url, remote_at
from imitation_data.versions.semver import Version, is_channel
from imitation_data.versions.upload import upload

__all__ = ["FORMAT", "MANIFEST", "Store", "StoredVersion", "default_store", "open_store"]

_DATA_FILE = re.compile(r"(\w+)-\d{5}")
_WITHIN = re.compile(r"v?([0-9]{1,18})(?:\.([0-9]{1,18}))?")


def default_store() -> str:
    """`$IMITATION_STORE`, else `./store`: a folder or a URL."""
    return os.environ.get("IMITATION_STORE") or "store"


def open_store(location: "str | Path | None" = None) -> "Store":
    """Open a store.

    Args:
        location: a folder, `file://` URL, `s3://bucket/prefix`, or a URL that fsspec can read;
            `$IMITATION_STORE` or `./store` when not given.

    Raises:
        StoreError: it is no URL that can be a store.
    """
    where = default_store() if location is None else location
    if isinstance(where, Path) or not is_url(where):
        return Store(Path(where))
    if where.startswith("file:"):
        parts = urlsplit(where)
        if parts.netloc not in {"", "localhost"}:
            raise StoreError(f"{where}: names another host; expected file:///folder")
        return Store(Path(unquote(parts.path)))
    remote = remote_at(where)
    return Store(remote.cache, remote)


def split_of(path: Path) -> str:
    """The split that a data file of a version holds; "" for a file of another name."""
    match = _DATA_FILE.match(path.name)
    return match[1] if match else ""


@dataclass(frozen=True)
class StoredVersion:
    """One version of a store.

    Attributes:
        name: of the dataset.
        version: its number.
        folder: where it lies, or will lie once it is fetched.
        remote: the store behind a URL that it is fetched from, if any.
        mark: of its manifest there.
    """

    name: str
    version: Version
    folder: Path
    remote: Remote | None = field(default=None, compare=False, repr=False)
    mark: Mark = field(default=Mark(None, ""), compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @cached_property
    def path(self) -> Path:
        """Its folder on this machine; a version of a remote store is fetched, once.

        Raises:
            StoreError: it cannot be fetched, or is damaged.
        """
        if self.remote is None:
            return self.folder
        return fetched(self.remote, self.name, self.version, self._manifest_file)

    @cached_property
    def _manifest_file(self) -> Path:
        if self.remote is None:
            return self.folder / MANIFEST
        return self.remote.manifest_file(self.name, self.version, self.mark)

    @property
    def manifest(self) -> dict[str, object]:
        """The manifest, as plain values; of a remote version it alone is fetched.

        Raises:
            StoreError: it cannot be read.
        """
        return read_manifest(self._manifest_file)

    def data_files(self) -> dict[str, list[Path]]:
        """Parquet files by split, in order."""
        files: dict[str, list[Path]] = {}
        for path in sorted((self.path / "data").glob("*.parquet")):
            files.setdefault(split_of(path), []).append(path)
        return files

    def ledger_files(self) -> list[Path]:
        """The ledger's Parquet files, in order."""
        return sorted((self.path / "ledger").glob("*.parquet"))


@dataclass(frozen=True)
class Store:
    """A folder of datasets, or one behind a URL.

    Attributes:
        root: the folder; of a remote store the cache, where builds work and versions are fetched.
        remote: the store behind a URL, if it is one.
    """

    root: Path
    remote: Remote | None = None

    def __str__(self) -> str:
        return str(self.remote or self.root)

    def build_folder(self, name: str) -> Path:
        """Where builds of a dataset keep their working files."""
        return self.root / ".build" / name

    def journal(self) -> Path:
        """Where answers of teachers are kept when no other file is named.

        Raises:
            StoreError: the store is remote: what was paid for does not belong in a cache.
        """
        if self.remote is not None:
            raise StoreError(
                f"{self}: answers of teachers are not kept with a remote store, and a cache may be "
                "cleared; name a file for them with --journal, or IMITATION_JOURNAL"
            )
        return self.root / "journal.sqlite"

    def names(self) -> list[str]:
        """Datasets that have at least one version."""
        if self.remote is not None:
            return [name for name in self.remote.names() if self.versions(name)]
        if not self.root.is_dir():
            return []
        found = (path.name for path in self.root.iterdir() if path.is_dir())
        return sorted(name for name in found if not name.startswith(".") and self.versions(name))

    def versions(self, name: str) -> list[StoredVersion]:
        """All versions of a dataset, oldest first; a path is no name and has none."""
        folder = self.root / name
        if folder.name != name or name == "..":
            return []
        if self.remote is not None:
            return [
                StoredVersion(name, version, folder / f"v{version}", self.remote, mark)
                for version, mark in sorted(self.remote.versions(name).items())
            ]
        found = []
        for path in folder.iterdir() if folder.is_dir() else ():
            version = Version.parse(path.name) if path.name.startswith("v") else None
            if version and (path / MANIFEST).is_file():
                found.append(StoredVersion(name, version, path))
        return sorted(found, key=lambda stored: stored.version)

    def find(self, reference: str) -> StoredVersion:
        """Find a version.

        Args:
            reference: `NAME` (its latest release; the latest preview only where there is none),
                `NAME@1` or `NAME@1.2` (the latest release within), `NAME@1.2.0`,
                `NAME@1.3.0-rc.1`, or `NAME@rc` (the latest preview of a channel).

        Raises:
            StoreError: there is no such dataset or version; the message lists what there is.
        """
        name, _, wanted = reference.partition("@")
        versions = self.versions(name)
        if not versions:
            raise StoreError(f"no dataset {name!r} in the store {self}{self._known(name)}")
        fitting = [one for one in versions if _fits(one.version, wanted)]
        if not wanted and not fitting:
            return versions[-1]
        if fitting:
            return fitting[-1]
        there = ", ".join(str(stored.version) for stored in versions)
        raise StoreError(f"{name} has no version {wanted!r}; it has {there}")

    def _known(self, name: str) -> str:
        names = self.names()
        if "/" in name:
            return (
                "; names there have no '/': a version on the Hub is fetched first, with "
                "`imitation-data pull org/name@v1.2.0`"
            )
        near = get_close_matches(name, names, n=1)
        if near:
            return f"; did you mean {near[0]!r}?"
        empty = self.remote is not None or self.root.is_dir()
        there = ", which is empty" if empty else ", which is not there"
        return f"; it holds {', '.join(names)}" if names else there

    def refuse_unless_writable(self, name: str) -> None:
        """Refuse, before any work, to build where no version can be written or read.

        Raises:
            StoreError: the store can only be read, or cannot be reached.
        """
        if self.remote is None:
            return
        if not self.remote.writable:
            raise StoreError(
                f"{self}: can only be read; versions are written to a folder, or to "
                "s3://bucket/prefix"
            )
        self.remote.versions(name)

    @contextmanager
    def locked(self, name: str) -> Iterator[Path]:
        """Hold the only build of a dataset; give its build folder.

        Raises:
            StoreError: another process builds it now, or the store cannot be written.
        """
        self.refuse_unless_writable(name)
        with self.alone(name) as folder:
            yield folder

    @contextmanager
    def alone(self, name: str) -> Iterator[Path]:
        """Keep builds of a dataset off on this machine; give its build folder.

        Raises:
            StoreError: another process builds it now, or the folder cannot be written.
        """
        folder = self.build_folder(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / "lock").open("w")
        except OSError as error:
            raise StoreError(f"{folder}: cannot be written ({error.strerror})") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreError(
                    f"another process builds or generates {name} in {self}; wait for it to end"
                ) from error
            yield folder

    def start(self, name: str, version: Version) -> Path:
        """Make an empty folder in which a version can be written; call under the lock."""
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".v*.part"):  # of builds that were killed
            shutil.rmtree(left)
        partial = folder / f".v{version}.part"
        partial.mkdir()
        return partial

    def finish(
        self, partial: Path, name: str, version: Version, manifest: Mapping[str, object]
    ) -> StoredVersion:
        """Write the manifest, then give the folder its name: from now on the version exists.

        In a remote store it exists once its manifest is there; the folder is the cached copy.
        """
        target = self.root / name / f"v{version}"
        with (partial / MANIFEST).open("wb") as file:
            file.write(to_bytes(manifest))
            file.flush()
            os.fsync(file.fileno())
        if self.remote is not None:
            upload(self.remote, partial, name, version)
        if target.exists():  # without a manifest, or `versions` had listed it
            shutil.rmtree(target)
        partial.rename(target)
        return StoredVersion(name, version, target)


def _fits(version: Version, wanted: str) -> bool:
    """Whether a version is one of those that a reference may mean; "" means any release."""
    if is_channel(wanted):
        return version.channel == wanted
    exact, within = Version.parse(wanted), _WITHIN.fullmatch(wanted)
    if exact:
        return version == exact
    numbers = [int(number) for number in within.groups() if number] if within else []
    means = not wanted or bool(numbers)
    here = (version.major, version.minor)[: len(numbers)]
    return means and not version.channel and here == tuple(numbers)
