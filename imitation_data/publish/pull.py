"""A published version back into a store, held against its own checksums on the way."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imitation_data.checksum import checksum
from imitation_data.errors import PublishError, StoreError
from imitation_data.publish.folder import FOLDER, named_folder
from imitation_data.publish.publication import CARD, CHANGELOG, CROISSANT
from imitation_data.publish.record import read_record
from imitation_data.readers.hub import fetch
from imitation_data.recipe_parts import NAME
from imitation_data.versions.manifest import (
    MANIFEST,
    PUBLISH,
    Listed,
    listed_files,
    read_manifest,
    to_bytes,
)
from imitation_data.versions.semver import Version
from imitation_data.versions.store import Store, StoredVersion
from imitation_data.versions.verify import Fault, Leave, examine

WANTED = ("data/*", "ledger/*", "*.json", "*.yaml", "*.md", "*.jinja")
"""What of a repository is fetched: rows in other forms are left out."""


@dataclass(frozen=True)
class _Publication:
    """A published version as it was fetched: what its record and its manifest say.

    Attributes:
        folder: where it lies.
        name, version: of the manifest.
        manifest: plain values.
        files: by path, what the manifest lists, as the record has it.
    """

    folder: Path
    name: str
    version: Version
    manifest: Mapping[str, object]
    files: Mapping[str, Listed]


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
        StoreError: the store cannot be written, or is no folder.
    """
    if store.remote is not None:
        raise StoreError(f"{store}: versions are pulled into a folder; name one with --store")
    found = _read(_fetched(reference), reference)
    for stored in store.versions(found.name):
        if stored.version == found.version:
            if to_bytes(stored.manifest) == to_bytes(found.manifest):
                return stored, False
            raise PublishError(
                f"{stored} in the store {store} is another version of that number; pull into "
                "another store (--store), or move it away"
            )
    try:
        with store.locked(found.name):
            return _placed(found, store), True
    except OSError as error:
        raise StoreError(f"{store}: {reference} cannot be written ({error.strerror})") from error


def _fetched(reference: str) -> Path:
    if reference.startswith(FOLDER):
        folder = named_folder(reference)
        if not folder.is_dir():
            raise PublishError(f"{folder}: no such folder")
        return folder
    repo, _, revision = reference.partition("@")
    return fetch(repo, revision or "main", WANTED)[0]


def _read(folder: Path, reference: str) -> _Publication:
    """Hold the record of a publication against its manifest, and both against what is allowed."""
    path = folder / PUBLISH
    record = read_record(path.read_bytes() if path.is_file() else None, reference)
    if not record:
        raise PublishError(
            f"{reference}: has no {PUBLISH}, so it is no version published by imitation-data; "
            "read it as a source of a recipe, or with `datasets.load_dataset`"
        )
    try:
        published = listed_files(record, f"{reference}/{PUBLISH}")
        manifest = read_manifest(folder / MANIFEST)
        listed = listed_files(manifest, f"{reference}/{MANIFEST}")
    except StoreError as error:
        raise PublishError(str(error)) from error
    name, version = str(manifest.get("name")), Version.parse(str(manifest.get("version")))
    if version is None or not NAME.fullmatch(name):
        raise PublishError(
            f"{reference}/{MANIFEST}: names {name!r}, version {manifest.get('version')!r}; "
            "expected the name of a dataset and a version as 1.2.0"
        )
    told = published.get(MANIFEST)
    faults = [
        Fault(one, f"what {MANIFEST} lists", f"something else in {PUBLISH}", "do not use it")
        for one, own in listed.items()
        if published.get(one) != own and (one not in published or not one.startswith("ledger/"))
    ]
    if (name, str(version)) != (record["name"], record["version"]):
        found = f"{record['name']}@{record['version']}"
        faults.append(Fault(PUBLISH, f"{name}@{version}", found, "do not use it"))
    if told is None or checksum(folder / MANIFEST) != told.sha256:
        faults.append(Fault(MANIFEST, f"what {PUBLISH} lists", "something else", "do not use it"))
    files = {one: published[one] for one in listed if one in published}
    if not faults:
        faults = examine(folder, Leave(files, others=True), deep=True).faults
    if not faults and (folder / MANIFEST).read_bytes() != to_bytes(manifest):
        faults.append(Fault(MANIFEST, "the form of this imitation-data", "another one"))
    _refuse(faults, reference)
    if str(version) in record.get("retracted", ()):
        raise PublishError(
            f"{reference}: holds v{version}, which was withdrawn (its {CHANGELOG} says why); name "
            "another version, or the commit that you want in spite of that"
        )
    return _Publication(folder, name, version, manifest, files)


def _refuse(faults: list[Fault], reference: str) -> None:
    if faults:
        told = (f"{one.path}: expected {one.expected}; found {one.found}" for one in faults[:20])
        lines = "\n".join(f"  - {words}" for words in told)
        raise PublishError(
            f"{reference}: is not what was published, and comes into no store:\n{lines}\n"
            "If a download broke off, delete it from the Hub's cache (HF_HOME) and pull again"
        )


def _placed(found: _Publication, store: Store) -> StoredVersion:
    """Copy it beside its place, and give it its name."""
    partial = store.start(found.name, found.version)
    more = [one for one in (PUBLISH, CARD, CHANGELOG, CROISSANT) if (found.folder / one).is_file()]
    for name in (*found.files, *more):
        target = partial / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found.folder / name, target)
    return store.finish(partial, found.name, found.version, found.manifest)
