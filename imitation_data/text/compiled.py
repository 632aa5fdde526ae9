"""How kernels are compiled: without the interpreter's lock, and cached on disk.

Compiled code holds what it calls in other files, and numba looks at one file only: here a kernel is
compiled anew when any file with kernels has changed.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import xxhash
from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])

FILES = (
    "leakage/hits",
    "leakage/scan",
    "leakage/tables",
    "leakage/words",
    "text/simd",
    "text/tokens",
    "bleu/grams",
    "bleu/score",
    "bleu/search",
    "bleu/sets",
    "bleu/words",
    "dedup/minhash",
    "dedup/pairs",
    "dedup/clusters",
    "generate/rouge",
    "generate/tokens",
)


@cache
def stamp() -> str:
    """A digest of all files with kernels; `FILES` names them within the package."""
    folder = Path(__file__).parents[1]
    digest = xxhash.xxh3_128()
    for name in FILES:
        digest.update((folder / f"{name}.py").read_bytes())
    return digest.hexdigest()


def kernel(function: Function) -> Function:
    """Compile a function when it is first called."""
    return cast("Function", _stamped(njit(nogil=True, cache=True)(function)))


def inlined(function: Function) -> Function:
    """Compile a function into each one that calls it."""
    return cast("Function", _stamped(njit(nogil=True, cache=True, inline="always")(function)))


def _stamped(compiled: Any) -> Any:  # noqa: ANN401 - numba's own type, which mypy takes apart
    # What numba holds a cached file against, instead of the time and size of one source file.
    compiled._cache._cache_file._source_stamp = stamp()  # noqa: SLF001
    return compiled
