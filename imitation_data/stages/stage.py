"""A stage on disk: a folder named by what it was made from, complete when `stage.json` is there.

Each shard's output is complete when its `.done` file is there; a killed build finds both and goes
on at the first unfinished shard. Files are written beside their target and renamed.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import BinaryIO

import orjson

from imitation_data import atomic
from imitation_data.errors import BuildError

_ADVICE = "make room or choose another --store, then run again to resume"


def digest(value: object) -> str:
    """32 hex digits over plain values: equal values, equal digest (keys in any order)."""
    return blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def library_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Versions of the distributions a step declares, by name; "" for one that is not installed."""
    return {name: _version(name) for name in sorted(set(names))}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write beside the target, then rename: readers see the old file or the new one.

    Raises:
        BuildError: the disk is full or the folder cannot be written.
    """
    with atomic.whole_file(path, BuildError, _ADVICE) as out:
        yield out


def write_file(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all; raises as `whole_file`."""
    with whole_file(path) as out:
        out.write(content)


def done(folder: Path, shard: str) -> dict[str, object] | None:
    """Read what a finished shard left, or None where it must be made (again)."""
    try:
        result: dict[str, object] = orjson.loads((folder / f"{shard}.done").read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):  # never written, or lost with the power
        return None
    return result


def mark_done(folder: Path, shard: str, result: Mapping[str, object]) -> None:
    """Mark a shard finished; written after all its files."""
    write_file(folder / f"{shard}.done", orjson.dumps(result))
