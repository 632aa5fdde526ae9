"""Versions of a remote store, fetched into the cache: whole, checked, and once.

A fetched version lies where it would in a local store. Its files come into a folder beside it,
which gets its name when all of them are there and fit the manifest.
"""

import fcntl
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from imitation_data.checksum import checksum
from imitation_data.errors import StoreError
from imitation_data.versions.manifest import (
    MANIFEST,
    RENDERED,
    Listed,
    listed_files,
    read_manifest,
    stays_inside,
)
from imitation_data.versions.remote import CLAIM, Remote, in_words
from imitation_data.versions.semver import Version

AT_ONCE = 4  # files under way
FETCHING = ".fetch-"
T = TypeVar("T")


def fetched(remote: Remote, name: str, version: Version, manifest: Path) -> Path:
    """Make sure that a version lies in the cache.

    Args:
        remote: where it comes from.
        name: of the dataset.
        version: one that is listed there.
        manifest: local copy of its manifest.

    Returns:
        Its folder.

    Raises:
        StoreError: it cannot be read, or a file is not what the manifest says.
    """
    folder = remote.cache / name / f"v{version}"
    content = manifest.read_bytes()
    if _is(folder, content):
        return folder
    with fetching(remote.cache, name, wait=True):
        if _is(folder, content):  # another process was first
            return folder
        partial = folder.with_name(f"{FETCHING}{folder.name}")
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            listed = listed_files(read_manifest(manifest), f"{remote}/{name}/v{version}/{MANIFEST}")
            _fetch(remote, (name, f"v{version}"), partial, listed)
            (partial / MANIFEST).write_bytes(content)
            shutil.rmtree(folder, ignore_errors=True)  # of a version that was replaced
            partial.rename(folder)
        except OSError as error:
            raise StoreError(
                f"{folder}: cannot be written ({error.strerror or error}); make room, or name "
                "another folder with IMITATION_CACHE"
            ) from error
    return folder


def _is(folder: Path, manifest: bytes) -> bool:
    path = folder / MANIFEST
    return path.is_file() and path.read_bytes() == manifest


@contextmanager
def fetching(cache: Path, name: str, *, wait: bool) -> Iterator[bool]:
    """Be the only process that fetches versions of a dataset into this cache.

    Yields:
        Whether that is so; always, when it waits.
    """
    path = cache / ".build" / name / "fetching"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("w")
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be written ({error.strerror}); name another folder with "
            "IMITATION_CACHE"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


@dataclass(frozen=True)
class _Wanted:
    """One file to fetch; what it should be is known unless it is a rendered one."""

    key: str
    target: Path
    listed: Listed | None


def _fetch(
    remote: Remote, place: tuple[str, str], folder: Path, listed: Mapping[str, Listed]
) -> None:
    wanted = [
        _Wanted(remote.path(*place, file), folder / file, entry) for file, entry in listed.items()
    ]
    wanted += [
        _Wanted(remote.path(*place, file), folder / file, None)
        for file in RENDERED
        if file not in listed
    ]
    at_once(lambda one: _fetch_file(remote, one), wanted)


def at_once(work: Callable[[T], None], tasks: Sequence[T]) -> None:
    """Do some tasks at the same time; the first failure is raised when those begun have ended."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for future in [threads.submit(work, task) for task in tasks]:
            future.result()


def _fetch_file(remote: Remote, wanted: _Wanted) -> None:
    wanted.target.parent.mkdir(parents=True, exist_ok=True)
    with in_words(remote.url):
        try:
            size = remote.files.info(wanted.key)["size"]
            if wanted.listed and size not in {None, wanted.listed.bytes}:
                raise StoreError(_damaged(wanted, f"{size:,} bytes", f"{wanted.listed.bytes:,}"))
            remote.files.get_file(wanted.key, str(wanted.target))
        except FileNotFoundError as error:
            if wanted.listed is None:
                return
            raise StoreError(_damaged(wanted, "no file", f"{wanted.listed.bytes:,}")) from error
    if wanted.listed and checksum(wanted.target) != wanted.listed.sha256:
        found = f"SHA-256 {checksum(wanted.target)}"
        raise StoreError(_damaged(wanted, found, wanted.listed.sha256))


def _damaged(wanted: _Wanted, found: str, expected: str) -> str:
    return (
        f"{wanted.key}: found {found}, the manifest says {expected}; the version is damaged where "
        "it lies: put the file back, or remove the version's manifest and build it again"
    )


def copy_as_it_is(remote: Remote, name: str, version: Version, folder: Path) -> None:
    """Copy all of a version into a folder without holding it against its manifest.

    Raises:
        StoreError: it cannot be read, or an object has no name that a file can have.
    """
    place = (name, f"v{version}")
    files = [file for file in remote.objects(*place) if file != CLAIM]
    for file in files:
        if not stays_inside(file):
            raise StoreError(
                f"{remote.path(*place)}: holds an object {file!r}; expected names that files can "
                "have: remove it"
            )
    wanted = [_Wanted(remote.path(*place, file), folder / file, None) for file in files]
    at_once(lambda one: _fetch_file(remote, one), wanted)
