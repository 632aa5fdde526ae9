"""Whether a version is what its manifest says: every file, every row, the fingerprint."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from imitation_data.checksum import checksum
from imitation_data.conversation import content_id, messages_in
from imitation_data.errors import StoreError
from imitation_data.identity import ids_of
from imitation_data.versions.manifest import (
    MANIFEST,
    PUBLISH,
    RENDERED,
    Listed,
    listed_files,
    read_manifest,
)
from imitation_data.versions.semver import Version, fingerprint, sorted_ids
from imitation_data.versions.store import split_of

BATCH = 4096  # rows
PUT_BACK = "put it back from a copy, or remove the version and build it again"
UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, pa.ArrowException)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as the manifest says.

    Attributes:
        path: the file, relative to the version's folder.
        expected, found: in words.
        advice: what to do.
    """

    path: str
    expected: str
    found: str
    advice: str = PUT_BACK

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}; found {self.found}; {self.advice}"


@dataclass
class Examined:
    """What a version's folder was found to be.

    Attributes:
        faults: none when all is as the manifest says.
        files, bytes: what the manifest lists and is there.
        rows: counted.
        uncovered: rendered files that no checksum covers.
    """

    faults: list[Fault] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    rows: int = 0
    uncovered: int = 0


@dataclass(frozen=True)
class Leave:
    """Where a copy may differ from what the manifest lists.

    Attributes:
        replaced: files that are others than in the manifest, with what they must be.
        absent: files that need not be there; rows of a split that lacks some are not counted.
        others: whether files that the manifest does not list may lie there.
    """

    replaced: Mapping[str, Listed] = field(default_factory=dict)
    absent: Collection[str] = ()
    others: bool = False


def verify(
    folder: Path,
    replaced: Mapping[str, Listed] | None = None,
    absent: Collection[str] = (),
    *,
    deep: bool = False,
) -> list[Fault]:
    """Hold a version's folder against its manifest.

    Args:
        folder: with a manifest.
        replaced: files that are others than in the manifest, with what they must be.
        absent: files that need not be there.
        deep: compute every row's id anew from its messages, too.

    Returns:
        What is wrong, none when nothing is.
    """
    return examine(folder, Leave(replaced or {}, absent), deep=deep).faults


def published(folder: Path) -> Leave:
    """Where a pulled version differs: a ledger may have been published without its evidence.

    Raises:
        StoreError: its `publish.json` cannot be read.
    """
    path = folder / PUBLISH
    try:
        record = orjson.loads(path.read_bytes()) if path.is_file() else {"files": {}}
    except (OSError, orjson.JSONDecodeError) as error:
        raise StoreError(f"{path}: is not a readable record ({error})") from error
    files = listed_files(record if isinstance(record, dict) else {}, PUBLISH)
    return Leave({name: one for name, one in files.items() if name.startswith("ledger/")})


def examine(folder: Path, leave: Leave | None = None, *, deep: bool = False) -> Examined:
    """Hold a version's folder against its manifest, as `verify`, and count.

    Args:
        folder: with a manifest.
        leave: where it may differ; for a pulled version what was published, when not given.
        deep: as for `verify`.
    """
    found = Examined()
    try:
        manifest = read_manifest(folder / MANIFEST)
        listed = listed_files(manifest, MANIFEST)
        leave = leave or published(folder)
    except StoreError as error:
        found.faults.append(Fault(MANIFEST, "a manifest", str(error)))
        return found
    expected = {name: leave.replaced.get(name, entry) for name, entry in listed.items()}
    missing = {name for name in expected if name in leave.absent and not (folder / name).exists()}
    for name in sorted(expected.keys() - missing):
        found.faults.extend(_file_faults(folder, name, expected[name]))
        found.files += 1
        found.bytes += expected[name].bytes
    if not leave.others:
        _look_for_others(folder, expected, found)
    number = Version.parse(folder.name) if folder.name.startswith("v") else None
    if number and str(number) != manifest.get("version"):
        told = str(manifest.get("version"))
        found.faults.append(Fault(MANIFEST, f"version {number}, as its folder says", told))
    _examine_rows(folder, manifest, (sorted(listed), missing), found, deep=deep)
    return found


def _file_faults(folder: Path, name: str, listed: Listed) -> Iterator[Fault]:
    path = folder / name
    try:
        if not path.is_file():
            yield Fault(name, f"a file of {listed.bytes:,} bytes", "no file")
        elif path.stat().st_size != listed.bytes:
            yield Fault(name, f"{listed.bytes:,} bytes", f"{path.stat().st_size:,}")
        elif (digest := checksum(path)) != listed.sha256:
            yield Fault(name, f"SHA-256 {listed.sha256}", digest)
    except OSError as error:
        yield Fault(name, "a file that can be read", str(error.strerror or error))


def _look_for_others(folder: Path, expected: Mapping[str, Listed], found: Examined) -> None:
    """Files that the manifest does not list: rendered ones are counted, others are faults."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or name in expected or name == MANIFEST:
            continue
        if name in RENDERED:
            found.uncovered += 1
        else:
            found.faults.append(Fault(name, "no such file", "one", "move it out of the version"))


def _examine_rows(
    folder: Path,
    manifest: Mapping[str, object],
    files: tuple[list[str], set[str]],
    found: Examined,
    *,
    deep: bool,
) -> None:
    """Count rows by split, and compute the fingerprint of them all."""
    names, missing = files
    data = [name for name in names if name.startswith("data/") and name.endswith(".parquet")]
    splits: dict[str, list[NDArray[np.bytes_]]] = {}
    unread = set()
    for name in data:
        split = split_of(folder / name)
        ids = None if name in missing else _ids(folder, name, found, deep=deep)
        if ids is None:
            unread.add(split)
        else:
            splits.setdefault(split, []).append(ids)
    told = manifest.get("splits")
    told = cast("dict[str, object]", told) if isinstance(told, dict) else {}
    pairs = {split: sorted_ids(np.concatenate(ids)) for split, ids in splits.items()}
    found.rows = sum(map(len, pairs.values()))
    for split in sorted((told.keys() | pairs.keys()) - unread):
        if told.get(split, 0) != len(pairs.get(split, ())):
            expected = f"{told.get(split, 0)} rows in split {split}"
            found.faults.append(Fault("data", expected, f"{len(pairs.get(split, ())):,}"))
    if unread:
        return
    if found.rows != manifest.get("rows"):
        found.faults.append(Fault("data", f"{manifest.get('rows')} rows", f"{found.rows:,}"))
    digest = fingerprint(pairs)
    if digest != manifest.get("fingerprint"):
        found.faults.append(Fault("data", f"fingerprint {manifest.get('fingerprint')}", digest))


def _ids(folder: Path, name: str, found: Examined, *, deep: bool) -> NDArray[np.bytes_] | None:
    """The ids of a data file; None where they cannot be read, which is a fault."""
    ids, wrong, rows = [np.zeros(0, "S16")], list[str](), 0
    try:
        columns = ["id", "messages"] if deep else ["id"]
        with pq.ParquetFile(folder / name) as parquet:
            for batch in parquet.iter_batches(BATCH, columns=columns):
                ids.append(ids_of(batch))
                if deep:
                    told = batch.column("id").to_pylist()
                    own = map(content_id, messages_in(batch))
                    differ = [one for one, made in zip(told, own, strict=True) if one != made]
                    wrong, rows = (wrong + differ)[:1], rows + len(differ)
    except UNREADABLE as error:
        if (folder / name).is_file():
            found.faults.append(Fault(name, "rows with ids that can be read", str(error)))
        return None
    if wrong:
        told = f"other messages in {rows:,} rows, the first with id {wrong[0]}"
        found.faults.append(Fault(name, "ids that follow from the messages", told))
    return np.concatenate(ids)
