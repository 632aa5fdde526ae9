"""Benchmarks looked for in 116,382 rows: rows a second; what is seen, and what is flagged wrongly.

    make bench NAME=leakage

Rows are Alpaca, P3 and Smile. Targets: 20,000 rows/s on two cores with all benchmarks at once;
recall on items in chat form of 99.5 % (NQ-open), 99 % (MMLU) and 99.9 % (the others) with at most
0.7 % false flags. Beside it a plain check by runs of eight words: which items it can find, and
which validation questions of MMLU it flags.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from imitation_data.leakage.benchmarks import Benchmark, load
from imitation_data.leakage.certificate import certify
from imitation_data.leakage.find import Leakage
from imitation_data.leakage.probes import with_options
from tests.bench.machine import best_of, calibration
from tests.bench.near import TOKEN, texts

EVAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "eval"
LOCAL = ("mmlu/test", "nq_open", "gsm8k", "mgsm", "mt_bench")
PLANTED = 1000
RUN = 8  # words, of the plain check


def every() -> list[Benchmark]:
    """All benchmarks at hand."""
    found = [load(path.split("/", maxsplit=1)[0], EVAL / path) for path in LOCAL]
    return [*found, load("human_eval"), load("koala"), load("vicuna")]


def runs(text: str) -> set[str]:
    """Eight words in a row, in lower case."""
    words = TOKEN.findall(text.lower())
    return {" ".join(words[at : at + RUN]) for at in range(len(words) - RUN + 1)}


def plain(asked: Sequence[str], others: Sequence[str]) -> tuple[float, float]:
    """Share of items with a run of eight words, and share of other questions that share one."""
    known = [runs(one) for one in asked]
    every_run = set().union(*known)
    seen = sum(bool(one) for one in known) / len(asked)
    return 100 * seen, 100 * sum(bool(runs(one) & every_run) for one in others) / len(others)


def validation(leakage: Leakage) -> None:
    """MMLU's validation questions, without copies, against its test questions."""
    test, other = leakage.benchmarks[0], load("mmlu", EVAL / "mmlu" / "val")
    known = {(item.question, item.choices) for item in test.items}
    asked = [item for item in other.items if (item.question, item.choices) not in known]
    rows = pa.array([f"\x02{with_options(item)}\x03{item.answers[0]}" for item in asked])
    flagged = len(np.unique(leakage.find([rows]).row))
    print(
        f"MMLU validation: {flagged} of {len(asked):,} flagged ({100 * flagged / len(asked):.2f} %)"
    )
    seen, wrong = plain([one.question for one in test.items], [one.question for one in asked])
    print(f"  by runs of {RUN} words: {seen:.1f} % of stems have one, {wrong:.1f} % flagged")


def main() -> None:
    """Run everything."""
    print(f"calibration loop: {calibration():.2f} s")
    started = time.perf_counter()
    leakage = Leakage(every())
    print(f"{len(leakage.items):,} items ready in {time.perf_counter() - started:.1f} s")
    rows = texts()
    column = pa.array(rows, pa.large_string())
    leakage.find([column.slice(0, 1000)])  # compiled before the clock starts
    for threads in (1, 2):
        seconds = best_of(3, lambda threads=threads: leakage.find([column], threads))
        print(f"{threads} threads: {len(column) / seconds:,.0f} rows/s ({seconds:.2f} s)")
    step = len(rows) // PLANTED
    for sight in certify(leakage, [f"\x02{row}" for row in rows[::step]], threads=2):
        recall = ", ".join(f"{way} {100 * value:.2f}" for way, value in sight.recall.items())
        wrong = 100 * sight.false_flags
        print(f"{sight.benchmark} ({sight.items:,}): {recall}; {wrong:.2f} % of {sight.control:,}")
    validation(leakage)
    questions = [item.question for item in leakage.benchmarks[1].items]
    seen, _ = plain(questions, questions[:1])
    print(f"NQ-open by runs of {RUN} words: {seen:.1f} % of questions have one")
    print(f"calibration loop: {calibration():.2f} s")


if __name__ == "__main__":
    main()
