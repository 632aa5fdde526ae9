"""Source files: finding them, opening them through gzip, zstd and zip, with limits on archives."""

import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import zstandard

from imitation_data.errors import SourceError

MAX_RATIO = 400  # text packs 3 to 30 times; only a bomb packs more than this
MAX_MEMBER_BYTES = 256 << 30
MAX_MEMBERS = 100_000
RATIO_APPLIES_AFTER = 64 << 20  # small files may pack absurdly well
PACKED = (".gz", ".zst")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One raw file, possibly compressed, possibly a member of a zip archive.

    Attributes:
        path: the file on disk.
        name: its name in messages and in `meta`: relative to the source's path, `/` between folders,
            `archive.zip!member.json` for archive members.
        member: name inside the archive, or empty.
    """

    path: Path
    name: str
    member: str = ""

    @property
    def suffix(self) -> str:
        """The suffix that tells the format: `.json` for `a.json.gz`."""
        name = PurePosixPath(self.member or self.path.name)
        if name.suffix.lower() in PACKED:
            name = name.with_suffix("")
        return name.suffix.lower()

    def open(self) -> BinaryIO:
        """Open for reading, unpacked.

        Raises:
            SourceError: the file cannot be opened. Broken or over-sized archives raise it from `read`.
        """
        try:
            if self.member:
                return _open_member(self)
            raw: BinaryIO = self.path.open("rb")
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise SourceError(f"{self.name}: cannot be opened ({_words(error)})") from error
        packed = self.path.suffix.lower()
        size = self.path.stat().st_size
        if packed == ".gz":
            return _buffered(cast("BinaryIO", gzip.GzipFile(fileobj=raw)), self.name, size)
        if packed == ".zst":
            stream = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
            return _buffered(cast("BinaryIO", stream), self.name, size)
        return raw


class _Guarded(io.RawIOBase):
    """An unpacking stream whose failures are `SourceError`s and whose output is limited."""

    def __init__(self, stream: BinaryIO, name: str, packed_size: int) -> None:
        self._stream, self._name, self._packed, self._total = stream, name, packed_size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            block = self._stream.read(len(buffer))
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, zstandard.ZstdError) as error:
            raise SourceError(
                f"{self._name}: the compressed data is damaged or cut off after {self._total:,} unpacked bytes "
                f"({_words(error)}); fetch the file again, or unpack what is left of it by hand"
            ) from error
        self._total += len(block)
        limit = max(self._packed * MAX_RATIO, RATIO_APPLIES_AFTER)
        if self._total > min(limit, MAX_MEMBER_BYTES):
            raise SourceError(
                f"{self._name}: unpacks to more than {MAX_RATIO} times its size; expected text. "
                "If it is what you think it is, unpack it by hand and name the unpacked file"
            )
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _buffered(stream: BinaryIO, name: str, size: int) -> BinaryIO:
    return io.BufferedReader(_Guarded(stream, name, size), buffer_size=1 << 18)


def _open_member(file: SourceFile) -> BinaryIO:
    archive = zipfile.ZipFile(file.path)
    info = archive.getinfo(file.member)
    stream = _buffered(cast("BinaryIO", archive.open(info)), file.name, info.compress_size)
    if not file.member.lower().endswith(PACKED):
        return stream
    if file.member.lower().endswith(".gz"):
        inner = cast("BinaryIO", gzip.GzipFile(fileobj=stream))
    else:
        inner = cast(
            "BinaryIO", zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
        )
    return _buffered(inner, file.name, info.file_size)


def find_files(path: Path, suffixes: tuple[str, ...]) -> list[SourceFile]:
    """List the source files under a file, a folder, a glob or a zip archive, in a stable order.

    Args:
        path: what the recipe names. A glob (`*`, `?`, `[`) is used when nothing has that very name.
        suffixes: the reader's suffixes (`.json`, …). A file named directly is taken whatever its suffix.

    Raises:
        SourceError: nothing is there, nothing in it fits, or an archive is refused.
    """
    found: list[SourceFile] = []
    if path.is_dir():
        for file in sorted(_walk(path), key=lambda file: file.relative_to(path).parts):
            found += _expand(file, file.relative_to(path).as_posix(), suffixes, named=False)
        if not found:
            raise SourceError(
                f"{path}: the folder holds no file that ends in {', '.join(suffixes)} (.gz, .zst and .zip may follow)"
            )
    elif path.is_file():
        found = _expand(path, path.name, suffixes, named=True)
    else:
        for file in sorted(path.parent.glob(path.name)) if path.parent.is_dir() else ():
            if file.is_file():
                found += _expand(file, file.name, suffixes, named=True)
        if not found:
            raise SourceError(f"{path}: no such file or folder")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _expand(path: Path, name: str, suffixes: tuple[str, ...], *, named: bool) -> list[SourceFile]:
    file = SourceFile(path, name)
    if path.suffix.lower() == ".zip":
        return _members(file, suffixes)
    return [file] if named or file.suffix in suffixes else []


def _members(file: SourceFile, suffixes: tuple[str, ...]) -> list[SourceFile]:
    try:
        with zipfile.ZipFile(file.path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(
            f"{file.name}: is not a readable zip archive ({_words(error)})"
        ) from error
    if len(infos) > MAX_MEMBERS:
        raise SourceError(
            f"{file.name}: holds {len(infos):,} files; at most {MAX_MEMBERS:,} are read"
        )
    members = []
    for info in infos:
        inside = PurePosixPath(info.filename)
        if inside.is_absolute() or ".." in inside.parts:
            raise SourceError(
                f"{file.name}: a member's path leaves the archive ({info.filename!r}); expected plain relative paths"
            )
        if inside.name.startswith(".") or "__MACOSX" in inside.parts:
            continue
        member = SourceFile(file.path, f"{file.name}!{info.filename}", info.filename)
        if member.suffix in suffixes:
            members.append(member)
    if not members:
        raise SourceError(f"{file.name}: holds no file that ends in {', '.join(suffixes)}")
    return sorted(members, key=lambda member: member.member)


def checksum(path: Path) -> str:
    """SHA-256 of a file on disk, in hex."""
    digest = sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
