"""Files and folders that are written whole or not at all."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from imitation_data.errors import ImitationDataError, StoreError


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


def refuse_taken(folder: Path, inputs: Sequence[str] = ()) -> None:
    """Refuse an output folder in which something lies already, or that would be read next time.

    Args:
        folder: where the output goes.
        inputs: all that is read, also what rows are held against.

    Raises:
        StoreError: it is not empty, no folder, or lies in a folder that is read.
    """
    try:
        target = folder.resolve()
    except (OSError, RuntimeError) as error:
        raise StoreError(f"{folder}: leads nowhere ({error}); name a new folder") from error
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder}: is a file; name a new folder for --out")
    if target == Path.cwd():
        raise StoreError(f"{folder}: is the folder you are in; name a new one for --out")
    if folder.exists() and any(folder.iterdir()):
        raise StoreError(f"{folder}: is not empty; name a new folder for --out, or remove it")
    for one in inputs:
        if Path(one).is_dir() and Path(one).resolve() in (target, *target.parents):
            raise StoreError(
                f"{folder}: lies in {one}, which is read, and would be read with it the next time; "
                "name a folder elsewhere for --out"
            )
