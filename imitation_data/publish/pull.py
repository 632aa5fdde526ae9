"""A published version back into a store, held against its own checksums on the way."""

import shutil
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import orjson

from imitation_data.errors import PublishError
from imitation_data.publish.publication import CARD, CHANGELOG, CROISSANT, PUBLISH
from imitation_data.publish.rendered import read_record
from imitation_data.readers.files import checksum
from imitation_data.readers.hub import fetch
from imitation_data.versions.semver import Version
from imitation_data.versions.store import MANIFEST, Store, StoredVersion

WANTED = ("data/*", "ledger/*", "*.json", "*.yaml", "*.md", "*.jinja")
"""What of a repository is fetched: rows in other forms are left out."""


def pull(reference: str, store: Store) -> tuple[StoredVersion, bool]:
    """Fetch a published version and put it into a store.

    Args:
        reference: `org/name@v1.2.0` on the Hub (a branch or commit, too), or `folder:PATH`.
        store: where it goes, under the dataset's own name and version.

    Returns:
        The version, and whether it is new to the store.

    Raises:
        PublishError: it was not published by imitation-data, or a file is not what it says.
        SourceError: the Hub has no such repository or revision, or does not answer.
        StoreError: the store cannot be written.
    """
    folder = _fetched(reference)
    path = folder / PUBLISH
    record = read_record(path.read_bytes() if path.is_file() else None, reference)
    if not record:
        raise PublishError(
            f"{reference}: has no {PUBLISH}, so it is no version published by imitation-data; "
            "read it as a source of a recipe, or with `datasets.load_dataset`"
        )
    manifest = _checked(folder, record, reference)
    name, version = str(manifest.get("name")), Version.parse(str(manifest.get("version")))
    if version is None:
        raise PublishError(f"{reference}/{MANIFEST}: names no version: {manifest.get('version')!r}")
    for stored in store.versions(name):
        if stored.version == version:
            if checksum(stored.path / MANIFEST) == record["files"][MANIFEST]["sha256"]:
                return stored, False
            raise PublishError(
                f"{stored} in the store {store.root} is another version of that number; pull into "
                "another store (--store), or move it away"
            )
    with store.locked(name):
        return _placed(folder, record, store, (name, version, manifest)), True


def _fetched(reference: str) -> Path:
    if reference.startswith("folder:"):
        folder = Path(reference.removeprefix("folder:")).expanduser()
        if not folder.is_dir():
            raise PublishError(f"{folder}: no such folder")
        return folder
    repo, _, revision = reference.partition("@")
    return fetch(repo, revision or "main", WANTED)[0]


def _checked(folder: Path, record: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """Hold every file against the record, and the record against the manifest."""
    files = cast("dict[str, dict[str, Any]]", record["files"])
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
        named = cast("dict[str, dict[str, Any]]", manifest["files"])
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise PublishError(f"{reference}/{MANIFEST}: is not a readable manifest") from error
    problems = []
    for name, told in sorted(named.items()):
        if name not in files:
            problems.append(f"{name}: the manifest has it, and it was not published")
        elif files[name] != told and not name.startswith("ledger/"):  # may be without evidence
            problems.append(f"{name}: {PUBLISH} and {MANIFEST} speak of different files")
    for name in (*named, MANIFEST):
        problems += _file_problems(folder / name, name, files.get(name))
    if problems:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        raise PublishError(
            f"{reference}: is not what was published; do not use it:\n{lines}\nIf a download broke "
            "off, delete it from the Hub client's cache (HF_HOME) and pull again"
        )
    return cast("dict[str, Any]", manifest)


def _file_problems(path: Path, name: str, told: Mapping[str, Any] | None) -> list[str]:
    if told is None:
        return []
    if not path.is_file():
        return [f"{name}: is not there"]
    size, digest = path.stat().st_size, checksum(path)
    if (size, digest) == (told["bytes"], told["sha256"]):
        return []
    expected = f"{told['bytes']:,} bytes, {str(told['sha256'])[:16]}…"
    return [f"{name}: found {size:,} bytes, SHA-256 {digest[:16]}…; expected {expected}"]


def _placed(
    folder: Path,
    record: Mapping[str, Any],
    store: Store,
    named: tuple[str, Version, dict[str, Any]],
) -> StoredVersion:
    name, version, manifest = named
    partial = store.start(name, version)
    more = [one for one in (PUBLISH, CARD, CHANGELOG, CROISSANT) if (folder / one).is_file()]
    for one in (*manifest["files"], *more):
        target = partial / one
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / one, target)
    done = store.finish(partial, name, version, manifest)
    written = sha256((done.path / MANIFEST).read_bytes()).hexdigest()
    if written != record["files"][MANIFEST]["sha256"]:
        raise PublishError(f"{done}: its manifest cannot be written as it was published")
    return done
