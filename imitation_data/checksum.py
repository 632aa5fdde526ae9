"""The checksum of a file, by which sources, versions and publications are known."""

from hashlib import file_digest
from pathlib import Path


def checksum(path: Path) -> str:
    """SHA-256 of a file on disk, in hex."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
