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
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import orjson

from imitation_data.errors import StoreError
from imitation_data.versions.semver import Version

MANIFEST = "manifest.json"
_DATA_FILE = re.compile(r"(\w+)-\d{5}")
FORMAT = 1


def default_store() -> Path:
    """`$IMITATION_STORE`, else `./store`."""
    return Path(os.environ.get("IMITATION_STORE") or "store")


def split_of(path: Path) -> str:
    """The split that a data file of a version holds; "" for a file of another name."""
    match = _DATA_FILE.match(path.name)
    return match[1] if match else ""


@dataclass(frozen=True)
class StoredVersion:
    """One version on disk."""

    name: str
    version: Version
    path: Path

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def manifest(self) -> dict[str, object]:
        """The manifest, as plain values.

        Raises:
            StoreError: it cannot be read.
        """
        path = self.path / MANIFEST
        try:
            manifest: dict[str, object] = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            raise StoreError(f"{path}: is not a readable manifest ({error})") from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise StoreError(f"{path}: is not a manifest of format {FORMAT}; was it edited?")
        return manifest

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
    """A folder of datasets."""

    root: Path

    def build_folder(self, name: str) -> Path:
        """Where builds of a dataset keep their working files."""
        return self.root / ".build" / name

    def names(self) -> list[str]:
        """Datasets that have at least one version."""
        if not self.root.is_dir():
            return []
        found = (path.name for path in self.root.iterdir() if path.is_dir())
        return sorted(name for name in found if not name.startswith(".") and self.versions(name))

    def versions(self, name: str) -> list[StoredVersion]:
        """All versions of a dataset, oldest first; a path is no name and has none."""
        folder = self.root / name
        named = folder.name == name != ".."
        found = []
        for path in folder.iterdir() if named and folder.is_dir() else ():
            version = Version.parse(path.name) if path.name.startswith("v") else None
            if version and (path / MANIFEST).is_file():
                found.append(StoredVersion(name, version, path))
        return sorted(found, key=lambda stored: stored.version)

    def find(self, reference: str) -> StoredVersion:
        """Find `NAME` (its latest version) or `NAME@VERSION`.

        Raises:
            StoreError: there is no such dataset or version; the message lists what there is.
        """
        name, _, wanted = reference.partition("@")
        versions = self.versions(name)
        if not versions:
            raise StoreError(f"no dataset {name!r} in the store {self.root}{self._known(name)}")
        if not wanted:
            return versions[-1]
        for stored in versions:
            if stored.version == Version.parse(wanted):
                return stored
        there = ", ".join(str(stored.version) for stored in versions)
        raise StoreError(f"{name} has no version {wanted!r}; it has {there}")

    def _known(self, name: str) -> str:
        names = self.names()
        near = get_close_matches(name, names, n=1)
        if near:
            return f"; did you mean {near[0]!r}?"
        there = ", which is empty" if self.root.is_dir() else ", which is not there"
        return f"; it holds {', '.join(names)}" if names else there

    @contextmanager
    def locked(self, name: str) -> Iterator[Path]:
        """Hold the only build of a dataset; give its build folder.

        Raises:
            StoreError: another process builds it now, or the store cannot be written.
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
                    f"another process builds or generates {name} in {self.root}; wait for it to end"
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
        """Write the manifest, then give the folder its name: from now on the version exists."""
        target = self.root / name / f"v{version}"
        content = orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
        with (partial / MANIFEST).open("wb") as file:
            file.write(content + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if target.exists():  # without a manifest, or `versions` had listed it
            shutil.rmtree(target)
        partial.rename(target)
        return StoredVersion(name, version, target)
