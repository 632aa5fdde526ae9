"""Near-duplicates of 0.1 to 3 million rows: time, memory, and rows that are hard on purpose.

    make bench NAME=near_growth

Rows are real ones (P3 and Alpaca, joined to about 1.6 KB), varied by word edits: `families` of
eight, of which there are more the more rows there are, and `dense`, where the families of the same
32,000 texts grow instead. Targets: near-linear; a million rows under 4 GiB; 30,000 texts a second
where most rows are near copies; no collapse where every pair sits just under the threshold.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice, repeat
from random import Random

import pyarrow as pa

from tests.bench.machine import PeakMemory, calibration
from tests.bench.near import texts

SIZES = (100_000, 300_000, 1_000_000, 3_000_000)
CHARACTERS = 1600
REAL = 107_187  # of the texts; the Chinese ones behind them are long already
FAMILY, PIECE = 8, 400
EDITS = (1, 2, 5, 10, 20, 60, 120)  # words of about 270
STRESS = ("identical", "near copies", "below", "just below", "around the threshold")


def joined(parts: Iterator[str]) -> Iterator[str]:
    """Join texts until each has about as many characters as a document of the web."""
    held = ""
    for part in parts:
        held = f"{held}\n\n{part}" if held else part
        if len(held) >= CHARACTERS:
            yield held[:CHARACTERS]
            held = ""


def varied(text: str, draw: Random, edits: int) -> str:
    words = text.split(" ")
    for _ in range(min(edits, len(words))):
        words[draw.randrange(len(words))] = f"w{draw.randrange(1 << 30)}"
    return " ".join(words)


def families(count: int) -> Iterator[str]:
    """Eight rows of each text, the texts joined at random of the beginnings of real ones."""
    some = [text[:PIECE] for text in texts()[:REAL]]
    draw = Random(7)
    bases = joined(draw.choice(some) for _ in repeat(None))
    for base in islice(bases, count // FAMILY):
        for number in range(FAMILY):
            yield varied(base, draw, draw.choice(EDITS) if number else 0)


def dense(count: int) -> Iterator[str]:
    """Rows of the same texts, however many there are."""
    some = list(joined(iter(texts()[:REAL])))
    draw = Random(7)
    for number in range(count):
        yield varied(
            some[number % len(some)], draw, draw.choice(EDITS) if number >= len(some) else 0
        )


def hard(kind: str, count: int) -> Iterator[str]:
    """Variants of one text of 250 words, so that every pair has about the same similarity."""
    draw = Random(1)
    base = " ".join(f"w{draw.randrange(5000)}" for _ in range(250))
    edits = {"identical": 0, "near copies": 2, "below": 8, "just below": 7}.get(kind, 6)
    return (varied(base, draw, edits) for _ in range(count))


def run(make: Callable[[], Iterator[str]], threads: int) -> dict[str, object]:
    """Find near-duplicates in a spool of texts."""
    from imitation_data.dedup import NearOptions, find  # noqa: PLC0415 - only in this process
    from imitation_data.text.spool import Spool  # noqa: PLC0415

    find([pa.array(list(hard("near copies", 50)))], threads=threads)  # compiled before the clock
    spool = Spool()
    size = 0
    for text in make():
        spool.add(text)
        size += len(text)
    started = time.perf_counter()
    found = find(spool, NearOptions(0.7), threads=threads)
    seconds = time.perf_counter() - started
    return {
        "rows": len(spool),
        "characters a row": round(size / len(spool)),
        "seconds": round(seconds, 1),
        "rows/s": round(len(spool) / seconds),
        "removed": len(found.removed),
        "compared": found.work.compared,
        "capped": found.work.capped,
        "passed over": found.work.passed_over,
        "stages": {name: round(value, 1) for name, value in found.work.seconds.items()},
    }


def main() -> None:
    """Print a line a size, then a line for each kind of hard rows."""
    if sys.argv[1:]:
        kind, count = sys.argv[1], int(sys.argv[2])
        real = {"families": families, "dense": dense}
        make = (lambda: real[kind](count)) if kind in real else (lambda: hard(kind, count))
        print(json.dumps(run(make, 2)))
        return
    tasks = [(kind, size) for kind in ("families", "dense") for size in SIZES]
    tasks += [(kind, size) for kind in STRESS for size in (10_000, 30_000)]
    for kind, count in tasks:
        command = [sys.executable, "-m", "tests.bench.near_growth", kind, str(count)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        with process, PeakMemory(process.pid) as memory:
            out, _ = process.communicate()
        told = json.loads(out)
        peak = memory.bytes / 2**30
        print(
            f"{kind:>22} peak {peak:.2f} GiB, calibration {calibration():.2f}: {told}", flush=True
        )


if __name__ == "__main__":
    main()
