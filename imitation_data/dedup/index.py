"""An index on disk: what is known already, so that new texts can be held against it.

A folder: `index.json`, written last, names the segments and all that decides about the bits in
them; each segment is one Arrow IPC file with a row a text. It holds ids, signatures and shingle
sets, no text, and is good for any threshold.
"""

import fcntl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from imitation_data.atomic import write_whole
from imitation_data.dedup.near import Matches, match, policy_order
from imitation_data.dedup.segment import made_of, sketched, stored_sets
from imitation_data.dedup.shingling import Shingling
from imitation_data.dedup.sketch import (
    NearOptions,
    StoredSets,
    joined,
    sketch,
)
from imitation_data.errors import StoreError
from imitation_data.text.column import Column

FORMAT = 1
MANIFEST = "index.json"
LOCK = ".lock"


@dataclass(frozen=True)
class Segment:
    """Texts that were added together.

    Attributes:
        name: of the file; it is made from its contents.
        rows: how many texts.
        checksum: XXH3-128 of the file, 32 hex digits.
    """

    name: str
    rows: int
    checksum: str


@dataclass(frozen=True)
class Index:
    """An index that was opened; adding and merging give a new value and change the folder.

    Attributes:
        path: its folder.
        shingling: what it was made with.
        on: what its texts are (`prompt`, a column), where that is known.
        segments: what is in it.
    """

    path: Path
    shingling: Shingling
    on: str = ""
    segments: tuple[Segment, ...] = ()

    def __len__(self) -> int:
        return sum(segment.rows for segment in self.segments)

    @classmethod
    def create(cls, path: str | Path, shingling: Shingling | None = None, on: str = "") -> "Index":
        """Begin an index in a folder that is not there, or is empty.

        Args:
            path: the folder.
            shingling: what to make it with; the default when not given.
            on: what its texts are, so that others are not held against it by mistake.

        Raises:
            StoreError: something lies there already.
        """
        folder = Path(path)
        if not is_free(folder):
            raise StoreError(f"{folder}: is there already; name a new folder for the index")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{folder}: cannot be made ({error.strerror or error})") from error
        index = cls(folder, shingling or Shingling(), on)
        with _locked(folder):
            if not is_free(folder):
                raise StoreError(f"{folder}: was made by somebody else meanwhile; run again")
            _write(index)
        return index

    @classmethod
    def open(cls, path: str | Path, shingling: Shingling | None = None, on: str = "") -> "Index":
        """Open an index.

        Args:
            path: its folder.
            shingling: what it must have been made with; whatever it was when not given.
            on: what its texts must be, where that is known; whatever they are when not given.

        Raises:
            StoreError: there is none, it is damaged, or it was made in another way.
        """
        folder = Path(path)
        value = _manifest(folder)
        made = dict(value["shingling"])
        try:
            fields = (made["ngram"], made["permutations"], made["seed"], made["scheme"])
            own = Shingling(*fields)
            segments = tuple(Segment(**one) for one in value["segments"])
            what = str(value["on"])
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(folder, f"{MANIFEST} does not have the form of an index") from error
        for asked in (own, shingling or own):
            _refuse_other(folder, made, asked.identity())
        for segment in segments:
            if not (folder / segment.name).is_file():
                raise _damaged(folder, f"the segment {segment.name} is not there")
        if on and what and on != what:
            raise StoreError(
                f"{folder}: holds texts of {what!r}, and {on!r} is to be held against them. If "
                f"that is meant, say --against-on {what}"
            )
        return cls(folder, own, what, segments)

    def add(self, ids: Sequence[str], texts: Iterable[pa.Array], threads: int = 1) -> "Index":
        """Add texts as one segment; none of them is held against the others.

        Args:
            ids: the user's own, one a text, all different.
            texts: string arrays, the chunks of the column.
            threads: how many to use.

        Raises:
            StoreError: an id repeats, or is in the index already.
        """
        refuse_repeats(self.path, ids, self.ids())
        pieces = [made_of(self.shingling, piece, threads) for piece in Column(texts)]
        if (count := sum(piece.num_rows for piece in pieces)) != len(ids):
            raise ValueError(f"found {len(ids)} ids; expected {count}, one a text")
        if not count:
            return self
        table = pa.concat_tables(pieces).combine_chunks()
        return self._with([table.add_column(0, "id", pa.array(ids, pa.large_string()))])

    def merge(self, other: "Index") -> "Index":
        """Add all that another index holds.

        Raises:
            StoreError: it was made in another way, it is damaged, or both hold the same id.
        """
        if other.path.resolve() == self.path.resolve():
            raise StoreError(f"{other.path}: is the same index; name another one")
        _refuse_other(other.path, other.shingling.identity(), self.shingling.identity())
        if self.on and other.on and self.on != other.on:
            raise StoreError(
                f"{other.path}: holds texts of {other.on!r}, and {self.path} of {self.on!r}; keep "
                "them apart"
            )
        refuse_repeats(other.path, other.ids(), self.ids())
        return self._with(other.tables())

    def check(self) -> list[str]:
        """Read everything and list what is wrong, as sentences."""
        problems, seen = [], set[str]()
        for segment in self.segments:
            content = (self.path / segment.name).read_bytes()
            if xxhash.xxh3_128_hexdigest(content) != segment.checksum:
                problems.append(f"{segment.name}: its bytes are not those that were written")
                continue
            table = _read(self.path, segment)
            ids = table.column("id").to_pylist()
            repeated = len(ids) + len(seen) - len(seen.union(ids))
            if table.num_rows != segment.rows:
                problems.append(f"{segment.name}: found {table.num_rows} rows of {segment.rows}")
            if repeated:
                problems.append(f"{segment.name}: {repeated} ids stand in the index twice")
            seen.update(ids)
        known = {MANIFEST, LOCK, *(segment.name for segment in self.segments)}
        problems += [
            f"{path.name}: {_stray(path.name)}"
            for path in sorted(self.path.iterdir())
            if path.name not in known
        ]
        return problems

    def ids(self) -> list[str]:
        """The ids of all texts, in the order they came."""
        return [name for table in self.tables() for name in table.column("id").to_pylist()]

    def tables(self) -> Iterator[pa.Table]:
        """The segments, memory-mapped.

        Raises:
            StoreError: one cannot be read, or is not what was written.
        """
        for segment in self.segments:
            with pa.memory_map(str(self.path / segment.name)) as file:
                found = xxhash.xxh3_128_hexdigest(memoryview(file.read_buffer()))
            if found != segment.checksum:
                raise _damaged(self.path, f"{segment.name} is not what was written")
            yield _read(self.path, segment)

    def compare(
        self,
        texts: Iterable[pa.Array],
        options: NearOptions,
        order: NDArray[np.int64] | None = None,
        threads: int = 1,
    ) -> Matches:
        """Hold new texts against the index and each other; what is in the index stays.

        Args:
            texts: string arrays, gone through twice.
            options: what counts; its shingling must be the index's.
            order: of the new texts, those that stay first before the others; longest first when
                not given.
            threads: how many to use.

        Returns:
            Matches over the texts of the index and then the new ones.
        """
        _refuse_other(self.path, self.shingling.identity(), options.shingling.identity())
        column = Column(texts)
        known = [sketched(table, options) for table in self.tables()]
        new = [sketch(piece, options, threads) for piece in column]
        empty = sketch(pa.array([], pa.string()), options)
        before = len(self)
        mine = policy_order(column) if order is None else order
        whole = np.concatenate([np.arange(before), before + mine]).astype(np.int64)
        narrow = joined([empty, *known, *new])
        fixed = np.arange(len(narrow.counts)) < before
        return match(narrow, _All(self, column), options, whole, fixed=fixed, threads=threads)

    def _with(self, tables: Iterable[pa.Table]) -> "Index":
        """Write segments and then the manifest, while nobody else does."""
        with _locked(self.path):
            if Index.open(self.path).segments != self.segments:
                raise StoreError(f"{self.path}: was changed by somebody else meanwhile; run again")
            more = [_store(self.path, table) for table in tables]
            index = replace(self, segments=(*self.segments, *more))
            _write(index)
        return index


def is_free(folder: Path) -> bool:
    """Whether an index can be begun in a folder: it is not there, or empty."""
    if not folder.exists():
        return True
    return folder.is_dir() and all(path.name == LOCK for path in folder.iterdir())


def _stray(name: str) -> str:
    ours = name.endswith(".part") or (name.startswith("segment-") and name.endswith(".arrow"))
    words = "left by an interrupted run, it can be deleted" if ours else "is not read"
    return f"belongs to no segment; {words}"


@dataclass(frozen=True)
class _All:
    """The shingle sets of an index and then new texts, gone through as often as wanted."""

    index: Index
    texts: Iterable[pa.Array]

    def __iter__(self) -> Iterator[pa.Array | StoredSets]:
        for table in self.index.tables():
            for batch in table.to_batches():
                yield stored_sets(batch)
        yield from self.texts


def _store(folder: Path, table: pa.Table) -> Segment:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    content = sink.getvalue()
    checksum = xxhash.xxh3_128_hexdigest(content)
    name = f"segment-{checksum[:16]}.arrow"
    write_whole(folder / name, content, StoreError)
    return Segment(name, table.num_rows, checksum)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change an index."""
    try:
        file = (folder / LOCK).open("wb")
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror})") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _write(index: Index) -> None:
    """Write the manifest: what was added before it is there, or it is not."""
    value = {
        "format": FORMAT,
        "shingling": index.shingling.identity(),
        "on": index.on,
        "segments": [
            {"name": one.name, "rows": one.rows, "checksum": one.checksum} for one in index.segments
        ],
    }
    content = orjson.dumps(value, option=orjson.OPT_INDENT_2)
    write_whole(index.path / MANIFEST, content, StoreError)


def _read(folder: Path, segment: Segment) -> pa.Table:
    try:
        with pa.memory_map(str(folder / segment.name)) as source:
            return pa.ipc.open_file(source).read_all()
    except (OSError, pa.ArrowException) as error:
        raise _damaged(folder, f"{segment.name} cannot be read ({error})") from error


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise StoreError(f"{folder}: is no index: it has no {MANIFEST}")
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise _damaged(folder, f"{MANIFEST} cannot be read ({error})") from error
    if not isinstance(value, dict) or not isinstance(value.get("shingling"), dict):
        raise _damaged(folder, f"{MANIFEST} does not have the form of an index")
    if value.get("format") != FORMAT:
        raise StoreError(
            f"{folder}: is an index of format {value.get('format')}; this program reads {FORMAT}"
        )
    return cast("dict[str, Any]", value)


def _refuse_other(folder: Path, made: dict[str, object], asked: dict[str, object]) -> None:
    apart = [name for name in asked if made.get(name) != asked[name]]
    if apart:
        words = "; ".join(f"{name} {made.get(name)!r}, not {asked[name]!r}" for name in apart)
        raise StoreError(
            f"{folder}: was made with {words}. Ask for the same, or make the index again"
        )


def refuse_repeats(folder: Path, ids: Sequence[str], known: Sequence[str]) -> None:
    """Refuse ids of which one stands twice, or is known already.

    Raises:
        StoreError: names the first such id.
    """
    seen = set(known)
    for one in ids:
        if one in seen:
            raise StoreError(f"{folder}: the id {one!r} would stand in the index twice")
        seen.add(one)


def _damaged(folder: Path, what: str) -> StoreError:
    return StoreError(f"{folder}: the index is damaged: {what}; make it again from its texts")
