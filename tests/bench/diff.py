"""A diff of 1,000,000 rows against 1,000,000, 1 % of them otherwise: seconds and peak memory.

    make bench NAME=diff

Rows are made by counting, about 700 characters each; of the second side 0.2 % are changed, moved,
annotated, gone and new. Both sides are folders of Parquet files, once as versions whose manifests
vouch for them, and once without, where every id is computed from its messages. Targets for the
first: 60 s and 4 GiB on two cores.
"""

import json
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from imitation_data.conversation import Conversation, Message, to_batch
from tests.bench.machine import PeakMemory, calibration

ROWS, FILE_ROWS, GROUP_ROWS = 1_000_000, 50_000, 8192
EVERY = 500  # one row in so many is of each kind that differs
WORDS = [f"word{number}" for number in range(997)]


def row(number: int, *, second: bool) -> Conversation | None:
    """One row of a side; None where the side lacks it."""
    kind = number % EVERY if second else EVERY
    if kind == 3 or (not second and number >= ROWS):
        return None
    words = [WORDS[(number * 31 + place * place) % len(WORDS)] for place in range(90)]
    if kind == 0:
        words[40] = "changed"
    messages = (Message("user", f"Question {number}: {' '.join(words[:20])}?"),)
    messages = (*messages, Message("assistant", " ".join(words[20:])))
    meta = json.dumps({"file": f"part-{number // 10_000}.jsonl", "line": number + (kind == 2)})
    source = ("sharegpt", "hc3", "discord")[number % 3]
    return Conversation(messages, source, f"conversation-{number:09d}", license="MIT", meta=meta)


def write(folder: Path, *, second: bool) -> None:
    """One side: data files, and a manifest that vouches for them."""
    (folder / "data").mkdir(parents=True)
    moved: list[Conversation] = []
    count = ROWS + ROWS // EVERY if second else ROWS
    for start in range(0, count, FILE_ROWS):
        numbers = range(start, min(count, start + FILE_ROWS))
        made = [(number, row(number, second=second)) for number in numbers]
        moved += [one for number, one in made if one and second and number % EVERY == 1]
        rows = [one for number, one in made if one and not (second and number % EVERY == 1)]
        _write(folder / "data" / f"train-{start // FILE_ROWS:05d}-of-00099.parquet", rows)
    if moved:
        _write(folder / "data" / "test-00000-of-00001.parquet", moved)
    files = {
        f"data/{path.name}": {"sha256": sha256(path.read_bytes()).hexdigest()}
        for path in (folder / "data").iterdir()
    }
    manifest = {"format": 1, "name": "bench", "version": f"{1 + second}.0.0", "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def _write(path: Path, rows: list[Conversation]) -> None:
    table = pa.Table.from_batches([to_batch(rows)])
    pq.write_table(table, path, compression="zstd", row_group_size=GROUP_ROWS)


def run(folders: list[Path]) -> tuple[float, float, dict[str, object]]:
    """Compare two folders in a process of its own; return seconds, GiB and what it told."""
    command = [sys.executable, "-m", "imitation_data", "diff", *map(str, folders), "--json"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    with PeakMemory(process.pid) as memory:
        answer, _ = process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(process.returncode)
    return seconds, memory.bytes / 2**30, json.loads(answer)


def main() -> None:
    """Print one line a run."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / "one", Path(name) / "two"]
        for second, folder in enumerate(folders):
            write(folder, second=bool(second))
        told: dict[str, object] = {}
        for label, times in (("versions", 3), ("no manifest", 1)):
            runs = []
            for _ in range(times):
                seconds, gib, told = run(folders)
                runs.append(seconds)
                print(
                    f"{label:<14}{seconds:>8.1f} s{gib:>7.2f} GiB"
                    f"   (calibration {calibration():.2f} s)",
                    flush=True,
                )
            print(f"{label:<14}{min(runs):>8.1f} s, best of {times}; {told['counts']}", flush=True)
            for folder in folders:
                (folder / "manifest.json").unlink(missing_ok=True)


if __name__ == "__main__":
    main()
