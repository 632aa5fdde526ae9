"""Near-duplicates against datasketch and rensa, on the same texts at the same threshold.

    make bench NAME=near

116,382 texts (Alpaca, P3, Smile: prompt plus answer), from an Arrow column to decisions, one core
for everybody. The peers get Python's fastest reasonable shingling of the same tokens, remove what
their LSH proposes, and cannot verify; we verify every pair. Targets: 25 times datasketch, 5 times
rensa, 1.7 times on two cores; recall no lower than the peers'.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import xxhash

from tests.bench.machine import best_of, calibration

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
THRESHOLD = 0.7
PERMUTATIONS = 128
TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+|[#$%&*+\-/<=>@\\^|~]"
)
PEER_ROWS = 24_000  # every so many of the rows; the peers' rate does not grow with fewer


def texts() -> list[str]:
    """Prompt plus answer of every row."""
    found = []
    with (DATA / "alpaca" / "alpaca_data.json").open(encoding="utf-8") as file:
        for row in json.load(file):
            parts = (row["instruction"], row["input"], row["output"])
            found.append("\n".join(part for part in parts if part))
    with (DATA / "p3.jsonl").open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            found.append(f"{row['prompt']}\n{row['completion']}")
    with (DATA / "smile_zh.jsonl").open(encoding="utf-8") as file:
        found += ["\n".join(t["content"] for t in json.loads(line)["dialog"]) for line in file]
    return found


def shingled(text: str) -> list[str]:
    """Five tokens in a row, in the way a user of the peers would write it."""
    tokens = TOKEN.findall(text.lower())
    return [" ".join(tokens[at : at + 5]) for at in range(len(tokens) - 4)]


def by_datasketch(column: pa.Array) -> set[int]:
    """Rows that go, by `MinHash.generator` with XXH32 and `MinHashLSH`."""
    from datasketch import MinHash, MinHashLSH  # noqa: PLC0415 - only in this process

    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    sets = ([one.encode() for one in shingled(text)] for text in column.to_pylist())
    hashes = MinHash.generator(sets, num_perm=PERMUTATIONS, hashfunc=xxhash.xxh32_intdigest)
    gone = set()
    for row, sketch in enumerate(hashes):
        if index.query(sketch):
            gone.add(row)
        else:
            index.insert(row, sketch)
    return gone


def by_rensa(column: pa.Array) -> set[int]:
    """Rows that go, by rensa's R-MinHash and its LSH, bands as datasketch chooses them."""
    from rensa import RMinHash, RMinHashLSH  # noqa: PLC0415

    index = RMinHashLSH(threshold=THRESHOLD, num_perm=126, num_bands=14)
    gone = set()
    for row, text in enumerate(column.to_pylist()):
        sketch = RMinHash(num_perm=126, seed=1)
        sketch.update(shingled(text))
        if index.query(sketch):
            gone.add(row)
        else:
            index.insert(row, sketch)
    return gone


def by_us(column: pa.Array, scheme: str, threads: int) -> tuple[set[int], dict[str, float]]:
    """Rows that go, first come first kept as the peers have it, and the time of each stage."""
    from imitation_data.dedup import NearOptions, Shingling, find  # noqa: PLC0415

    options = NearOptions(THRESHOLD, shingling=Shingling(scheme=scheme))
    found = find([column], options, order=np.arange(len(column)), threads=threads)
    return set(found.removed.tolist()), found.work.seconds


def pairs_of(texts_: Sequence[str]) -> tuple[int, Callable[[set[int]], int]]:
    """Brute force: rows that lose to an earlier one, and a count of those that are still there."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415

    names: dict[str, int] = {}
    rows, columns, sizes = [], [], []
    for row, text in enumerate(texts_):
        mine = {names.setdefault(one, len(names)) for one in shingled(text)}
        rows += [row] * len(mine)
        columns += mine
        sizes.append(len(mine))
    shape = (len(texts_), max(1, len(names)))
    matrix = csr_matrix((np.ones(len(rows), np.int32), (rows, columns)), shape)
    size = np.array(sizes)
    gone = set()
    product = (matrix @ matrix.T).tocoo()
    similar = product.data / (size[product.row] + size[product.col] - product.data)
    near = (similar >= THRESHOLD) & (product.row > product.col)
    earlier: dict[int, list[int]] = {}
    for row, other in zip(product.row[near].tolist(), product.col[near].tolist(), strict=True):
        earlier.setdefault(row, []).append(other)
    for row in sorted(earlier):
        if any(other not in gone for other in earlier[row]):
            gone.add(row)
    return len(gone), lambda found: len(gone & found)


def measure(cores: str) -> dict[str, object]:
    """All figures that a process bound to some cores can tell."""
    from imitation_data.dedup import find  # noqa: PLC0415

    every = texts()
    column = pa.array(every, pa.large_string())
    threads = len(cores.split(","))
    find([column.slice(0, 2000)], threads=threads)  # compiled before the clock starts
    told: dict[str, object] = {}
    for scheme in ("poly64", "xxh32"):
        by_us(column.slice(0, 2000), scheme, threads)
        times: dict[int, list[float]] = {number: [] for number in sorted({1, threads})}
        for _ in range(9):  # in turns, so that a slow minute hits both
            for number, taken in times.items():
                taken.append(best_of(1, lambda n=number, s=scheme: by_us(column, s, n)))
        told[f"{scheme} docs/s"] = len(column) / min(times[threads])
        told[f"{scheme}: times one thread"] = min(times[1]) / min(times[threads])
    gone, stages = by_us(column, "poly64", threads)
    told["stages"] = {name: round(value, 3) for name, value in stages.items()}
    told["removed"] = len(gone)
    if threads == 1:
        step = len(column) // PEER_ROWS
        some = column.take(pa.array(range(0, len(column), step)))
        for name, run in (("datasketch", by_datasketch), ("rensa", by_rensa)):
            told[f"{name} docs/s"] = len(some) / best_of(3, lambda run=run: run(some))
        few = column.take(pa.array(range(0, len(column), len(column) // 6000)))
        total, hit = pairs_of(few.to_pylist())
        told["brute force: rows that go"] = total
        for name, found in (
            ("ours", by_us(few, "poly64", 1)[0]),
            ("datasketch", by_datasketch(few)),
            ("rensa", by_rensa(few)),
        ):
            told[f"{name}: recall"] = hit(found) / total
            told[f"{name}: precision"] = hit(found) / max(1, len(found))
    told["calibration"] = calibration()
    return told


def main() -> None:
    """Print the figures for one core, then for two."""
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there; this benchmark needs the shared data")
    if sys.argv[1:]:
        print(json.dumps(measure(sys.argv[1])))
        return
    told = {}
    for cores in ("0", "0,1"):
        command = ["taskset", "-c", cores, sys.executable, "-m", "tests.bench.near", cores]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, check=True, capture_output=True, env=environment)
        told[cores] = json.loads(done.stdout)
        for name, value in told[cores].items():
            print(f"{cores:>4} {name:>28} {value if isinstance(value, dict) else round(value, 4)}")
    one, two = told["0"], told["0,1"]
    for scheme in ("poly64", "xxh32"):
        for peer in ("datasketch", "rensa"):
            ratio = one[f"{scheme} docs/s"] / one[f"{peer} docs/s"]
            print(f"     {scheme} against {peer}: {ratio:.1f} times")
        print(f"     {scheme} on two cores: {two[f'{scheme}: times one thread']:.2f} times one")


if __name__ == "__main__":
    main()
