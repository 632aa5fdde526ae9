"""Where the time of near-duplicates goes, and how far the signature kernel is from its limit.

    make bench NAME=near_kernel

One core. A shingle costs each of 128 permutations a multiplication, an addition and a minimum of 32
bits: 48 vector instructions of 256 bits. A core that starts four a cycle needs 12 cycles for them.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numba import njit
from numpy.typing import NDArray

from imitation_data.dedup import NearOptions, Shingling, find
from imitation_data.dedup.minhash import Hashing, Scratch, _minima, _mixed, scratch, shingle
from imitation_data.text.column import buffers_of
from imitation_data.text.tokens import tokenize
from tests.bench.machine import best_of, calibration
from tests.bench.near import texts

OPERATIONS, LANES, STARTED = 3 * 128, 8, 4  # a shingle; of 32 bits in 256; a cycle
CHAIN = 100_000_000
READY = True  # texts count as normalised: what is left of normalisation is Python's


@njit(nogil=True)
def upto(
    text: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    hashing: Hashing,
    work: Scratch,
    stage: int,
) -> int:
    """Work through all texts up to a stage: tokens, shingles, mixed hashes, minima."""
    total = 0
    characters = hashing.characters
    for row in range(len(offsets) - 1):
        span = (offsets[row], offsets[row + 1])
        count = tokenize(text, span, characters, work.plain, work.spans, READY)
        total += max(0, count - hashing.size + 1)
        if stage == 1:
            shingle(work, count, hashing.size)
        if stage > 1:
            mixed = _mixed(work, count, hashing.size, hashing.text)
            if stage > 2:
                _minima(work.mixed, mixed, hashing.a, hashing.b, work.minima)
    return total


@njit(nogil=True)
def chain(count: int) -> np.uint64:
    """A chain of additions and rotations that each take one cycle."""
    value = np.uint64(1)
    for number in range(count):
        value = (value << np.uint64(1)) ^ np.uint64(number)
    return value


def seconds_of(run: Callable[[], object]) -> float:
    run()
    return best_of(3, run)


def main() -> None:
    """Print shares, then cycles a shingle."""
    column = pa.array(texts(), pa.large_string())
    buffers, hashing = buffers_of(column), Shingling().hashing
    work = scratch(int(np.diff(buffers.offsets).max()), 128)
    times = [
        seconds_of(lambda stage=stage: upto(*buffers, hashing, work, stage)) for stage in range(4)
    ]
    shingles = upto(*buffers, hashing, work, 0)
    names = ("tokens", "shingle hashes", "32 bits of them", "minima")
    for name, seconds in zip(names, np.diff([0, *times]), strict=True):
        print(f"{name:>20} {seconds:.3f} s")
    cycle = seconds_of(lambda: chain(CHAIN)) / (2 * CHAIN)
    limit = OPERATIONS / LANES / STARTED
    for name, seconds in (("minima alone", times[3] - times[2]), ("whole signature", times[3])):
        cycles = seconds / shingles / cycle
        print(f"{name:>20} {cycles:.1f} cycles a shingle, {cycles / limit:.1f} times the limit")
    order = np.arange(len(column))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        pq.write_table(pa.table({"text": column}), path)
        started = time.perf_counter()
        read = pq.read_table(path, use_threads=False).column("text")
        reading = time.perf_counter() - started
        found = find(read, NearOptions(), order=order)
        found = find(read, NearOptions(), order=order)
        started = time.perf_counter()
        kept = pa.table({"text": read.take(pa.array(found.kept))})
        pq.write_table(kept, path)
        writing = time.perf_counter() - started
    stages = {"input": reading, **found.work.seconds, "output": writing}
    for name, seconds in stages.items():
        share = 100 * seconds / sum(stages.values())
        print(f"{name:>20} {seconds:.3f} s, {share:.0f} %")
    print(f"{shingles:,} shingles, calibration {calibration():.2f} s")


if __name__ == "__main__":
    main()
