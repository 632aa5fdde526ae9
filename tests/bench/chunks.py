"""How much of a next version the Hub holds already: bytes in common at 64 KiB chunks.

    make bench NAME=chunks

Builds P3 and Alpaca, then the same with 1 % of the rows appended, with 1 % changed in one stretch,
with 1 % changed here and there, and with 1 % taken out here and there. The files of each version
are cut into chunks by content as Xet does (a rolling hash; 8 KiB at least, 64 KiB on average, 128
KiB at most), and the bytes of chunks that the first version has are counted. Target: 90 % with 1 %
appended, 85 % with 1 % changed in one stretch. The share at the level of whole files is what LFS
alone would spare.
"""

import json
import tempfile
from hashlib import sha256
from pathlib import Path
from random import Random

import numba
import numpy as np
import yaml

from imitation_data.runner import build
from tests.bench.machine import calibration

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SMALLEST, AVERAGE, LARGEST = 8 << 10, 64 << 10, 128 << 10
MASK = np.uint64((AVERAGE - 1) << 40)
GEAR = np.random.default_rng(64).integers(0, 1 << 63, 256, dtype=np.uint64) * np.uint64(2)


@numba.njit(cache=False)
def cuts(content, gear, smallest, largest, mask):
    """Where chunks end (gear hashing, Xia et al. 2016)."""
    found = []
    start, rolling = 0, np.uint64(0)
    for place in range(len(content)):
        rolling = (rolling << np.uint64(1)) + gear[content[place]]
        size = place + 1 - start
        if size >= largest or (size >= smallest and (rolling & mask) == 0):
            found.append(place + 1)
            start, rolling = place + 1, np.uint64(0)
    if start < len(content):
        found.append(len(content))
    return found


def chunks(path: Path) -> list[tuple[bytes, int]]:
    content = np.fromfile(path, np.uint8)
    start, found = 0, []
    for end in cuts(content, GEAR, SMALLEST, LARGEST, MASK):
        found.append((sha256(content[start:end].tobytes()).digest(), end - start))
        start = end
    return found


def rows() -> list[dict[str, str]]:
    found = json.loads((DATA / "alpaca" / "alpaca_data.json").read_text(encoding="utf-8"))
    for line in (DATA / "p3.jsonl").open(encoding="utf-8"):
        one = json.loads(line)
        answer = one["completion"].removesuffix("<|endoftext|>")
        found.append({"instruction": one["prompt"], "input": "", "output": answer or "none"})
    found = list({json.dumps(row, sort_keys=True): row for row in found}.values())
    Random(6).shuffle(found)
    return found


def changed(row: dict[str, str]) -> dict[str, str]:
    return {**row, "output": f"{row['output']} (This is how it is put now.)"}


def variants(all_rows: list[dict[str, str]]) -> dict[str, list[dict[str, str]]]:
    percent = len(all_rows) // 100
    base, more = all_rows[:-percent], all_rows[-percent:]
    middle = len(base) // 2
    some = set(Random(7).sample(range(len(base)), percent))
    stretch = range(middle, middle + percent)
    return {
        "first": base,
        "1 % appended": [*base, *more],
        "1 % changed in one stretch": [
            changed(row) if place in stretch else row for place, row in enumerate(base)
        ],
        "1 % changed here and there": [
            changed(row) if place in some else row for place, row in enumerate(base)
        ],
        "1 % taken out here and there": [
            row for place, row in enumerate(base) if place not in some
        ],
    }


def data_files(folder: Path, name: str, some: list[dict[str, str]]) -> list[Path]:
    source = folder / "rows.jsonl"
    source.write_text("".join(f"{json.dumps(row)}\n" for row in some), encoding="utf-8")
    recipe = folder / "recipe.yaml"
    sources = [{"name": "rows", "reader": "alpaca", "path": "rows.jsonl", "license": "CC-BY-4.0"}]
    table = {"name": "chunks", "sources": sources}
    recipe.write_text(yaml.safe_dump(table), encoding="utf-8")
    stored = build(recipe, store=folder / f"store {name}", workers=1).stored
    return [path for paths in stored.data_files().values() for path in paths]


def main() -> None:
    print(f"calibration loop: {calibration():.2f} s")
    with tempfile.TemporaryDirectory() as scratch:
        held, whole = set[bytes](), set[bytes]()
        for name, some in variants(rows()).items():
            files = data_files(Path(scratch), name, some)
            found = [one for path in files for one in chunks(path)]
            size = sum(length for _, length in found)
            digests = {sha256(path.read_bytes()).digest(): path.stat().st_size for path in files}
            if name == "first":
                held = {digest for digest, _ in found}
                whole = set(digests)
                print(f"{len(some):,} rows, {size / 1e6:,.1f} MB, {len(found):,} chunks")
                continue
            common = sum(length for digest, length in found if digest in held)
            files_held = sum(length for digest, length in digests.items() if digest in whole)
            print(
                f"{name}: {100 * common / size:.1f} % of {size / 1e6:,.1f} MB in common; "
                f"whole files {100 * files_held / size:.1f} %"
            )


if __name__ == "__main__":
    main()
