"""Texts as sets of shingles: signatures of whole Arrow columns, and what they are made of."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from imitation_data.dedup.bands import Scheme, check_signature
from imitation_data.dedup.minhash import (
    Hashing,
    Scratch,
    affine,
    band_keys,
    scratch,
    shingle_sets,
    sign,
)
from imitation_data.normalize import normalized
from imitation_data.text.characters import table, unicode_version
from imitation_data.text.column import (
    PIECE_ROWS,
    Buffers,
    buffers_of,
    in_order,
    pieces,
    plain,
    strings,
)
from imitation_data.text.simd import PERMUTATIONS
from imitation_data.text.tokens import IN_CONTEXT, tokenize

if TYPE_CHECKING:
    from datasketch import MinHash

Task = TypeVar("Task")
Result = TypeVar("Result")
Rows = slice | NDArray[np.int64]
TOKENS = 1  # raised when texts are cut into other tokens than before


class Signed(NamedTuple):
    """Texts signed.

    Attributes:
        counts: shingles of each text, repeats counted; 0 for texts of fewer tokens; int32, (n,).
        openings: a hash of each text's first tokens, 0 for short texts; uint64, (n,).
        values: band keys, uint32, (bands, n); or signatures, uint32, (n, permutations).
    """

    counts: NDArray[np.int32]
    openings: NDArray[np.uint64]
    values: NDArray[np.uint32]


@dataclass(frozen=True)
class Shingling:
    """How texts become sets of shingles, and sets become signatures.

    Attributes:
        ngram: tokens in a shingle.
        permutations: minima in a signature.
        seed: of the permutations, drawn as datasketch draws them.
        scheme: what 32 bits of a shingle the permutations see. `poly64`: the upper half of its
            own 64-bit hash. `xxh32`: XXH32 of its tokens joined by spaces; signatures are then
            equal to those of `datasketch.MinHash(hashfunc=xxhash.xxh32_intdigest)`.
    """

    ngram: int = 5
    permutations: int = 128
    seed: int = 1
    scheme: Scheme = "poly64"

    def __post_init__(self) -> None:
        check_signature(self.ngram, self.permutations, self.seed, self.scheme)

    @property
    def hashing(self) -> Hashing:
        """The same for the kernels; permutations are made up to whole vectors."""
        a, b = affine(self.permutations, self.seed)
        more = -self.permutations % PERMUTATIONS
        a, b = np.pad(a, (0, more)), np.pad(b, (0, more))
        return Hashing(table(), self.ngram, a, b, self.scheme == "xxh32")

    def identity(self) -> dict[str, object]:
        """All that decides about the bits of a signature, as plain values."""
        return {
            "ngram": self.ngram,
            "permutations": self.permutations,
            "seed": self.seed,
            "scheme": self.scheme,
            "normalization": "nfkc_casefold",
            "unicode": unicode_version(),
            "tokens": TOKENS,
        }

    def tokens(self, text: str) -> list[str]:
        """Cut a text into the tokens that shingles are made of."""
        raw = np.frombuffer(normalized(text).encode(errors="replace") or b" ", np.uint8)
        work = scratch(len(raw), PERMUTATIONS)
        count = tokenize(raw, (0, len(raw)), table(), work.plain, work.spans, True)  # noqa: FBT003
        folded = work.plain.tobytes()
        return [folded[start:stop].decode() for start, stop in work.spans[:count].tolist()]

    def shingles(self, text: str) -> list[str]:
        """List a text's shingles, tokens joined by spaces, in order and with repeats."""
        tokens = self.tokens(text)
        return [
            " ".join(tokens[first : first + self.ngram])
            for first in range(len(tokens) - self.ngram + 1)
        ]

    def signatures(self, texts: pa.Array, threads: int = 1) -> Signed:
        """Sign texts: one MinHash signature a text, all ones for texts without shingles.

        Args:
            texts: a string array; nulls count as empty.
            threads: how many to use; the answer does not depend on it.
        """
        count = len(texts)
        hashing = self.hashing
        values = np.empty((count, len(hashing.a)), np.uint32)
        counts, openings = np.zeros(count, np.int32), np.zeros(count, np.uint64)

        def work(piece: Buffers, rows: Rows, ready: bool) -> None:  # noqa: FBT001
            own = _desk(piece, len(hashing.a)).work
            one, two, three = counts[rows], openings[rows], values[rows]
            sign(*piece, ready, hashing, own, one, two, three)
            _put(rows, (counts, openings, values), (one, two, three))

        _each_piece(texts, counts, work, threads)
        return Signed(counts, openings, values[:, : self.permutations])

    def band_keys(self, texts: pa.Array, bands: int, rows_a_band: int, threads: int = 1) -> Signed:
        """Sign texts and keep a 32-bit key of each band only.

        Args:
            texts: a string array; nulls count as empty.
            bands: how many; `bands * rows_a_band` minima are used.
            rows_a_band: minima in a band.
            threads: how many to use; the answer does not depend on it.
        """
        count = len(texts)
        hashing = self.hashing
        keys = np.empty((bands, count), np.uint32)
        counts, openings = np.zeros(count, np.int32), np.zeros(count, np.uint64)

        def work(piece: Buffers, rows: Rows, ready: bool) -> None:  # noqa: FBT001
            desk = _desk(piece, len(hashing.a))
            one, two = counts[rows], openings[rows]
            values = desk.signatures[: len(one)]
            sign(*piece, ready, hashing, desk.work, one, two, values)
            own = keys[:, rows]
            band_keys(values, one, rows_a_band, own)
            _put(rows, (counts, openings), (one, two))
            if not isinstance(rows, slice):
                keys[:, rows] = own

        _each_piece(texts, counts, work, threads)
        return Signed(counts, openings, keys)

    def sets(
        self,
        texts: pa.Array,
        starts: NDArray[np.int64],
        sizes: NDArray[np.int32],
        sets: NDArray[np.uint64],
        threads: int = 1,
    ) -> None:
        """Write the shingle sets of some texts: 64-bit hashes, each once, in order.

        Args:
            texts: a string array.
            starts: where each text's set begins in `sets`, -1 for texts that are passed over.
            sizes: filled with the sizes of the sets.
            sets: filled.
            threads: how many to use; the answer does not depend on it.
        """
        hashing = self.hashing

        def work(piece: Buffers, rows: Rows, ready: bool) -> None:  # noqa: FBT001
            some = sizes[rows]
            own = _desk(piece, len(hashing.a)).work
            shingle_sets(*piece, ready, hashing, own, starts[rows], some, sets)
            _put(rows, (sizes,), (some,))

        _each_piece(texts, sizes, work, threads)

    def minhash(self, signature: NDArray[np.uint32]) -> "MinHash":
        """A signature as datasketch's own object, to be queried against an index of datasketch.

        Raises:
            ValueError: under the scheme `poly64`, whose hash datasketch does not know.
        """
        from datasketch import MinHash  # noqa: PLC0415 - takes a second to import

        if self.scheme != "xxh32":
            raise ValueError(f"scheme is {self.scheme!r}; datasketch needs signatures of 'xxh32'")
        return MinHash(
            hashvalues=signature,
            seed=self.seed,
            hashfunc=xxhash.xxh32_intdigest,
            scheme="affine32",
        )


class _Desk(threading.local):
    """One thread's working memory; it grows and is used again."""

    def __init__(self) -> None:
        self.longest, self.permutations = 0, 0
        self.work: Scratch = scratch(0, 0)
        self.signatures = np.zeros((0, 0), np.uint32)

    def sized(self, longest: int, permutations: int) -> "_Desk":
        """Make room for texts of so many bytes."""
        if self.permutations != permutations or self.longest < longest:
            self.longest, self.permutations = max(longest, 1 << 14), permutations
            self.work = scratch(self.longest, permutations)
            self.signatures = np.zeros((PIECE_ROWS, permutations), np.uint32)
        return self


_DESK = _Desk()


def _desk(piece: Buffers, permutations: int) -> _Desk:
    return _DESK.sized(int(np.diff(piece.offsets).max(initial=0)), permutations)


def _put(
    rows: Rows, whole: Sequence[NDArray[np.generic]], some: Sequence[NDArray[np.generic]]
) -> None:
    """Write back what was taken by index; slices are views and need no writing."""
    if not isinstance(rows, slice):
        for array, part in zip(whole, some, strict=True):
            array[rows] = part


def _each_piece(
    texts: pa.Array,
    counts: NDArray[np.int32],
    work: Callable[[Buffers, Rows, bool], None],
    threads: int,
) -> None:
    """Work on a column in pieces; texts that need it are normalised as a whole and done again."""
    texts = plain(texts)
    buffers = buffers_of(texts)
    cuts = list(pieces(buffers.offsets))

    def one(rows: slice) -> None:
        work(Buffers(buffers.text, buffers.offsets[rows.start : rows.stop + 1]), rows, False)  # noqa: FBT003

    in_order(one, cuts, threads)
    again = np.flatnonzero(counts == IN_CONTEXT)

    def other(rows: NDArray[np.int64]) -> None:
        some = [normalized(text or "") for text in strings(texts, rows)]
        work(buffers_of(pa.array(some, pa.large_string())), rows, True)  # noqa: FBT003

    parts = [again[at : at + 256] for at in range(0, len(again), 256)]
    in_order(other, parts, threads)
