"""The manifest of a version: its last file, which lists all others with their checksums."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from imitation_data.errors import StoreError

MANIFEST = "manifest.json"
FORMAT = 1
PUBLISH = "publish.json"
RENDERED = ("README.md", "CHANGELOG.md", "croissant.json", PUBLISH, "report.html")
"""Files that are made from a version and can be made again; its manifest need not list them."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Listed:
    """What a manifest says of a file: its size in bytes, and its SHA-256 in hex."""

    bytes: int
    sha256: str


def read_manifest(path: Path) -> dict[str, object]:
    """Read a manifest, as plain values.

    Raises:
        StoreError: it cannot be read, or is of another format.
    """
    try:
        manifest: dict[str, object] = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise StoreError(f"{path}: is not a readable manifest ({error})") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise StoreError(f"{path}: is not a manifest of format {FORMAT}; was it edited?")
    return manifest


def to_bytes(manifest: Mapping[str, object]) -> bytes:
    """Write a manifest; equal values give equal bytes."""
    return orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def listed_files(manifest: Mapping[str, object], where: str) -> dict[str, Listed]:
    """The files that a manifest lists, by their path relative to the version's folder.

    Args:
        manifest: plain values, perhaps written by a stranger.
        where: the manifest, for messages.

    Raises:
        StoreError: the list has another form, or a path that would leave the folder.
    """
    files = manifest.get("files")
    if not isinstance(files, dict):
        raise StoreError(f"{where}: lists no `files`; was it edited?")
    found = {}
    for name, entry in files.items():
        listed = _listed(entry)
        if listed is None or not stays_inside(name):
            raise StoreError(
                f"{where}: found {name!r}: {entry!r} among its files; expected a path inside the "
                "version with `bytes` and `sha256`; was it edited?"
            )
        found[name] = listed
    return dict(sorted(found.items()))


def _listed(entry: object) -> Listed | None:
    """What an entry says, or None where it has another form."""
    size, digest = (
        (entry.get("bytes"), entry.get("sha256")) if isinstance(entry, dict) else (None, None)
    )
    if not isinstance(size, int) or size < 0:
        return None
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        return None
    return Listed(size, digest)


def stays_inside(name: str) -> bool:
    """Whether a relative POSIX path names a file below its folder, whatever the system."""
    parts = name.split("/")
    odd = any(part in {"", ".", ".."} or part != part.strip() for part in parts)
    return not odd and not set(name) & set('\\:*?"<>|\0') and name.isprintable()
