"""Columns of texts: any kind of Arrow strings, in pieces, by threads."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from imitation_data.errors import StepError

Task = TypeVar("Task")
Result = TypeVar("Result")

PIECE_ROWS, PIECE_BYTES = 2048, 2 << 20  # what a thread takes at a time


class Buffers(NamedTuple):
    """An Arrow string array as its bytes and int64 offsets, shape (n + 1,)."""

    text: NDArray[np.uint8]
    offsets: NDArray[np.int64]


@dataclass(frozen=True)
class Column:
    """A column of texts as string arrays, gone through as often as wanted.

    Args:
        texts: an array or a chunked array of strings of any kind, or any number of them; an
            iterator is read whole, since texts are gone through twice.

    Raises:
        TypeError: in going through them, when one is no array of strings.
    """

    texts: Iterable[pa.Array]

    def __post_init__(self) -> None:
        given = self.texts
        if isinstance(given, pa.ChunkedArray):
            given = given.chunks
        elif isinstance(given, pa.Array):
            given = [given]
        elif isinstance(given, Iterator):
            given = list(given)
        object.__setattr__(self, "texts", given)

    def __iter__(self) -> Iterator[pa.Array]:
        for piece in self.texts:
            if not isinstance(piece, pa.Array | pa.ChunkedArray):
                found = type(piece).__name__
                raise TypeError(f"texts hold {found}; expected Arrow arrays, as pa.array(texts)")
            chunks = piece.chunks if isinstance(piece, pa.ChunkedArray) else (piece,)
            yield from map(plain, chunks)


def plain(texts: pa.Array) -> pa.Array:
    """A string array of any kind (views, dictionaries) as one that Arrow has all functions for.

    Raises:
        TypeError: it holds something else.
    """
    kind = texts.type
    if kind in {pa.string(), pa.large_string()}:
        return texts
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    if inner not in {pa.string(), pa.large_string(), pa.string_view(), pa.null()}:
        raise TypeError(f"texts are of type {kind}; expected strings")
    return texts.cast(pa.large_string())


def in_order(work: Callable[[Task], Result], tasks: Sequence[Task], threads: int) -> list[Result]:
    """Call a function that lets go of the interpreter for each task; results in order."""
    if threads <= 1 or len(tasks) <= 1:
        return [work(task) for task in tasks]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, tasks))


def pieces(offsets: NDArray[np.int64]) -> Iterator[slice]:
    """Runs of rows with at most so many rows, and bytes unless a single row has more."""
    first, last = 0, len(offsets) - 1
    while first < last:
        fit = int(np.searchsorted(offsets, offsets[first] + PIECE_BYTES, "right")) - 1
        stop = min(max(fit, first + 1), first + PIECE_ROWS, last)
        yield slice(first, stop)
        first = stop


def buffers_of(texts: pa.Array) -> Buffers:
    """The bytes and offsets of a string array of any kind; nulls count as empty."""
    texts = plain(texts)
    if texts.null_count:
        texts = texts.fill_null("")
    wide = np.int64 if texts.type == pa.large_string() else np.int32
    _, offsets, data = texts.buffers()
    if not len(texts) or data is None or offsets is None:
        return Buffers(_NOTHING, _fixed(np.zeros(len(texts) + 1, np.int64)))
    bounds = np.frombuffer(offsets, wide)[texts.offset : texts.offset + len(texts) + 1]
    text = np.frombuffer(data, np.uint8) if data.size else _NOTHING
    return Buffers(text, _fixed(bounds.astype(np.int64, copy=False)))


_NOTHING = np.frombuffer(b" ", np.uint8)


def _fixed(array: NDArray[np.int64]) -> NDArray[np.int64]:
    """Arrow's own arrays cannot be written; for one kind of array, kernels are compiled once."""
    array.flags.writeable = False
    return array


def strings(texts: pa.Array, rows: NDArray[np.int64]) -> list[str | None]:
    """Some texts as Python has them.

    Raises:
        StepError: one is not UTF-8, against what its column says.
    """
    try:
        return cast("list[str | None]", texts.take(pa.array(rows)).to_pylist())
    except UnicodeDecodeError as error:
        raise StepError(
            f"a text among {len(texts):,} is not UTF-8 ({error.reason}); mend the column first"
        ) from error


def pieces_with(
    texts: Iterable[pa.Array], rows: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], pa.Array]]:
    """Go through a column with some of its rows, ascending: those in each piece, and the piece.

    Rows count from the beginning of the piece.
    """
    before = 0
    for piece in texts:
        low, high = np.searchsorted(rows, (before, before + len(piece)))
        if low < high:
            yield rows[low:high] - before, piece
        before += len(piece)


def taken(texts: Iterable[pa.Array], rows: NDArray[np.int64]) -> dict[int, str | None]:
    """The texts of some rows, ascending, by row.

    Raises:
        StepError: one is not UTF-8, against what its column says.
    """
    found = [text for some, piece in pieces_with(texts, rows) for text in strings(piece, some)]
    return dict(zip(rows.tolist(), found, strict=True))
