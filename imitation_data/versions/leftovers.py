"""What builds leave behind, and clearing it away.

Never a version, never answers of teachers (journals, and the candidates made of them), and nothing
of a dataset that is being built.
"""

import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from imitation_data.errors import StoreError
from imitation_data.versions.fetch import FETCHING, fetching
from imitation_data.versions.manifest import MANIFEST
from imitation_data.versions.remote import CLAIM, Remote, in_words
from imitation_data.versions.semver import Version
from imitation_data.versions.store import Store

HOUR = 3600  # seconds
_STAGE = re.compile(r"(?:read-\d{2}|\d{2}-\w+)-[0-9a-f]{16}")


@dataclass(frozen=True)
class Leftover:
    """Something that may go.

    Attributes:
        kind: `unfinished version`, `build stage`, `cached copy` or `unfinished upload`.
        path: where it lies.
        bytes: what it takes; 0 where that is not known.
        remove: takes it away.
    """

    kind: str
    path: str
    bytes: int
    remove: Callable[[], None] = field(compare=False, repr=False)


@dataclass
class Cleared:
    """What was cleared away, or would be, and what was left alone and why."""

    removed: list[Leftover] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """What it comes to."""
        return sum(one.bytes for one in self.removed)


def clear(store: Store, name: str = "", hours: float = 24, *, dry_run: bool = False) -> Cleared:
    """Clear away what builds left.

    Args:
        store: local or on S3.
        name: of a dataset; all when empty.
        hours: how long something must have lain untouched, but for half-written version folders
            on this machine, of which the lock tells that nobody writes them.
        dry_run: only tell what would go.

    Raises:
        StoreError: there is no such dataset, or something cannot be removed.
    """
    cleared = Cleared()
    names = _names(store)
    if name and name not in names:
        store.find(name)
    before = time.time() - hours * HOUR
    for one in [name] if name else names:
        try:
            _clear_dataset(store, one, before, cleared, dry_run=dry_run)
        except StoreError as error:
            cleared.skipped.append(f"{one}: left alone: {error}")
    return cleared


def _names(store: Store) -> list[str]:
    """Datasets with a version, or with something that a build left."""
    places = (store.root, store.root / ".build")
    here = {path.name for place in places if place.is_dir() for path in place.iterdir()}
    there = store.remote.names() if store.remote else []
    return sorted(one for one in {*here, *there} if _is_dataset(store, one))


def _is_dataset(store: Store, name: str) -> bool:
    folders = (store.root / name, store.build_folder(name))
    return not name.startswith(".") and (
        store.remote is not None or any(folder.is_dir() for folder in folders)
    )


def _clear_dataset(
    store: Store, name: str, before: float, cleared: Cleared, *, dry_run: bool
) -> None:
    here = (store.root / name).is_dir() or store.build_folder(name).is_dir()
    with ExitStack() as locks:
        if here:
            locks.enter_context(store.alone(name))
        if here and store.remote is not None:
            free = locks.enter_context(fetching(store.root, name, wait=False))
            if not free:
                raise StoreError("a version is being fetched")
        found = [*_parts(store, name), *_stages(store, name, before)]
        if store.remote is not None:
            found += [*_copies(store, name, before), *_unfinished(store.remote, name, before)]
        for leftover in found:
            if not dry_run:
                leftover.remove()
            cleared.removed.append(leftover)


def _parts(store: Store, name: str) -> Iterator[Leftover]:
    """Half-written folders: under the lock nobody is writing them."""
    folder = store.root / name
    for path in sorted([*folder.glob(".v*.part"), *folder.glob(f"{FETCHING}*")]):
        yield _folder("unfinished version", path)


def _stages(store: Store, name: str, before: float) -> Iterator[Leftover]:
    """Build stages that no version was made by; what `explain` needs stays."""
    used = {
        stage
        for stored in store.versions(name)
        for stage in cast("list[str]", stored.manifest.get("stages", []))
    }
    folder = store.build_folder(name)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if _STAGE.fullmatch(path.name) and path.name not in used and _last_touched(path) <= before:
            yield _folder("build stage", path)


def _copies(store: Store, name: str, before: float) -> Iterator[Leftover]:
    """Versions in the cache; they are fetched again when they are asked for."""
    for path in sorted((store.root / name).glob("v*")):
        touched = (path / MANIFEST).stat().st_mtime if (path / MANIFEST).is_file() else 0
        if Version.parse(path.name) and touched <= before:
            yield _folder("cached copy", path)


def _folder(kind: str, path: Path) -> Leftover:
    size = sum(one.stat().st_size for one in path.rglob("*") if one.is_file())

    def remove() -> None:
        try:
            shutil.rmtree(path)
        except OSError as error:
            raise StoreError(f"{path}: cannot be removed ({error.strerror or error})") from error

    return Leftover(kind, str(path), size, remove)


def _last_touched(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))


def _unfinished(remote: Remote, name: str, before: float) -> Iterator[Leftover]:
    """Versions on S3 that have no manifest and that nobody has written to lately."""
    if not remote.writable:
        return
    folders: dict[str, dict[str, dict[str, Any]]] = {}
    for key, info in remote.objects(name).items():
        folder, _, file = key.partition("/")
        if folder.startswith("v") and Version.parse(folder):
            folders.setdefault(folder, {})[file] = info
    for folder, files in sorted(folders.items()):
        last = max(info["LastModified"].timestamp() for info in files.values())
        if MANIFEST not in files and last <= before:
            size = sum(info["size"] for info in files.values())
            remove = partial(_remove, remote, (name, folder), list(files))
            yield Leftover("unfinished upload", remote.path(name, folder), size, remove)
    yield from _parts_on_s3(remote, name, before)


def _parts_on_s3(remote: Remote, name: str, before: float) -> Iterator[Leftover]:
    """Large files of which a dead build had sent some parts; no listing shows them."""
    bucket, prefix, _ = remote.files.split_path(remote.path(name, ""))
    with in_words(remote.url):
        told = remote.files.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=prefix)
    for one in told.get("Uploads", []):
        if one["Initiated"].timestamp() <= before:
            where = {"Bucket": bucket, "Key": one["Key"], "UploadId": one["UploadId"]}
            remove = partial(_give_up, remote, where)
            yield Leftover("unfinished upload", f"{bucket}/{one['Key']}", 0, remove)


def _give_up(remote: Remote, where: Mapping[str, str]) -> None:
    with in_words(remote.url):
        remote.files.call_s3("abort_multipart_upload", **where)


def _remove(remote: Remote, place: tuple[str, str], files: list[str]) -> None:
    """Take the claim first, so that its build, should it live, stops before its manifest."""
    with in_words(remote.url):
        if CLAIM in files:
            remote.files.rm_file(remote.path(*place, CLAIM))
        if remote.read(*place, MANIFEST) is not None:
            raise StoreError(f"{remote.path(*place)}: was finished at this moment; build it again")
        for file in files:
            if file != CLAIM:
                remote.files.rm_file(remote.path(*place, file))
