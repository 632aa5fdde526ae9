"""Source files: finding them, opening them through gzip, zstd and zip, with limits on archives."""

import io
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import glob, has_magic
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol, cast

import pyarrow as pa

from imitation_data.errors import SourceError

MAX_RATIO = 400  # text packs 3 to 30 times; only a bomb packs more than this
RATIO_APPLIES_AFTER = 64 << 20  # bytes; small files may pack absurdly well
MAX_MEMBERS = 100_000
BLOCK = 1 << 18  # bytes
PACKED = {".gz": "gzip", ".zst": "zstd"}
UNREAD = {".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".lz4", ".br"}

_PIECE = 1 << 16  # bytes; what a damaged archive may take with it just before the damage
_OPENING = (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError)
_READING = (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError, ValueError)
_DATASETS_OWN = {"state.json", "dataset_info.json", "dataset_dict.json"}
_HUBS_OWN = {"dataset_infos.json"}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One raw file, possibly compressed, possibly a member of a zip archive.

    Attributes:
        path: the file on disk.
        name: its name in messages and in `meta`: relative to the source's path, `/` between
            folders, `archive.zip!member.json` for archive members.
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

    @property
    def packed(self) -> bool:
        """Whether the bytes on disk are not the bytes that `open` gives."""
        return bool(self.member) or self.path.suffix.lower() in PACKED

    def open(self) -> BinaryIO:
        """Open for reading, unpacked.

        Raises:
            SourceError: the file cannot be opened. Damage and over-sized archives are found while
                reading; `read` raises it then.
        """
        try:
            if self.member:
                return _open_member(self)
            raw = self.path.open("rb", buffering=BLOCK)
            codec = PACKED.get(self.path.suffix.lower(), "")
            return _guarded(raw, codec, self.name, self.path.stat().st_size)
        except _OPENING as error:
            raise SourceError(f"{self.name}: cannot be opened ({_words(error)})") from error


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Guarded(io.RawIOBase):
    """A stream whose failures are `SourceError`s and whose unpacked size is limited."""

    def __init__(self, stream: _Readable, below: BinaryIO, name: str, limit: int | None) -> None:
        self._stream, self._below, self._name, self._limit = stream, below, name, limit
        self._total = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            block = self._stream.read(min(len(buffer), _PIECE))
        except SourceError:
            raise
        except _READING as error:
            what = "the file" if self._limit is None else "the compressed data"
            raise SourceError(
                f"{self._name}: {what} is damaged or cut off after {self._total:,} bytes "
                f"({_words(error)}); fetch the file again, or mend it by hand"
            ) from error
        self._total += len(block)
        if self._limit is not None and self._total > self._limit:
            raise SourceError(
                f"{self._name}: unpacks to more than {MAX_RATIO} times its size; expected text. "
                "If it is what you think it is, unpack it by hand and name the unpacked file"
            )
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        self._below.close()
        super().close()


def _guarded(below: BinaryIO, codec: str, name: str, size: int | None) -> BinaryIO:
    """Wrap an open stream.

    Args:
        below: the stream as stored; closed with the result.
        codec: what to unpack it with, or empty.
        name: for messages.
        size: bytes before unpacking, which limit those after; None for no limit.
    """
    stream: _Readable = below
    limit = None
    if codec:
        # Arrow's streams, unlike zstandard's, tell a cut-off file from one that ends.
        stream = cast("_Readable", pa.CompressedInputStream(pa.PythonFile(below, mode="r"), codec))
    elif not isinstance(below, zipfile.ZipExtFile):
        size = None
    if size is not None:
        limit = max(size * MAX_RATIO, RATIO_APPLIES_AFTER)
    return io.BufferedReader(_Guarded(stream, below, name, limit), buffer_size=BLOCK)


def _open_member(file: SourceFile) -> BinaryIO:
    with zipfile.ZipFile(file.path) as archive:  # the open member keeps the file open
        info = archive.getinfo(file.member)
        member = cast("BinaryIO", archive.open(info))
    # What a header claims about its size is not believed beyond the size of the archive.
    size = min(info.compress_size, file.path.stat().st_size)
    stream = _guarded(member, "", file.name, size)
    codec = PACKED.get(PurePosixPath(file.member).suffix.lower())
    return _guarded(stream, codec, file.name, size) if codec else stream


def utf8(name: str) -> str:
    """A name from the file system, with what is not UTF-8 in it made visible."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def labels(files: Sequence[SourceFile]) -> list[str]:
    """A name of each file that no other one has: its own, behind as many folders as that takes.

    A file that is named twice is told apart by `#2`.
    """
    found = {_place(file): file.name for file in files}
    folders = {_place(file): _folders(file) for file in files}
    own = {_place(file): file.name for file in files}
    for depth in range(1, max(map(len, folders.values()), default=0) + 1):
        taken = Counter(found.values())
        for place, name in found.items():
            if taken[name] > 1:
                found[place] = "/".join([*folders[place][-depth:], own[place]])
    names: dict[str, None] = {}
    for file in files:
        name, again = found[_place(file)], 1
        while name in names:
            again += 1
            name = f"{found[_place(file)]}#{again}"
        names[name] = None
    return list(names)


def _place(file: SourceFile) -> tuple[Path, str]:
    return Path(os.path.abspath(file.path)), file.member  # noqa: PTH100 - links stay, `..` goes


def _folders(file: SourceFile) -> tuple[str, ...]:
    """The folders that a file's name does not name, the outermost first."""
    outer = file.name.removesuffix(f"!{file.member}") if file.member else file.name
    return file.path.absolute().parents[outer.count("/")].parts[1:]


def find_files(
    path: Path, suffixes: tuple[str, ...], patterns: Sequence[str] = ()
) -> list[SourceFile]:
    """List the source files under a file, a folder, a glob or a zip archive, in a stable order.

    Args:
        path: what the recipe names. A glob (`*`, `?`, `[…]`, `**`) is used when nothing has that
            very name.
        suffixes: the reader's suffixes (`.json`, …). A file named directly is taken whatever its
            suffix; in folders and archives hidden files are left out.
        patterns: if there are any, files of a folder must match one (`data/*.parquet`; `*` stands
            for `/` too, as on the Hub).

    Raises:
        SourceError: nothing is there, nothing in it fits, or an archive is refused.
    """
    endings = f"{', '.join(suffixes)} (.gz or .zst may follow, or a .zip hold them)"
    found: list[SourceFile] = []
    try:
        if path.is_dir():
            for file in sorted(_walk(path), key=lambda file: file.relative_to(path).parts):
                name = file.relative_to(path).as_posix()
                if not patterns or matches(name, patterns):
                    found += _expand(file, name, suffixes, named=False)
            if not found:
                matching = f" matches {', '.join(patterns)} and" if patterns else ""
                raise SourceError(
                    f"{path}: the folder holds no file that{matching} ends in {endings}"
                )
        elif path.is_file():
            found = _expand(path, path.name, suffixes, named=True)
        else:
            root = glob_root(path)
            for file in sorted(map(Path, glob(str(path), recursive=True))):  # noqa: PTH207 - a whole pattern, root and all
                if file.is_file():
                    name = file.relative_to(root).as_posix()
                    found += _expand(file, name, suffixes, named=True)
            if not found:
                wrong = "no such file or folder" if root == path.parent else "matches no file"
                wrong = "neither a file nor a folder" if path.exists() else wrong
                raise SourceError(f"{path}: {wrong}")
    except (OSError, ValueError) as error:  # a name with a NUL, a link that points to itself
        raise SourceError(f"{path}: cannot be looked through ({_words(error)})") from error
    return found


def glob_root(path: Path) -> Path:
    """The folder above a path's first part with a wildcard; its own folder without one."""
    plain = takewhile(lambda part: not has_magic(part), path.parts[:-1])
    return Path(*plain)


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a file's name fits a pattern, by the Hub's rules: `data/` means all below it."""
    return any(
        fnmatchcase(name, f"{pattern}*" if pattern.endswith("/") else pattern)
        for pattern in patterns
    )


def _walk(folder: Path) -> Iterator[Path]:
    seen = set()
    for parent, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        real = os.path.realpath(parent)
        if real in seen:  # a link back up
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        saved = any(name.endswith(".arrow") for name in names) or "dataset_dict.json" in names
        for name in names:
            own = name in _HUBS_OWN or (saved and name in _DATASETS_OWN)
            path = Path(parent, name)
            # A pipe would be waited for; a link that leads nowhere is reported when it is opened.
            if not name.startswith(".") and not own and (path.is_file() or not path.exists()):
                yield path


def _refuse(error: OSError) -> None:
    raise error


def _expand(path: Path, name: str, suffixes: tuple[str, ...], *, named: bool) -> list[SourceFile]:
    # A name the system could not decode must still fit into messages, JSON and Arrow.
    file = SourceFile(path, utf8(name))
    ending = path.suffix.lower()
    if ending == ".zip":
        return _members(file, suffixes, named=named)
    if named and (ending in UNREAD or file.suffix in UNREAD):
        raise SourceError(f"{file.name}: this kind of archive is not read; unpack it first")
    return [file] if named or file.suffix in suffixes else []


def _members(file: SourceFile, suffixes: tuple[str, ...], *, named: bool) -> list[SourceFile]:
    try:
        with zipfile.ZipFile(file.path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
    except _OPENING as error:
        raise SourceError(f"{file.name}: is no readable zip archive ({_words(error)})") from error
    if len(infos) > MAX_MEMBERS:
        raise SourceError(
            f"{file.name}: holds {len(infos):,} files; at most {MAX_MEMBERS:,} are read"
        )
    members: dict[str, SourceFile] = {}
    for info in infos:
        name = info.filename
        inside = PurePosixPath(name.replace("\\", "/"))
        if inside.is_absolute() or ".." in inside.parts:
            raise SourceError(
                f"{file.name}: a member's path leaves the archive ({name[:80]!r}); "
                "expected plain relative paths"
            )
        if inside.name.startswith(".") or "__MACOSX" in inside.parts:
            continue
        if name in members:
            raise SourceError(f"{file.name}: two members have the name {name[:80]!r}")
        shown = name.encode("utf-8", "replace").decode("utf-8")
        member = SourceFile(file.path, f"{file.name}!{shown}", name)
        if member.suffix in suffixes:
            members[name] = member
    if not members and named:
        raise SourceError(f"{file.name}: holds no file that ends in {', '.join(suffixes)}")
    return [members[name] for name in sorted(members)]


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
