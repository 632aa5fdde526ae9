"""Files and folders that are written whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from imitation_data.errors import ImitationDataError


@contextmanager
def whole_file(
    path: Path, refused: type[ImitationDataError], advice: str = ""
) -> Iterator[BinaryIO]:
    """Write beside the target, then rename: readers see the old file or the new one.

    Args:
        path: the target; its folder is made.
        refused: raised when the disk is full or the folder cannot be written.
        advice: what to do then.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as out:
            yield out
        partial.replace(path)
    except OSError as error:
        raise refused(_words(path, error, advice)) from error
    finally:
        with suppress(OSError):  # what went wrong is told already
            partial.unlink(missing_ok=True)


def write_whole(
    path: Path, content: bytes, refused: type[ImitationDataError], advice: str = ""
) -> None:
    """Write a file, whole or not at all; raises as `whole_file`."""
    with whole_file(path, refused, advice) as out:
        out.write(content)


@contextmanager
def whole_folder(path: Path, refused: type[ImitationDataError]) -> Iterator[Path]:
    """Fill a folder beside the target, then rename it; the target is empty or not there.

    Args:
        path: the target.
        refused: raised when the disk is full or the folder cannot be written.
    """
    target = path.resolve()
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        partial.replace(target)
    except OSError as error:
        raise refused(_words(path, error, "")) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _words(path: Path, error: OSError, advice: str) -> str:
    told = f"{path}: cannot be written ({error.strerror or error})"
    return f"{told}; {advice}" if advice else told
