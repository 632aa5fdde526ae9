"""Whole builds of Alpaca, P3 and Smile: rows a second, and the peak memory of all processes.

    make bench NAME=build

Builds 52,002 + 55,185 + 9,195 rows with language, keywords, refusals, length, repetition, PII and
exact dedup, three times from nothing; then once with tokens; then ten copies of the data, each with
its number in the first user turn. Target: 10,000 rows/s on two cores, under 2 GiB, and the peak of
ten times the data within 20 % of that of one.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from tests.bench.machine import PeakMemory, calibration

SHARED = Path(__file__).resolve().parents[3] / "shared"
DATA = SHARED / "data"
STEPS = [
    {"type": "language"},
    {"type": "keywords", "lists": ["koala"]},
    {"type": "refusals"},
    {"type": "length", "max_chars": 100_000},
    {"type": "repetition"},
    {"type": "pii"},
    {"type": "exact_dedup"},
]
P3 = {"prompt": "prompt", "answer": "completion", "strip_suffix": "<|endoftext|>"}
SMILE = {"messages": "dialog", "roles": {"client": "user", "counselor": "assistant"}}
COPIES = 10


def sources(folder: Path) -> list[dict[str, object]]:
    return [
        {"name": "alpaca", "reader": "alpaca", "path": str(folder / "alpaca_data.json")},
        {"name": "p3", "reader": "columns", "path": str(folder / "p3.jsonl"), "options": P3},
        {
            "name": "smile",
            "reader": "columns",
            "path": str(folder / "smile_zh.jsonl"),
            "options": SMILE,
        },
    ]


def link(folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(DATA / "alpaca" / "alpaca_data.json", folder)
    shutil.copy(DATA / "p3.jsonl", folder)
    shutil.copy(DATA / "smile_zh.jsonl", folder)
    return folder


def copies(folder: Path) -> Path:
    """Ten times the data; `[copy 3]` begins the first user turn."""
    folder.mkdir()
    alpaca = json.loads((DATA / "alpaca" / "alpaca_data.json").read_text(encoding="utf-8"))
    with (folder / "alpaca_data.json").open("w", encoding="utf-8") as out:
        for number in range(COPIES):
            for place, one in enumerate(alpaca):
                out.write("[" if number == place == 0 else ",\n")
                marked = {**one, "instruction": f"[copy {number}] {one['instruction']}"}
                out.write(json.dumps(marked, ensure_ascii=False))
        out.write("]")
    for name in ("p3.jsonl", "smile_zh.jsonl"):
        with (folder / name).open("w", encoding="utf-8") as out:
            for number in range(COPIES):
                for line in (DATA / name).open(encoding="utf-8"):
                    row = json.loads(line)
                    if "prompt" in row:
                        row["prompt"] = f"[copy {number}] {row['prompt']}"
                    else:
                        row["dialog"][0]["content"] = (
                            f"[copy {number}] {row['dialog'][0]['content']}"
                        )
                    out.write(json.dumps(row, ensure_ascii=False) + "\n")
    return folder


def run(data: Path, work: Path, tokens: str = "none") -> tuple[float, float, int]:
    """Build from nothing; return seconds, GiB and rows read."""
    recipe = {"name": "bench", "tokens": tokens, "sources": sources(data), "steps": STEPS}
    path = work / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe))
    store = work / "store"
    shutil.rmtree(store, ignore_errors=True)
    words = ["build", str(path), "--store", str(store), "--workers", "2", "--json"]
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "imitation_data", *words], stdout=subprocess.PIPE
    )
    with PeakMemory(process.pid) as memory:
        answer, _ = process.communicate()
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(process.returncode)
    return seconds, memory.bytes / 2**30, json.loads(answer)["read"]


def report(label: str, seconds: float, gib: float, rows: int) -> None:
    print(
        f"{label:<24}{rows:>10,} rows{seconds:>8.1f} s{rows / seconds:>9,.0f} rows/s{gib:>7.2f} GiB"
        f"   (calibration {calibration():.2f} s)",
        flush=True,
    )


def main() -> None:
    """Print one line a build."""
    if not DATA.is_dir():
        raise SystemExit(f"{DATA} is not there; this benchmark needs the shared data")
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        ranks = work / "ranks"  # a copy: tiktoken deletes files it does not like
        shutil.copytree(SHARED / "tiktoken", ranks)
        os.environ["TIKTOKEN_CACHE_DIR"] = str(ranks)
        once = link(work / "once")
        for number in range(3):
            report(f"no tokens, run {number + 1}", *run(once, work))
        report("cl100k_base tokens", *run(once, work, "cl100k_base"))
        report(f"{COPIES} copies, no tokens", *run(copies(work / "copies"), work))


if __name__ == "__main__":
    main()
